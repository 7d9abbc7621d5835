"""The report as people get it: opened in a real browser, read back from the PDF, drawn with every sign there."""

import asyncio
import csv
import io
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("weasyprint", exc_type=OSError)

from adapters.report_pages import ReportPages
from adapters.report_pages.look import font_for, showable
from bot.domain.periods import parse
from bot.domain.report import Edition, Figures, Report, compose
from bot.pipeline.reporting import report_on
from storage.chronicle import SqlChronicle
from storage.database import Database
from tests import demo_data
from tests.fakes import ManualClock

PERIOD = parse("2026-W47", "Asia/Seoul")
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    url = f"sqlite:///{tmp_path_factory.mktemp('demo') / 'jikimi.db'}"

    async def made() -> Report:
        await demo_data.write_year(url, weeks=5)
        async with Database.open(url, ManualClock()) as database:
            return await report_on(SqlChronicle(database), demo_data.COMMUNITY, "게임 라운지 🎮 $1", PERIOD)

    return asyncio.run(made())


@pytest.fixture(scope="module")
def edition(report: Report) -> Edition:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # matplotlib warns of a missing glyph
        return ReportPages().edition(report, "ko")


def test_every_bots_answers_are_told_and_the_worst_shown_masked(edition: Edition, report: Report) -> None:
    page = edition.files[0].content.decode()
    assert len(report.pairs) == 3 and report.pairs[0][0] == "" and report.worst_answers
    for words in ("공략도우미", "번역이", "무해한 질문인데 거절함", "유해한 질문에 답함", "가장 나쁜 답변"):
        assert words in page
    assert "(보○○ 지○○ 질○)" in page and "보기로 지어낸" not in page
    assert sum(counts.judged for _, counts in report.pairs[1:]) == report.pairs[0][1].judged == report.totals.answers


def test_the_pdf_can_be_read(edition: Edition, report: Report) -> None:
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(edition.files[1].content)).pages
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))
    assert "주간보고" in text and f"{report.totals.seen:,}" in text and "severe-abuse" in text and "시각은모두" in text


def test_the_picture_is_made_for_a_phone(edition: Edition) -> None:
    content = edition.picture.content
    assert content.startswith(b"\x89PNG")
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (1080, 1500)


def test_the_file_names_every_incident_and_no_member(edition: Edition, report: Report) -> None:
    rows = list(csv.reader(io.StringIO(edition.files[2].content.decode("utf-8-sig"))))
    assert [int(row[0]) for row in rows[1:]] == [entry.id for entry in report.figures.entries]
    for entry in report.figures.entries:
        assert entry.bot or entry.author_name not in edition.files[2].content.decode()
    assert "보기로 지어낸" not in edition.files[0].content.decode()


def test_formulas_stay_text(report: Report) -> None:
    entry = replace(report.figures.entries[0], channel="=1+1")
    made = compose("c", PERIOD, replace(report.figures, entries=(entry,)), [])
    assert "'=1+1" in ReportPages().edition(made, "en", with_pdf=False).files[1].content.decode()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_empty_and_first_weeks_have_words_of_their_own(language: str) -> None:
    nothing = Figures(start=PERIOD.start, end=PERIOD.end)
    empty = ReportPages().edition(compose("cafe", PERIOD, nothing, []), language)
    quiet = ReportPages().edition(compose("cafe", PERIOD, replace(nothing, seen=3), []), language, with_pdf=False)
    assert empty.text != quiet.text and "%" not in empty.text + quiet.text
    assert ("첫 보고" if language == "ko" else "first report") in quiet.text


def test_what_the_typeface_lacks_is_left_out_of_charts() -> None:
    assert showable("거래 🎁 $100") == "거래 $100"
    assert showable("🎁") == "?"
    assert font_for(frozenset("가")).startswith("data:font/woff2;base64,")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("There is no chromium on this machine.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole_accessible_and_asks_nobody(
    browser: Any, edition: Edition, tmp_path: Path, scheme: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    (tmp_path / "report.html").write_bytes(edition.files[0].content)
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    address = (tmp_path / "report.html").as_uri()
    page.goto(address)
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Noto Sans KR\"', '지킴이'))")
    found = Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found if violation["impact"] in ("serious", "critical")] == []
    assert [url for url in asked if not url.startswith("data:")] == [address] and not troubles
    page.close()


def test_the_list_sorts_and_filters(browser: Any, edition: Edition, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_bytes(edition.files[0].content)
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    first = "#list tbody tr:first-child td:first-child"
    newest = page.inner_text(first)
    page.click("#list thead button >> nth=0")
    oldest = page.inner_text(first)
    assert int(oldest[1:]) < int(newest[1:])
    page.fill("#filter", "doxxing")
    shown = page.locator("#list tbody tr:not([hidden])")
    assert 0 < shown.count() < page.locator("#list tbody tr").count()
    assert all("doxxing" in text for text in shown.all_inner_texts())
    page.close()
