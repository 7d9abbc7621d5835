"""A report's figures -> matplotlib charts: drawn onto axes, or as SVG whose colours follow the page's scheme."""

import io
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache, partial
from html import escape
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adapters.reports.pages.look import ACCENT, COLOURS, FAMILY, INK, PAPER, RULE, SCHEME, SOFT, font_file, showable
from adapters.reports.pages.words import GROUPS, Words
from bot.core.reporting.rankings import Line

_MOST = 8  # bars of a ranking


@lru_cache
def style() -> Any:
    """Settings for matplotlib.rc_context."""
    font_manager.fontManager.addfont(font_file())
    return {
        "font.family": [FAMILY],
        "text.parse_math": False,  # a channel may well be called $$$
        "axes.unicode_minus": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "jikimi",
        "text.color": INK,
        "axes.labelcolor": SOFT,
        "axes.edgecolor": RULE,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": SOFT,
        "ytick.labelcolor": SOFT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "grid.color": RULE,
    }


def by_day(axes: Axes, words: Words, *, size: float = 9) -> None:
    """Actions of each day, stacked."""
    days = [of for of, _ in words.stacks]
    bottom = [0] * len(days)
    for group in GROUPS:
        heights = [stack[group] for _, stack in words.stacks]
        label = words.say[f"report.kind_{group}"]
        axes.bar(
            range(len(days)), heights, bottom=bottom, color=COLOURS[group], edgecolor=PAPER, linewidth=0.8, width=0.72,
            label=label,
        )  # fmt: skip
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for place, total in enumerate(bottom if len(days) <= 10 else ()):
        if total:
            axes.text(place, total, f"{total:,}", ha="center", va="bottom", fontsize=size, color=INK)
    _day_axis(axes, words, days, max([*bottom, 1]), size)
    _legend(axes, size)


def messages_by_day(axes: Axes, words: Words, *, size: float = 9) -> None:
    """Messages of each day, for a period in which nothing was done."""
    days = list(words.report.messages_by_day)
    heights = list(words.report.messages_by_day.values())
    axes.bar(range(len(days)), heights, color=ACCENT, width=0.72)
    for place, height in enumerate(heights if len(days) <= 10 else ()):
        if height:
            axes.text(place, height, f"{height:,}", ha="center", va="bottom", fontsize=size, color=INK)
    _day_axis(axes, words, days, max([*heights, 1]), size)


def ranking(axes: Axes, lines: Sequence[Line], *, size: float = 9) -> None:
    """Bars from the top, with a mark where the period before was."""
    shown = lines[:_MOST]
    places = range(len(shown))
    axes.barh(places, [line.count for line in shown], color=ACCENT, height=0.62)
    top = max([1, *(line.count for line in shown), *(line.before or 0 for line in shown)])
    for place, line in zip(places, shown, strict=True):
        if line.before is not None:
            axes.plot([line.before] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=2, solid_capstyle="butt")
        # in a column of its own: beside a mark it would read as the mark's
        axes.text(top * 1.16, place, f"{line.count:,}", va="center", ha="right", fontsize=size, color=INK)
    axes.set_yticks(places, [_short(showable(line.name)) for line in shown], fontsize=size)
    axes.set_xlim(0, top * 1.16)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)


def ranking_svg(name: str, lines: Sequence[Line], words: Words) -> str:
    """As high as there are lines."""
    height = 0.2 + 0.32 * min(_MOST, len(lines))
    alternative = words.say("report.rules_alt", before=words.before)
    return svg(name, alternative, partial(ranking, lines=lines), height=height, left=0.34, around=0.1)


def trend(axes: Axes, words: Words, *, size: float = 9) -> None:
    """Incidents, and those acted on, of the periods before and of this one."""
    report = words.report
    periods = [*reversed(report.earlier), (report.period, report.totals)]
    width = 0.36
    for shift, pick, colour, label in (
        (-width / 2, "flagged", ACCENT, "report.flagged"),
        (width / 2, "acted", COLOURS["delete"], "report.acted"),
    ):
        heights = [getattr(totals, pick) for _, totals in periods]
        places = [place + shift for place in range(len(periods))]
        axes.bar(places, heights, width=width, color=colour, edgecolor=PAPER, linewidth=0.8, label=words.say[label])
        for place, height in zip(places, heights, strict=True):
            axes.text(place, height, f"{height:,}", ha="center", va="bottom", fontsize=size, color=INK)
    axes.set_xticks(range(len(periods)), [words.days(period) for period, _ in periods], fontsize=size)
    axes.set_ylim(0, max([1, *(totals.flagged for _, totals in periods)]) * 1.18)
    _count_axis(axes, size)
    _legend(axes, size)


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def svg(
    name: str, alternative: str, draw: Callable[[Axes], None], *, height: float = 2.4, left: float = 0.1,
    around: float = 0.3,
) -> str:  # fmt: skip
    """A chart for a page: 4.2 inches wide, `height` inches high, `around` of them above and below for words; `name`
    sets its ids apart from other charts'."""
    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(4.2, height))
        draw(figure.add_axes((left, around / height, 0.98 - left, 1 - 2 * around / height)))
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    box = f"0 0 {72 * 4.2:g} {72 * height:g}"
    shapes = _plain(stream.getvalue(), name)
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(alternative)}">{shapes}</svg>'


def _plain(drawn: str, name: str) -> str:
    """The shapes of matplotlib's SVG, without groups that group nothing and with attributes for style: half as long,
    and laid out on paper in half the time."""
    shapes = drawn[drawn.index("</metadata>") + len("</metadata>") : drawn.rindex("</svg>")]
    shapes = re.sub(r"<style.*?</style>|<defs>\s*</defs>|</?g(?: id=\"[^\"]*\")?/?>", "", shapes, flags=re.S)
    shapes = re.sub(r'<path d="[^"]*" style="fill: none"/>| transform="rotate\(-0 [^"]*"', "", shapes)
    shapes = re.sub(r' style="([^"]*)"', _as_attributes, shapes)
    shapes = re.sub(r'(\bid="|url\(#)', rf"\1{name}-", shapes)
    return re.sub(r"\s+", " ", shapes)


def _as_attributes(style: re.Match[str]) -> str:
    pairs = (one.partition(": ") for one in style[1].split("; "))
    return "".join(f' {name}="{value}"' for name, _, value in pairs)


def in_scheme(drawn: str) -> str:
    """The chart with the page's variables for its colours; a page on paper has no scheme to follow."""
    for colour, variable in SCHEME.items():
        drawn = drawn.replace(colour, variable)
    return drawn


def as_picture(drawn: str) -> str:
    """The chart as a picture: laying out paper then does not ask of every shape how it is styled."""
    named = drawn.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    alternative = re.search('aria-label="([^"]*)"', drawn)
    words, content = alternative[1] if alternative else "", b64encode(named.encode()).decode()
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{content}">'


def _day_axis(axes: Axes, words: Words, days: Sequence[date], highest: int, size: float) -> None:
    every = max(1, -(-len(days) // 8))
    axes.set_xticks(range(0, len(days), every), [words.day(of) for of in days[::every]], fontsize=size - 1)
    axes.set_ylim(0, highest * 1.15)
    _count_axis(axes, size)


def _legend(axes: Axes, size: float) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        frameon=False,
        fontsize=size,
        handlelength=1,
        handleheight=1,
        borderaxespad=0.2,
        columnspacing=1.4,
        labelcolor=SOFT,
    )


def _count_axis(axes: Axes, size: float) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=size)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
