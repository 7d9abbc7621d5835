"""`jikimi judge`, `jikimi rules explain`: one text -> the guard's verdict and what every rule says about it."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.chat.message import Author, Message, MessageRef, Platform, as_read
from bot.core.guarding.ports import OVERHEARD, Said
from bot.core.guarding.verdict import YES, Exchange, Screening, Unscreened, as_shown
from bot.core.text.catalogue import Texts
from bot.core.text.encoding import decoded

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.rules.decision import Decision
    from bot.core.rules.policy import Policy


def declare(line: Line) -> None:
    say = line.say
    text_argument = typer.Argument(help=say["help.judge_text"], show_default=False)

    @line.app.command("judge", help=say["help.judge"])
    def judge_command(
        text: Annotated[str, text_argument],
        response: Annotated[
            str | None, typer.Option("--response", help=say["help.judge_response"], show_default=False)
        ] = None,
        guard: Annotated[str | None, line.guard] = None,
        raw: Annotated[bool, typer.Option("--raw", help=say["help.judge_raw"])] = False,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asked, settings = _given(text, say, response), line.settings(config)
        asyncio.run(judge(asked, response, settings, say, guard=guard, raw=raw, as_json=as_json))

    @line.rules.command("explain", help=say["help.rules_explain"])
    def explain_command(
        text: Annotated[str, text_argument],
        guard: Annotated[str | None, line.guard] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(explain(_given(text, say), line.settings(config), say, guard=guard, as_json=as_json))


def _given(argument: str, say: Texts, response: str | None = None) -> str:
    """Raises `Broken` where nobody can read what comes in, or nothing does: it would be called safe."""
    try:
        text = argument if argument != "-" else decoded(sys.stdin.buffer.read()).rstrip("\r\n")
    except UnicodeDecodeError:
        raise Broken(say("transcript.not_text", path="-")) from None
    if not f"{text}{response or ''}".strip():
        raise Broken("nothing to judge")
    return text


async def judge(
    text: str, response: str | None, config: "Config", say: Texts, *, guard: str | None, raw: bool, as_json: bool
) -> None:
    from bot.cli.guarding.shown import decision_json, said_json, screening_json
    from bot.wording.reasons import because, deeds

    said: list[Said] = []
    OVERHEARD.set(said)
    screening, decision = await _decide(text, response, config, say, guard)
    if as_json:
        own = {"raw": [said_json(one) for one in said]} if raw else {}
        print_json({"screening": screening_json(screening), "decision": decision_json(decision, say), **own})
        return
    if raw:
        print("\n".join(line for one in said for line in raw_lines(one)))
    print(say("judge.guard", name=screening.guard.name, model=screening.guard.model))
    if isinstance(screening, Unscreened):
        print(say("judge.unscreened", reason=say.why(screening.reason)))
    else:
        for task, score in screening.scores.items():
            print(say("judge.score", task=say[f"task.{task}"], score=as_shown(score, 3)))
        likely = ((score, kind) for kinds in screening.kinds.values() for kind, score in kinds.items() if score >= YES)
        for score, kind in sorted(likely, reverse=True):
            print(say("judge.score", task=say[f"kind.{kind}"], score=as_shown(score, 3)))
        if screening.windows > 1:
            print(say("judge.windows", windows=screening.windows))
        if screening.evidence:
            print(say("judge.evidence", evidence=", ".join(screening.evidence)))
    if decision.actions:
        print(say("judge.harmful", actions=deeds(decision.actions, say)))
        for finding in decision.findings:
            if finding.matched:
                print(f"  {finding.rule}: {because(finding.why, say)}")
    else:
        print(say["judge.harmless"])


def raw_lines(said: Said) -> Iterator[str]:
    """As it was written, in one line each, so that nothing in it is taken for a command to the terminal."""
    yield f"{said.asked}[{said.window}]: {said.text!r}" if said.text else f"{said.asked}[{said.window}]:"
    for name, labels in said.labels.items():
        likeliest = sorted(labels.items(), key=lambda label: -label[1])
        yield f"  {name}: " + ", ".join(f"{label!r} {number:.6g}" for label, number in likeliest)


async def explain(text: str, config: "Config", say: Texts, *, guard: str | None, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from bot.cli.guarding.shown import decision_json
    from bot.wording.reasons import because, deeds

    _, decision = await _decide(text, None, config, say, guard)
    if as_json:
        print_json(decision_json(decision, say))
        return
    table = Table(title=say["rules.title"], title_justify="left")
    for column in ("rule", "mode", "matched", "why"):
        table.add_column(say[f"rules.{column}"])
    for finding in decision.findings:
        matched = say["rules.yes" if finding.matched else "rules.no"]
        table.add_row(finding.rule, say[f"rules.{finding.mode}"], matched, because(finding.why, say))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(deeds(decision.actions, say))


async def _decide(
    text: str, response: str | None, config: "Config", say: Texts, guard: str | None
) -> tuple[Screening, "Decision"]:
    from bot.app import guards
    from bot.core.rules.policy import Watch

    answer = response if response and response.strip() else None  # an empty one is none
    exchange = Exchange(prompt=as_read(text), response=answer and as_read(answer), is_chat=answer is None)
    async with guards.guard(config, say, guard) as chosen:
        (screening,) = await chosen.judge([exchange])
    return screening, decided(text, answer, screening, config.policy.in_mode(Watch.LIVE))


def decided(text: str, response: str | None, screening: Screening, policy: "Policy") -> "Decision":
    """About a plain member's message; with a response: about the answer of a bot."""
    from bot.core.rules.decision import decide

    now = datetime.now(UTC)
    message = Message(
        ref=MessageRef(Platform("-"), "-", "-"),
        community_id="-",
        author=Author(id="-", bot=response is not None),
        sent_at=now,
        text=text if response is None else response,
        prompt=None if response is None else text,
        mentions=text.count("@"),
    )
    return decide(message, screening, policy, at=now)
