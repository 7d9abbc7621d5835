"""`jikimi doctor`: every part is asked how it is -> what is well, what is not, and what to do about it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.operations.outside.checkup import Found

MOST = 20  # of one platform that are shown alike: a hundred servers may lack the same right

_MARKS = {"well": "✓", "odd": "!", "ill": "✗"}


def declare(line: Line) -> None:
    @line.app.command("doctor", help=line.say["help.doctor"])
    def command(
        config: Annotated[Path | None, line.config] = None, as_json: Annotated[bool, line.json] = False
    ) -> None:
        if not asyncio.run(doctor(line.settings(config), line.say, as_json=as_json)):
            raise typer.Exit(1)


async def doctor(config: "Config", say: Texts, *, as_json: bool) -> bool:
    """Whether nothing is ill. Says each thing as soon as it is found."""
    from bot.app.objections import checkup

    found: list[Found] = []
    async for one in checkup(config, say):
        found.append(one)
        alike = sum((one.part, one.state) == (other.part, other.state) for other in found)
        if not as_json and alike <= MOST:
            print(_line(one, say), flush=True)
    is_well = all(one.state != "ill" for one in found)
    if as_json:
        rows = [{"part": one.part, "state": one.state, "told": one.told, "remedy": one.remedy or None} for one in found]
        print_json({"well": is_well, "found": rows})
    else:
        ill, odd = (sum(one.state == state for one in found) for state in ("ill", "odd"))
        print(say("doctor.sum", ill=ill, odd=odd))
    return is_well


def _line(one: "Found", say: Texts) -> str:
    part = say.get(f"doctor.part.{one.part}", "") or say[f"{one.part}.title"]
    line = f"{_MARKS[one.state]} {part}: {one.told}"
    return f"{line}\n    → {one.remedy}" if one.remedy else line
