"""A report's sections -> one HTML file that needs nothing from anywhere: style, typeface, charts, script are in it."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapters.reports.pages.charts import as_picture, in_scheme
from adapters.reports.pages.look import FAMILY, font_for, glyphs
from adapters.reports.pages.section import Section
from adapters.reports.pages.sections import ROWS
from adapters.reports.pages.sections.overview.headline import Headline
from adapters.reports.pages.words import Words
from bot.core.reporting.figures import Entry

#: Whether the sections of a row stand side by side, and those of them that have something to tell.
Row = tuple[bool, Sequence[Section]]


def sections(words: Words) -> list[Row]:
    """The rows of a report's page; a period without any message has its headline only."""
    rows: list[Row] = []
    for row in ((Headline,),) if words.report.is_empty else ROWS:
        made = [section(words) for section in row]
        if shown := [section for section in made if section.is_shown]:
            rows.append((len(row) > 1, shown))
    return rows


def html(words: Words, rows: Sequence[Row], *, on_paper: bool = False) -> str:
    """`rows` is what `sections` made; the page on a screen and the one on paper show the same ones."""
    traces = _Traces([section for _, row in rows for section in row])
    page = _PAGES.get_template("page.html.j2").render(
        words=words,
        say=words.say,
        report=words.report,
        rows=rows,
        below_title=partial(_below_title, traces=traces, on_paper=on_paper),
        on_paper=on_paper,
        style="" if on_paper else Markup(_SCREEN),
        family=FAMILY,
        font="FONT",
    )
    page = page.translate(_TURNING)
    if on_paper:  # a browser has other typefaces for the rest, paper has not
        page = "".join(sign for sign in page if sign == "\n" or ord(sign) in glyphs())
    return page.replace("FONT", font_for(page), 1)


def _below_title(section: Section, traces: "_Traces", on_paper: bool) -> Markup:
    draw: Callable[[str], str] = as_picture if on_paper else in_scheme
    said = _PAGES.get_template(section.template).render(
        it=section,
        say=section.say,
        words=section.words,
        report=section.report,
        chart=Markup(draw(section.chart)) if section.chart else "",
        trace=traces,
        on_paper=on_paper,
    )
    return Markup(said)


class _Traces:
    """Short names for what a number counts (a day, a rule, a channel): a number carries the names of what it counts,
    a row of the list of incidents those of everything that counts it, and the page finds the rows of a number."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._names: dict[tuple[str, str], str] = {}

    def __call__(self, what: str, which: object = "") -> str:
        return self._names.setdefault((what, str(which)), f"{what[0]}{len(self._names)}")

    def entry(self, entry: Entry) -> str:
        found = [self(what, which) for section in self._sections for what, which in section.traces(entry)]
        return " ".join(dict.fromkeys(found))


def _pages() -> Environment:
    environment = Environment(
        loader=PackageLoader("adapters.reports", "pages"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["n"] = "{:,}".format
    environment.filters["zip"] = zip
    return environment


#: Signs in names that would turn what stands behind them around.
_TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_SCREEN = files("adapters.reports.pages").joinpath("screen.css").read_text("utf-8")
_PAGES = _pages()
