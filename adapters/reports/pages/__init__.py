"""A report -> what people see of it: three sentences, a picture for the chat, an HTML page, a PDF, a CSV file.

What draws is imported when something is drawn, not before. The PDF needs the extra `pdf` and Pango from the system;
where they are missing it is left out, and the post says so.
"""

import ctypes.util
from importlib.util import find_spec

from adapters.reports.pages import spreadsheet
from adapters.reports.pages.names import Address
from adapters.reports.pages.words import Words
from bot.core.chat.post import Attachment, Post
from bot.core.reporting.report import Report
from bot.core.text.catalogue import Texts, texts_on

#: What WeasyPrint loads from the system, by the names it is looked for under.
_LIBRARIES = {"pango-1.0": "Pango", "pangoft2-1.0": "PangoFT2", "harfbuzz-subset": "HarfBuzz-Subset"}


class ReportPages:
    """`unmasked` puts members' names where numbers would stand: for moderators, not for a channel. `address`: see
    `names.Address`."""

    def __init__(self, *, address: Address = lambda *_: "", unmasked: bool = False) -> None:
        self._address, self._unmasked = address, unmasked

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        """Takes from a fifth of a second to two, most of it for the PDF: call it in a thread."""
        from adapters.reports.pages.page import html, sections
        from adapters.reports.pages.picture import png

        words = Words(
            report,
            texts_on(report.place.platform if report.place else "", language),
            self._address,
            unmasked=self._unmasked,
        )
        name = f"jikimi-{report.period.name}"
        rows = sections(words)
        remark = no_pdf(words.say) if with_pdf else ""
        contents = {"html": html(words, rows).encode()}
        if with_pdf and not remark:
            from adapters.reports.pages.paper import pdf

            contents["pdf"] = pdf(words, rows)
        contents["csv"] = spreadsheet.rows(words).encode("utf-8-sig")  # the mark by which spreadsheets know UTF-8
        title = words.say("report.picture_alt", **words.alternative)
        return Post(
            text=" ".join(words.headline),
            picture=Attachment(name=f"{name}.png", content=png(words), description=title),
            files=tuple(
                Attachment(
                    name=f"{name}.{kind}", content=content, description=f"{words.say['report.brand']} {words.title}"
                )
                for kind, content in contents.items()
            ),
            remark=remark,
        )


def no_pdf(say: Texts) -> str:
    """Why reports have no PDF here and what to install, in one sentence; "": they have one."""
    missing = [name for file, name in _LIBRARIES.items() if not ctypes.util.find_library(file)]
    if not find_spec("weasyprint"):
        missing.insert(0, "WeasyPrint")
    return say("report.no_pdf", missing=", ".join(missing)) if missing else ""
