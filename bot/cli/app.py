"""A language -> the typer application, with every help text in that language; what was typed -> an exit code."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import typer
from typer.completion import get_completion_inspect_parameters, install_callback, show_callback
from typer.exceptions import TyperException

from bot.cli import run
from bot.cli.bench import api, flow, fresh, guard, phrases, queue
from bot.cli.bench import report as bench_report
from bot.cli.evaluation import calibrate, cascade, evaluate
from bot.cli.guarding import guards, judge, train
from bot.cli.keeping import copies, encryption, people, precedents
from bot.cli.line import DEFAULT_CONFIG, Line
from bot.cli.operations import doctor, growth, health, keys, scale, selftest, status, webhooks
from bot.cli.rehearsal import rehearse
from bot.cli.reporting import deliveries, report
from bot.cli.settings import check_config, init, invite, policy
from bot.cli.usage import explained
from bot.core.base.errors import BotError, Unavailable
from bot.core.text.catalogue import LANGUAGES, Texts, spoken_here, texts

LANGUAGE = "JIKIMI_LANG"  # of the environment: of the screen
AGAIN = 75  # exit code: EX_TEMPFAIL, what passes by itself
LOG = "JIKIMI_LOG"  # of the environment: "json" for programs, anything else for people


class Command(Protocol):
    """A command's module."""

    def declare(self, line: Line) -> None:
        """Its name, options and help texts."""


#: In the order of `jikimi --help`.
COMMANDS: Sequence[Command] = (
    *(
        init,
        rehearse,
        judge,
        check_config,
        policy,
        guards,
        evaluate,
        calibrate,
        invite,
        run,
        status,
        doctor,
        selftest,
        health,
        report,
        deliveries,
        train,
    ),
    *(
        keys,
        webhooks,
        encryption,
        people,
        precedents,
        copies,
        flow,
        queue,
        guard,
        api,
        growth,
        scale,
        bench_report,
        phrases,
        fresh,
        cascade,
    ),
)


def build(language: str) -> typer.Typer:
    line = Line(texts(language))
    get_completion_inspect_parameters()  # makes the shells known; typer's own options speak English only
    install, show = (
        typer.Option(f"--{name}-completion", callback=callback, help=line.say[f"help.{name}_completion"], is_eager=True)
        for name, callback in (("install", install_callback), ("show", show_callback))
    )

    @line.app.callback()
    def everywhere(
        lang: Annotated[str, typer.Option("--lang", help=line.say["help.lang"], show_default=False)] = language,
        show_version: Annotated[
            bool, typer.Option("--version", help=line.say["help.version"], callback=_show_version, is_eager=True)
        ] = False,
        log: Annotated[
            Literal["people", "json"], typer.Option("--log", help=line.say["help.log"], envvar=LOG, show_default=False)
        ] = "people",
        install_completion: Annotated[bool | None, install] = None,
        show_completion: Annotated[bool | None, show] = None,
    ) -> None:
        if lang not in LANGUAGES:
            raise typer.BadParameter(line.say("check.choice", given=lang, choices="ko, en"))
        _logs_to_stderr(texts(lang), as_json=log == "json")

    for command in COMMANDS:
        command.declare(line)
    return line.app


def typed(words: Sequence[str]) -> int:
    """The process's exit code."""
    arguments = language_first(words)
    language = wanted_language(arguments)
    try:
        return build(language)(args=arguments, prog_name="jikimi", standalone_mode=False) or 0
    except typer.Abort:
        print(texts(language)["typed.aborted"], file=sys.stderr)
        return 1
    except TyperException as error:
        print(explained(error, texts(language)), file=sys.stderr)
        return 2
    except BotError as error:
        print(texts(language).why(error), file=sys.stderr)
        return AGAIN if isinstance(error, Unavailable) else 2


def wanted_language(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """What `--lang` asks for, before anything else is parsed; else JIKIMI_LANG, else what the configuration says that
    moderators are spoken to in, else the terminal's language."""
    asked = (*_given("--lang", arguments), environment.get(LANGUAGE, "")[:2].lower(), _configured(arguments))
    return next((value for value in asked if value in LANGUAGES), None) or spoken_here()


def _given(option: str, arguments: Sequence[str]) -> Iterator[str]:
    """What stands behind it, wherever that is."""
    for place, word in enumerate(arguments):
        if word.startswith(f"{option}="):
            yield word.removeprefix(f"{option}=")
        if word == option and place + 1 < len(arguments):
            yield arguments[place + 1]


def _configured(arguments: Sequence[str]) -> str:
    """What is wrong with a configuration is said by whoever reads all of it."""
    path = next((Path(given) for given in _given("--config", arguments)), DEFAULT_CONFIG)
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return str(tomllib.loads(path.read_text("utf-8-sig"))["defaults"]["language"])
    return ""


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


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"jikimi {version('jikimi')}")
        raise typer.Exit


def _logs_to_stderr(say: Texts, *, as_json: bool) -> None:
    """Stdout is for results. People read lines in their language; `as_json`: a line is an object, whoever writes it,
    libraries as well, and says what happened in English, by which programs know it again."""
    import logging

    import structlog  # brings rich and more with it: not for `--help`

    factory = lambda *_: structlog.PrintLogger(sys.stderr)  # noqa: E731
    if not as_json:
        structlog.reset_defaults()
        *marked, drawn = structlog.get_config()["processors"]
        structlog.configure(logger_factory=factory, processors=[*marked, partial(_told, say), drawn])
        return
    marked = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    as_object = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    drawn = [structlog.processors.format_exc_info, as_object]
    structlog.configure(logger_factory=factory, processors=[structlog.contextvars.merge_contextvars, *marked, *drawn])
    theirs = logging.StreamHandler()
    without_ours = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=marked, processors=[without_ours, *drawn])
    )
    logging.getLogger().addHandler(theirs)


def _told(say: Texts, _: object, __: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    event = str(line.pop("event"))
    facts = {name: say.why(fact) if isinstance(fact, BotError | str) else fact for name, fact in line.items()}
    return {**facts, "event": say.get(f"log.{event}", event)}
