"""A report -> PDF, by WeasyPrint."""

import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from weasyprint import CSS, HTML
from weasyprint.urls import URLFetcher

from adapters.reports.pages.page import Row, html
from adapters.reports.pages.words import Words


def pdf(words: Words, rows: Sequence[Row]) -> bytes:
    stream = io.BytesIO()
    page = HTML(string=html(words, rows, on_paper=True), url_fetcher=_fetcher())
    page.write_pdf(stream, stylesheets=[_style()], pdf_tags=True)  # readers that speak follow the headings
    return stream.getvalue()


@lru_cache
def _fetcher() -> Any:
    """Everything is in the page; a fetcher that knows only data: keeps it so."""
    return URLFetcher(allowed_protocols={"data"})


@lru_cache
def _style() -> Any:
    """Read once: parsing it takes as long as laying out a page."""
    return CSS(string=files("adapters.reports.pages").joinpath("paper.css").read_text("utf-8"))
