"""A report -> one PNG for a phone: figures with arrows, actions per day, rules beside the period before."""

import io
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from adapters.reports.pages.charts import by_day, messages_by_day, ranking, style, trend
from adapters.reports.pages.look import ACCENT, INK, RULE, SOFT, showable
from adapters.reports.pages.words import Words

_WIDE, _HIGH = 1080, 1500  # pixels


def png(words: Words) -> bytes:
    report = words.report
    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(_WIDE / 200, _HIGH / 200), dpi=200, facecolor="white")
        figure.patches.append(
            FancyBboxPatch((0, 0.905), 1, 0.095, boxstyle="square,pad=0", facecolor=ACCENT, edgecolor="none",
                           transform=figure.transFigure)
        )  # fmt: skip
        heading = f"{words.say['report.brand']} {words.title}"
        figure.text(0.05, 0.958, heading, fontsize=15, color="white", va="center")
        _below_heading(figure, showable(report.community), words.dates)
        for place, (name, change) in enumerate(words.figures[:3]):
            left = 0.05 + place * 0.31
            figure.text(left, 0.872, name, fontsize=8.5, color=SOFT, va="center")
            figure.text(left, 0.829, f"{change.now:,}", fontsize=20, color=INK, va="center")
            note = f"{words.arrow(change)} {words.moved(change)}".strip()
            figure.text(left, 0.790, note, fontsize=10, color=ACCENT, va="center")
            figure.text(left, 0.767, words.compared(change), fontsize=7, color=SOFT, va="center")
        figure.add_artist(Line2D([0.05, 0.95], [0.745, 0.745], color=RULE, linewidth=0.8))
        if report.is_empty:
            _say(figure, words, 0.70)
        else:
            _days(figure, words)
            _below(figure, words)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
    return _packed(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()))


def _below_heading(figure: Figure, community: str, dates: str) -> None:
    """The name is cut where the dates would stick out."""
    said = figure.text(0.05, 0.925, f"{community} · {dates}", fontsize=8.5, color="white", va="center")
    name = community[:200]
    while said.get_window_extent().x1 > 0.95 * _WIDE and name:
        name = name[:-1]
        said.set_text(f"{name.rstrip()}… · {dates}")


def _packed(drawn: Image.Image) -> bytes:
    """As PNG with a palette: it holds few colours, and packs them into a third. A small copy has the same colours, and
    they are found in it sooner."""
    stream, flat = io.BytesIO(), drawn.convert("RGB")
    small = flat.resize((_WIDE // 3, _HIGH // 3), Image.Resampling.NEAREST)
    colours = small.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    flat.quantize(palette=colours, dither=Image.Dither.NONE).save(stream, format="PNG")
    return stream.getvalue()


def _days(figure: Figure, words: Words) -> None:
    what, draw = ("by_day", by_day) if words.has_actions else ("messages_by_day", messages_by_day)
    _heading(figure, 0.720, words.say[f"report.{what}"])
    if words.has_actions:
        figure.text(0.95, 0.720, words.by_day, fontsize=7.5, color=SOFT, va="center", ha="right")
    draw(figure.add_axes((0.09, 0.43, 0.86, 0.235)), words, size=7.5)


def _below(figure: Figure, words: Words) -> None:
    """What it was about; in a quiet period how it was before, and in a first one what the figures say."""
    report, lines = words.report, words.about_first(6)
    if report.live:
        _heading(figure, 0.375, words.about)
        if report.earlier:
            figure.text(0.95, 0.375, f"┃ {words.before}", fontsize=7.5, color=SOFT, va="center", ha="right")
        longest = max(len(showable(line.name)) for line in lines)
        left = min(0.42, 0.09 + 0.021 * longest * (1.5 if words.say.language == "ko" else 1))
        high = 0.295 * (0.2 + 0.8 * len(lines) / 6)
        ranking(figure.add_axes((left, 0.35 - high, 0.95 - left, high)), lines, size=8)
    elif report.earlier:
        _heading(figure, 0.375, words.say["report.trend"])
        trend(figure.add_axes((0.09, 0.08, 0.86, 0.235)), words, size=7.5)
    else:
        _say(figure, words, 0.36)


def _heading(figure: Figure, high: float, said: str) -> None:
    figure.text(0.05, high, said, fontsize=11, color=INK, va="center")


def _say(figure: Figure, words: Words, high: float) -> None:
    for line, sentence in enumerate(words.headline):
        figure.text(0.05, high - 0.045 * line, showable(sentence), fontsize=9.5, color=INK, va="center", wrap=True)
