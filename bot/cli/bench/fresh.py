"""`jikimi bench fresh`: lines that nobody tuned on -> what this configuration catches of each kind of harm, and what it
does to the innocent."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.guarding.judge import decided
from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.evaluation.fresh import FreshLine, FreshRow, FreshTable, Tried, table
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Exchange, Screening
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:  # pydantic: not for `--help`
    from bot.config import Config
    from bot.core.rules.policy import Policy

HELD_OUT = Path("corpus/held_out")
BATCH = 256


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("fresh", help=say["help.bench_fresh"])
    def command(
        file: Annotated[Path | None, typer.Argument(help=say["help.bench_fresh_file"], show_default=False)] = None,
        guard: Annotated[str | None, line.guard] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(bench_fresh(file or _newest(say), line.settings(config), say, guard=guard, as_json=as_json))


def _newest(say: Texts) -> Path:
    if files := sorted(HELD_OUT.glob("*.jsonl")):
        return files[-1]
    raise Broken(say("fresh.no_file", folder=HELD_OUT))


async def bench_fresh(file: Path, config: "Config", say: Texts, *, guard: str | None, as_json: bool) -> None:
    from bot.app import guards, tools
    from bot.core.rules.policy import Watch

    policy = config.policy.in_mode(Watch.LIVE)
    lines = tools.fresh_lines(file)
    tried: list[Tried] = []
    async with guards.guard(config, say, guard) as chosen:
        for start in range(0, len(lines), BATCH):
            some = lines[start : start + BATCH]
            screenings = await chosen.judge([Exchange(prompt=line.text, is_chat=True) for line in some])
            tried += (_tried(line, screening, policy) for line, screening in zip(some, screenings, strict=True))
        name = chosen.version.name
    found = table(tried)
    if as_json:
        print_json({"file": file.name, "guard": name, **{part: _json(rows) for part, rows in _parts(found)}})
        return
    _print(found, say("fresh.title", file=file.name, guard=name), say)


def _tried(line: FreshLine, screening: Screening, policy: "Policy") -> Tried:
    """As the first message of a plain member in a live community."""
    from bot.core.rules.actions import Delete, Weight

    decision = decided(line.text, None, screening, policy)
    return Tried(
        line=line,
        touched=bool(decision.actions),
        deleted=Delete() in decision.actions,
        punished=any(action.weight is Weight.MEMBER for action in decision.actions),
        kinds=decision.kinds,
    )


def _parts(found: FreshTable) -> Sequence[tuple[str, Sequence[FreshRow]]]:
    return (("harmful", found.harmful), ("innocent", found.innocent), ("quotations", found.quotations))


def _json(rows: Sequence[FreshRow]) -> list[dict[str, object]]:
    return [asdict(row) | {"share": row.share, "low": row.interval.low, "high": row.interval.high} for row in rows]


def _print(found: FreshTable, title: str, say: Texts) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left", box=SIMPLE)
    shown.add_column(no_wrap=True)
    for column in ("lines", "touched", "named", "deleted", "punished"):
        shown.add_column(say[f"fresh.{column}"], justify="right", no_wrap=True)
    for part, rows in _parts(found):
        shown.add_section()
        shown.add_row(say[f"fresh.{part}"])
        for row in rows:
            called = say[f"kind.{row.name}" if row.name in set(HarmKind) else f"fresh.{row.name}"]
            share = f"{100 * row.share:.1f} ({100 * row.interval.low:.1f}–{100 * row.interval.high:.1f})"
            others = (f"{100 * number / row.lines:.1f}" for number in (row.named, row.deleted, row.punished))
            shown.add_row(f"  {called}", str(row.lines), share, *others)
    Console(highlight=False, markup=False).print(shown)
