"""`jikimi selftest`: an operator's own server or group -> what the platform does there of what nobody has confirmed."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.operations.outside.selftest import Tried

_MARKS = {"as_written": "✓", "otherwise": "≠", "not_tried": "-"}


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("selftest", help=say["help.selftest"], context_settings={"ignore_unknown_options": True})
    def command(
        platform: Annotated[str, typer.Argument(help=say["help.selftest_platform"])],
        community: Annotated[str, typer.Argument(help=say["help.selftest_community"])],
        config: Annotated[Path | None, line.config] = None,
        out: Annotated[Path, typer.Option("--out", help=say["help.selftest_out"])] = Path("jikimi-selftest.json"),
    ) -> None:
        if not re.fullmatch(r"-?\d+", community):  # Telegram's supergroups are -100…, which looks like an option
            raise typer.BadParameter(say("check.community", given=community))
        tried = asyncio.run(selftest(line.settings(config), platform, community, say))
        if tried:
            out.write_text(transcript(platform, tried), "utf-8")
            print(say("selftest.saved", path=out))


async def selftest(config: "Config", platform: str, community: str, say: Texts) -> "list[Tried]":
    """Asks before it begins, and says each thing as soon as it was tried."""
    from bot.app import chats

    if platform not in (known := [one.platform for one in chats.NETWORKS]):
        raise Broken(say("check.choice", given=platform, choices=", ".join(known)))
    network = next((one for one in chats.on(config) if one.platform == platform), None)
    if network is None:
        raise Broken(say("selftest.off", platform=platform))
    if await _ask("begin", say) is None:
        return []
    tried = []
    async for one in network.selftest(community, lambda what: _ask(what, say), say):
        tried.append(one)
        print(_line(one, say), flush=True)
    return tried


def transcript(platform: str, tried: "Sequence[Tried]") -> str:
    """Which facts were tried and what was counted: no text, no id."""
    rows = [{"fact": one.fact, "outcome": one.outcome, "seen": dict(one.seen)} for one in tried]
    return json.dumps({"jikimi": version("jikimi"), "platform": platform, "tried": rows}, indent=2) + "\n"


async def _ask(what: str, say: Texts) -> str | None:
    """What is typed; None where it is "n", and where nobody is there."""
    print(f"\n{say[f'selftest.ask.{what}']}\n{say['selftest.ask.how']} ", end="", flush=True)
    typed = await asyncio.to_thread(sys.stdin.readline)
    return None if not typed or typed.strip().lower() == "n" else typed.strip()


def _line(one: "Tried", say: Texts) -> str:
    seen = ", ".join(f"{name} {value}" for name, value in one.seen.items())
    return f"{_MARKS[one.outcome]} {one.fact} {say[f'selftest.fact.{one.fact}']} {f'({seen})' if seen else ''}".rstrip()
