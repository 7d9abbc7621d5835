"""A report -> PDF, by WeasyPrint."""

import io

from weasyprint import HTML
from weasyprint.urls import URLFetcher

from adapters.report_pages.page import html
from adapters.report_pages.words import Words


def pdf(words: Words) -> bytes:
    stream = io.BytesIO()
    # Everything is in the page; a fetcher that knows only data: keeps it so.
    page = HTML(string=html(words, on_paper=True), url_fetcher=URLFetcher(allowed_protocols={"data"}))
    page.write_pdf(stream, presentational_hints=True)
    return stream.getvalue()
