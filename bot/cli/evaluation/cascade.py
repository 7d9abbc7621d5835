"""`jikimi bench cascade`: labelled rows and recorded outputs -> what a cascade's first look would skip of them, and
what is missed by that."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import Outlet, Tabular
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:  # pydantic: not for `--help`
    from bot.config import Config
    from bot.core.evaluation.measures import Interval
    from bot.core.guarding.verdict import Screening

BATCH = 256


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("cascade", help=say["help.bench_cascade"])
    def command(
        data: Annotated[list[Path] | None, typer.Argument(help=say["help.eval_data"], show_default=False)] = None,
        outputs: Annotated[
            Path | None, typer.Option("--outputs", help=say["help.bench_cascade_outputs"], show_default=False)
        ] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
        markdown: Annotated[
            Path | None, typer.Option("--markdown", help=say["help.eval_markdown"], show_default=False)
        ] = None,
    ) -> None:
        if not (data or outputs):
            raise Broken(say["skipped.how"])
        outlet = Outlet(as_json=as_json, markdown=markdown)
        asyncio.run(bench_cascade(data or [], outputs, line.settings(config), say, outlet))


async def bench_cascade(
    data: Sequence[Path], outputs: Path | None, config: "Config", say: Texts, outlet: "Outlet"
) -> None:
    """No second guard is asked."""
    from bot.app import guards, tools
    from bot.core.evaluation.skipping import skipping

    rows = [row for path in data for row in tools.labelled(path)]
    rows += tools.recorded_exchanges(outputs) if outputs else []
    first, below = guards.first_look(), config.guard.skip_below
    screenings: list[Screening] = []
    for start in range(0, len(rows), BATCH):
        screenings += await first.judge([row.exchange for row in rows[start : start + BATCH]])
    found = skipping(rows, screenings, below=below)
    table = Tabular(
        title=say("skipped.title", guard=f"{first.version.name} {first.version.model}", below=below),
        columns=["", *(say[f"skipped.{column}"] for column in ("what", "rows", "low", "harmful", "missed"))],
        rows=[
            [
                say.get(f"skipped.{one.source}", one.source),
                say["skipped.chat" if one.is_chat else "skipped.of_an_llm"],
                f"{one.rows:,}",
                _share(one.low, one.rows, one.low_share),
                f"{one.harmful:,}",
                _share(one.missed, one.harmful, one.missed_share),
            ]
            for one in found
        ],
        notes=[say["skipped.note"]],
    )
    sources = [
        asdict(one)
        | {"low_share": asdict(one.low_share), "missed_share": (share := one.missed_share) and asdict(share)}
        for one in found
    ]
    outlet.take({"guard": asdict(first.version), "below": below, "sources": sources}, [table])


def _share(part: int, whole: int, interval: "Interval | None") -> str:
    if interval is None:
        return "-"
    return f"{part:,}: {100 * part / whole:.1f} ({100 * interval.low:.1f}–{100 * interval.high:.1f})"
