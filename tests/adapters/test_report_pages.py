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
from bot.domain.verdict import Route
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


def test_the_pdf_can_be_read(edition: Edition, report: Report) -> None:
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(edition.files[1].content)).pages
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))
    assert "주간보고" in text and f"{report.totals.seen:,}" in text and "심한모욕" in text and "시각은모두" in text


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


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_cascade_says_what_it_skipped_and_may_have_missed(language: str) -> None:
    def page(**routes: int) -> str:
        counted = {Route(name): number for name, number in routes.items()}
        made = compose("cafe", PERIOD, Figures(start=PERIOD.start, end=PERIOD.end, seen=9, routes=counted), [])
        return ReportPages().edition(made, language, with_pdf=False).files[0].content.decode()

    title = "둘째 판정기에 묻지 않은 메시지" if language == "ko" else "second guard did not see"
    assert title not in page(second=9)
    shown = page(skipped=5000, cleared=97, missed=3)
    assert title in shown
    for fact in ("5,000건은", "100건을", "3건이", "150건쯤", "51~423건") if language == "ko" else (
        "5,000 were", "Of 100", "found 3", "about 150", "51 to 423"
    ):  # fmt: skip
        assert fact in shown
    assert ("150건쯤" if language == "ko" else "about 150") not in page(skipped=5000, cleared=19), (
        "of a small sample nothing is estimated"
    )
    assert ("표본이 없어" if language == "ko" else "Without a sample") in page(skipped=5000)


def test_what_the_typeface_lacks_is_left_out_of_charts() -> None:
    assert showable("거래 🎁 $100") == "거래 $100"
    assert showable("🎁") == "?"
    assert len(font_for("가🎁")) < len(font_for("가나다라마바사")) < 10_000


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
    page.fill("#filter", "개인정보")
    shown = page.locator("#list tbody tr:not([hidden])")
    assert 0 < shown.count() < page.locator("#list tbody tr").count()
    assert all("개인정보" in text for text in shown.all_inner_texts())
    page.close()
