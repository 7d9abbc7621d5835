"""Where the bars of a preset may lie: lines that the guard has not learned from, and what it makes of them, come in; a
bar for each kind of harm, and what is caught and touched with them, go out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.kinds import Judged
from adapters.guards.embedded.training.corpora import Lesson

TOUCHED = 0.04  # of innocent lines, by all bars together: less than promised, for the next pens are others
STEPS = (*(round(0.3 + 0.05 * step, 2) for step in range(14)), 0.97, 0.99)
QUOTED = 0.2  # so much of a quotation, and what is only rude is no more than shown


def chosen(probability: NDArray[np.float64], true: NDArray[np.bool_], touched: float = TOUCHED) -> NDArray[np.float64]:
    """(kinds,) the bars with which the most lines of the average kind are caught, and no more than that share of the
    innocent ones is touched. `probability`, `true`: (lines, kinds)."""
    innocent = ~_any(true)
    bars = np.full(true.shape[1], STEPS[-1])

    def reached(bars: NDArray[np.float64]) -> tuple[float, float]:
        high = _any(probability >= bars)
        return float(np.mean([high[of].mean() for of in true.T if of.any()])), float(high[innocent].mean())

    while True:  # the step down that catches most for what it touches, as long as there is one
        best, gain = None, 0.0
        caught, now = reached(bars)
        for kind in range(len(bars)):
            for step in (one for one in STEPS if one < bars[kind]):
                other = bars.copy()
                other[kind] = step
                more, then = reached(other)
                worth = (more - caught) / max(then - now, 1e-4)
                if then <= touched and worth > gain:
                    best, gain = other, worth
        if best is None:
            return bars
        bars = best


def table(lines: Sequence[Lesson], kinds: Sequence[str], judged: Judged) -> str:
    """Markdown: a row a kind with its bar, then a row a pen."""
    true = np.array([[line.says[kind] for kind in kinds] for line in lines])
    innocent, quoted = ~_any(true), np.array([line.says["quotes"] for line in lines])
    bars = chosen(judged.kinds, true)
    over = judged.kinds >= bars
    high = _any(over)
    rows = ["| kind | bar | lines | caught | innocent over it |", "|---|---|---|---|---|"]
    for column, kind in enumerate(kinds):
        of, beyond = true[:, column], over[innocent, column].mean()
        rows.append(f"| {kind} | {bars[column]:.2f} | {of.sum()} | {_share(high[of])} | {beyond:.1%} |")
    rows += ["", "| pen | lines | caught | touched |", "|---|---|---|---|"]
    pens = np.array([line.source for line in lines])
    for name, of in {"all": pens == pens, **{pen: pens == pen for pen in sorted(set(pens))}}.items():
        rows.append(f"| {name} | {of.sum()} | {_share(high[of & ~innocent])} | {_share(high[of & innocent])} |")
    told = judged.quotes >= QUOTED
    quotations = (
        f"Quotations: {_share(told[quoted])} are seen; of harmful lines that quote nobody "
        f"{_share(told[~innocent & ~quoted])} are taken for some. "
        f"Innocent quotations touched: {_share(high[innocent & quoted])}."
    )
    return "\n".join((*rows, "", quotations))


def _any(of: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(lines, kinds) -> (lines,)"""
    return np.asarray(of.any(axis=1))


def _share(of: NDArray[np.bool_]) -> str:
    return f"{of.mean():.1%}" if len(of) else "-"
