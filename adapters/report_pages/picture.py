"""A report -> one PNG for a phone: figures with arrows, actions per day, rules beside the period before."""

import io

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from adapters.report_pages.charts import by_day, messages_by_day, ranking, style
from adapters.report_pages.look import ACCENT, INK, RULE, SOFT, showable
from adapters.report_pages.words import Words

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
        about = showable(f"{report.community} · {words.dates}")
        figure.text(0.05, 0.925, about, fontsize=8.5, color="white", va="center")
        for place, (name, change) in enumerate(words.figures[:3]):
            left = 0.05 + place * 0.31
            figure.text(left, 0.872, name, fontsize=8.5, color=SOFT, va="center")
            figure.text(left, 0.829, f"{change.now:,}", fontsize=20, color=INK, va="center")
            note = f"{words.arrow(change)} {words.moved(change)}" if change.before is not None else ""
            figure.text(left, 0.790, note, fontsize=10, color=ACCENT, va="center")
            figure.text(left, 0.767, words.compared(change), fontsize=7, color=SOFT, va="center")
        days = "report.by_day" if words.has_actions else "report.messages_by_day"
        figure.add_artist(Line2D([0.05, 0.95], [0.745, 0.745], color=RULE, linewidth=0.8))
        figure.text(0.05, 0.720, words.say[days], fontsize=11, color=INK, va="center")
        draw = by_day if words.has_actions else messages_by_day
        draw(figure.add_axes((0.08, 0.43, 0.87, 0.235)), words, size=7.5)
        lines = [line for line in words.kinds if line.count or line.before][:6]
        figure.text(0.05, 0.375, words.say["report.kinds"], fontsize=11, color=INK, va="center")
        if report.live and lines:
            if report.earlier:
                figure.text(0.95, 0.375, f"┃ {words.before}", fontsize=7.5, color=SOFT, va="center", ha="right")
            longest = max(len(showable(line.name)) for line in lines)
            left = min(0.42, 0.09 + 0.021 * longest * (1.5 if words.say.language == "ko" else 1))
            high = 0.295 * (0.2 + 0.8 * len(lines) / 6)
            ranking(figure.add_axes((left, 0.35 - high, 0.95 - left, high)), lines, size=8)
        else:
            figure.text(0.05, 0.335, words.headline[0], fontsize=8.5, color=SOFT, va="center", wrap=True)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    return stream.getvalue()
