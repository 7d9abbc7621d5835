"""Labelled data -> how well a guard judges it: a table, JSON, Markdown and a picture."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot import wiring
from bot.commands.shown import print_json
from bot.domain.measures import Confusion
from bot.texts import Texts

RATES = ("precision", "recall", "false_positive_rate", "f1")


def recorded(path: Path, say: Texts, *, as_json: bool) -> None:
    """Recorded guard outputs against their safe/unsafe labels."""
    fair, everything = wiring.recorded_prompt_harm(path)
    if as_json:
        print_json(
            {
                "rows": fair.rows,
                "unparsed": fair.unparsed,
                "skipped_double_labelled": fair.skipped,
                "prompt_harm": counts_json(fair.counts),
                "prompt_harm_with_double_labelled": counts_json(everything.counts),
            }
        )
        return
    table = Table(title=say("eval.recorded", rows=fair.rows, unparsed=fair.unparsed), title_justify="left")
    table.add_column("")
    for column in ("rows", *RATES):
        table.add_column(say[f"eval.{column}"], justify="right")
    for name, counts in (("fair_rows", fair.counts), ("all_rows", everything.counts)):
        rates = (percent(getattr(counts, rate)) for rate in RATES)
        table.add_row(say(f"eval.{name}", skipped=fair.skipped), f"{counts.rows:,.0f}", *rates)
    Console(highlight=False, markup=False).print(table)


def counts_json(counts: Confusion) -> dict[str, Any]:
    cells = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    return {rate: getattr(counts, rate) for rate in RATES} | {cell: int(getattr(counts, cell)) for cell in cells}


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
