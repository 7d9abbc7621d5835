"""A report -> what people see of it: three sentences, a picture for the chat, an HTML page, a PDF, a CSV file.

Needs the libraries of the extra `report`; they are imported when something is drawn, not before.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.report_pages.words import Words
from bot.domain.report import Attachment, Edition, Report
from bot.errors import Broken
from bot.texts import texts


class ReportPages:
    """`unmasked` puts members' names where numbers would stand: for moderators, not for a channel."""

    def __init__(self, *, unmasked: bool = False) -> None:
        self._unmasked = unmasked

    def edition(self, report: Report, language: str, *, with_pdf: bool = True) -> Edition:
        """Takes from a fifth of a second to two, most of it for the PDF: call it in a thread. Broken: a library is
        missing."""
        words = Words(report, texts(language), unmasked=self._unmasked)
        with _libraries(words):
            from adapters.report_pages.page import drawings, html
            from adapters.report_pages.picture import png

            name = f"jikimi-{report.period.name}"
            title = words.say("report.picture_alt", **words.alternative)
            drawn = drawings(words)
            page = html(words, drawn)
            files = [Attachment(name=f"{name}.html", content=page.encode(), description=words.title)]
            if with_pdf:
                from adapters.report_pages.paper import pdf

                files.append(Attachment(name=f"{name}.pdf", content=pdf(words, drawn), description=words.title))
            rows = words.csv().encode("utf-8-sig")  # the mark by which spreadsheets know UTF-8
            files.append(Attachment(name=f"{name}.csv", content=rows, description=words.title))
            return Edition(
                text=" ".join(words.headline),
                picture=Attachment(name=f"{name}.png", content=png(words), description=title),
                files=tuple(files),
            )


@contextmanager
def _libraries(words: Words) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise Broken(words.say("report.no_library", name=error.name or "?")) from None
    except OSError as error:  # WeasyPrint looks for Pango when it is imported
        if "pango" not in str(error).lower() and "gobject" not in str(error).lower():
            raise
        raise Broken(words.say("report.no_library", name="Pango")) from None
