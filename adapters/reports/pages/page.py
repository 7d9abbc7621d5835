"""A report -> one HTML file that needs nothing from anywhere: style, typeface, charts and script are in it."""

from collections.abc import Mapping
from functools import partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapters.reports.pages.charts import as_picture, by_day, in_scheme, messages_by_day, ranking, svg, trend
from adapters.reports.pages.look import ACCENT, FAMILY, font_for, glyphs
from adapters.reports.pages.words import GROUPS, Words
from bot.core.reporting.report import Entry, Line

#: How many incidents a page lists, the latest; the CSV file has all of them.
ON_SCREEN, ON_PAPER = 500, 34

_SHADES = 5


def html(words: Words, drawn: Mapping[str, str], *, on_paper: bool = False) -> str:
    """`drawn` is what `drawings` made."""
    report = words.report
    entries = list(reversed(report.live))[: ON_PAPER if on_paper else ON_SCREEN]
    hottest = max([1, *(len(numbers) for row in report.incidents_by_hour for numbers in row)])
    traces = _Traces(words)
    page = _TEMPLATE.render(
        words=words,
        say=words.say,
        report=report,
        on_paper=on_paper,
        charts={name: Markup(as_picture(svg) if on_paper else in_scheme(svg)) for name, svg in drawn.items()},
        style="" if on_paper else Markup(_SCREEN),
        groups=tuple(GROUPS),
        accent=ACCENT,
        shade=lambda count: -(-_SHADES * count // hottest),
        trace=traces.of,
        entries=[_row(entry, words, traces) for entry in entries],
        family=FAMILY,
        font="FONT",
    )
    if on_paper:  # a browser has other typefaces for the rest, paper has not
        page = "".join(sign for sign in page if sign == "\n" or ord(sign) in glyphs())
    return page.replace("FONT", font_for(page), 1)


class _Traces:
    """Short names for what a number counts (a day, a rule, a channel): a number carries the names of what it counts,
    a row of the list of incidents those of everything that counts it, and the page finds the rows of a number."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._names: dict[tuple[str, str], str] = {}

    def of(self, what: str, which: object = "") -> str:
        return self._names.setdefault((what, str(which)), f"{what[0]}{len(self._names)}")

    def of_entry(self, entry: Entry) -> str:
        moment = self._words.local(entry.decided_at)
        found = [
            self.of("day", moment.date()),
            self.of("hour", f"{moment.weekday()} {moment.hour}"),
            self.of("rule", entry.rule),
            self.of("channel", entry.channel),
            self.of("author", entry.author),
            *(self.of("category", name) for name in entry.categories),
            *(self.of("kind", name) for name, kinds in GROUPS.items() if _has_done(entry, kinds)),
        ]
        if entry.is_acted:
            found.append(self.of("acted"))
        if entry.ruling:
            found += [self.of("reviewed"), self.of("moderator", entry.ruling.moderator)]
        if entry.is_overturned:
            found.append(self.of("overturned"))
        if entry.appealed:
            found.append(self.of("appealed"))
        return " ".join(found)


def _has_done(entry: Entry, kinds: tuple[str, ...]) -> bool:
    return any(deed.is_done and deed.kind in kinds for deed in entry.deeds)


def drawings(words: Words) -> Mapping[str, str]:
    """The charts, each as SVG: the page on a screen and the one on paper show the same."""
    report, say = words.report, words.say
    drawn: dict[str, str] = {}
    if report.is_empty:
        return drawn
    if report.earlier:
        drawn["trend"] = svg("trend", say["report.trend_alt"], partial(trend, words=words))
    if words.has_actions:
        drawn["by_day"] = svg("by_day", say["report.by_day_alt"], partial(by_day, words=words))
    elif len(report.messages_by_day) > 1:
        drawn["by_day"] = svg("by_day", say["report.messages_by_day"], partial(messages_by_day, words=words))
    rankings = (("rules", report.rules, words.rule), ("categories", report.categories, str))
    for name, lines, called in rankings if report.live else ():
        if lines:
            shown = [Line(name=called(line.name), incidents=line.incidents, before=line.before) for line in lines]
            height = 0.2 + 0.32 * min(8, len(lines))
            alternative = say("report.rules_alt", before=words.before)
            draw = partial(ranking, lines=shown)
            drawn[name] = svg(name, alternative, draw, height=height, left=0.34, around=0.1)
    return drawn


def _row(entry: Entry, words: Words, traces: _Traces) -> dict[str, str | int]:
    return {
        "id": entry.id,
        "moment": int(entry.decided_at.timestamp()),
        "when": words.time(entry.decided_at),
        "channel": words.channel(entry.channel),
        "who": words.bot(entry.author) if entry.bot else words.member(entry.author),
        "rule": words.rule(entry.rule or ""),
        "score": "" if entry.score is None else f"{entry.score:.2f}",
        "done": words.deeds(entry),
        "review": words.review(entry),
        "traces": traces.of_entry(entry),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("adapters.reports", "pages"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["n"] = "{:,}".format
    return environment


_SCREEN = files("adapters.reports.pages").joinpath("screen.css").read_text("utf-8")
_TEMPLATE = _environment().get_template("page.html.j2")
