"""A report -> one HTML file that needs nothing from anywhere: style, typeface, charts and script are in it."""

from collections.abc import Iterator
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapters.report_pages import charts
from adapters.report_pages.look import ACCENT, COLOURS, FAMILY, font_for, glyphs
from adapters.report_pages.words import GROUPS, Words
from bot.domain.report import Entry

#: How many incidents a page lists, the latest; the CSV file has all of them.
ON_SCREEN, ON_PAPER = 500, 40


def html(words: Words, *, on_paper: bool = False) -> str:
    report = words.report
    entries = list(reversed(report.live))[: ON_PAPER if on_paper else ON_SCREEN]
    page = _TEMPLATE.render(
        words=words,
        say=words.say,
        report=report,
        on_paper=on_paper,
        charts=dict(_charts(words, on_paper)),
        colours=COLOURS,
        groups=tuple(GROUPS),
        accent=ACCENT,
        hottest=max([1, *(number for row in report.incidents_by_hour for number in row)]),
        entries=[_row(entry, words) for entry in entries],
        family=FAMILY,
        font="FONT",
    )
    if on_paper:  # a browser has other typefaces for the rest, paper has not
        page = "".join(sign for sign in page if sign == "\n" or ord(sign) in glyphs())
    return page.replace("FONT", font_for(frozenset(page)), 1)


def _charts(words: Words, on_paper: bool) -> Iterator[tuple[str, Markup]]:
    report, say = words.report, words.say
    follow = str if on_paper else charts.in_scheme

    def drawn(name: str, alternative: str, draw: object, **more: float) -> tuple[str, Markup]:
        return name, Markup(follow(charts.svg(name, alternative, draw, **more)))  # type: ignore[arg-type]

    if report.earlier:
        yield drawn("trend", say["report.trend_alt"], partial(charts.trend, words=words))
    if any(stack for _, stacks in words.stacks for stack in stacks.values()):
        yield drawn("by_day", say["report.by_day_alt"], partial(charts.by_day, words=words))
    for name, lines in (("rules", report.rules), ("categories", report.categories)):
        if lines:
            height = 0.7 + 0.3 * min(8, len(lines))
            alternative = say("report.rules_alt", before=words.before)
            draw = partial(charts.ranking, words=words, lines=lines)
            yield drawn(name, alternative, draw, height=height, left=0.24)


def _row(entry: Entry, words: Words) -> dict[str, str | int]:
    return {
        "id": entry.id,
        "moment": entry.decided_at.isoformat(),
        "when": words.time(entry.decided_at),
        "channel": entry.channel,
        "who": words.bot(entry.author) if entry.bot else words.member(entry.author),
        "rule": entry.rule or "",
        "score": "" if entry.score is None else f"{entry.score:.2f}",
        "done": words.deeds(entry),
        "review": words.review(entry),
    }


_TEMPLATE = Environment(
    loader=PackageLoader("adapters", "report_pages"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=True,
).get_template("page.html.j2")
