"""Recorded guard outputs -> how they agree with their safe/unsafe labels."""

from pathlib import Path
from typing import Any

from bot.app import tools
from bot.cli.evaluation.shown import CELLS, number
from bot.cli.shown import Tabular, print_json, show
from bot.core.evaluation.measures import Confusion
from bot.core.text.catalogue import Texts

RATES = ("precision", "recall", "false_positive_rate", "f1")


def recorded(path: Path, say: Texts, *, as_json: bool) -> None:
    """Recorded guard outputs against their safe/unsafe labels."""
    fair, everything = tools.recorded_prompt_harm(path)
    if as_json:
        print_json(
            {
                "rows": fair.rows,
                "unparsed": fair.unparsed,
                "skipped_double_labelled": fair.skipped,
                "prompt_harm": _counts_json(fair.counts),
                "prompt_harm_with_double_labelled": _counts_json(everything.counts),
            }
        )
        return
    table = Tabular(
        title=say("eval.recorded", rows=fair.rows, unparsed=fair.unparsed),
        columns=["", *(say[f"eval.{column}"] for column in ("rows", *RATES))],
        rows=[
            [
                say(f"eval.{name}", skipped=fair.skipped),
                f"{counts.rows:,.0f}",
                *(number(getattr(counts, rate)) for rate in RATES),
            ]
            for name, counts in (("fair_rows", fair.counts), ("all_rows", everything.counts))
        ],
    )
    show([table])


def _counts_json(counts: Confusion) -> dict[str, Any]:
    return {rate: getattr(counts, rate) for rate in RATES} | {cell: int(getattr(counts, cell)) for cell in CELLS}
