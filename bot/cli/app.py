"""A language -> the typer application, with every help text in that language."""

import sys
from collections.abc import Sequence
from typing import Annotated, Protocol

import typer

from bot.cli import invite, run
from bot.cli.bench import api, flow, fresh, guard, phrases, queue
from bot.cli.bench import report as bench_report
from bot.cli.evaluation import calibrate, evaluate
from bot.cli.guarding import guards, judge, train
from bot.cli.http import keys, webhooks
from bot.cli.keeping import copies, encryption, people, precedents
from bot.cli.line import Line
from bot.cli.rehearsal import rehearse
from bot.cli.reporting import deliveries, report
from bot.cli.settings import check_config, policy
from bot.core.text.catalogue import LANGUAGES, spoken_here, texts


class Command(Protocol):
    """A command's module."""

    def declare(self, line: Line) -> None:
        """Its name, options and help texts."""


#: In the order of `jikimi --help`.
COMMANDS: Sequence[Command] = (
    *(rehearse, judge, check_config, policy, guards, evaluate, calibrate, invite, run, report, deliveries, train),
    *(keys, webhooks, encryption, people, precedents, copies, flow, queue, guard, api, bench_report, phrases, fresh),
)


def build(language: str) -> typer.Typer:
    line = Line(texts(language))

    @line.app.callback()
    def everywhere(
        lang: Annotated[str, typer.Option("--lang", help=line.say["help.lang"], show_default=False)] = language,
    ) -> None:
        if lang not in LANGUAGES:
            raise typer.BadParameter(line.say("check.choice", given=lang, choices="ko, en"))
        _logs_to_stderr()

    for command in COMMANDS:
        command.declare(line)
    return line.app


def wanted_language(arguments: Sequence[str]) -> str:
    """What `--lang` asks for, before anything else is parsed; else the terminal's language."""
    for place, word in enumerate(arguments):
        value = word.removeprefix("--lang=") if word.startswith("--lang=") else None
        if word == "--lang" and place + 1 < len(arguments):
            value = arguments[place + 1]
        if value in LANGUAGES:
            return value
    return spoken_here()


def language_first(arguments: Sequence[str]) -> list[str]:
    """`--lang`, wherever it stands, moved to where the parser looks for it; what follows "--" is nobody's option."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    moved: list[str] = []
    left: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == "--lang":
            moved += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith("--lang="):
            moved.append(word)
        else:
            left.append(word)
    return [*moved, *left, *arguments[end:]]


def _logs_to_stderr() -> None:
    """Stdout is for results."""
    import structlog  # brings rich and more with it: not for `--help`

    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
