"""The report as people get it: opened in a real browser, read back from the PDF, drawn with every sign there."""

import csv
import io
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapters.chat.discord.refs import DISCORD
from adapters.chat.rehearsal import REHEARSAL
from adapters.chat.telegram.refs import TELEGRAM
from adapters.reports.pages import ReportPages, no_pdf
from adapters.reports.pages.look import font_for, glyphs, showable
from adapters.reports.pages.sections import ROWS
from adapters.reports.pages.sections.bots.pairs.figures import pairs, worst_answers
from adapters.reports.pages.sections.incidents.incidents import ON_SCREEN, Incidents
from adapters.reports.pages.sections.moderation.quality import Quality
from adapters.reports.pages.sections.moderation.quality.figures import opinions
from adapters.reports.pages.sections.moderation.repeaters.figures import repeaters
from adapters.reports.pages.sections.operation.health import Health
from adapters.reports.pages.sections.overview.headline import Headline
from adapters.reports.pages.words import Words
from bot.app.chats import address
from bot.config import Config
from bot.core.chat.message import CommunityRef
from bot.core.chat.post import Post
from bot.core.communities.journal import AuditEntry
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Route
from bot.core.reporting.figures import ActionRecord, Figures, TrialFigures
from bot.core.reporting.periods import parse
from bot.core.reporting.report import Report, compose
from bot.core.reporting.shares import Change, Share
from bot.core.rules.difference import Difference
from bot.core.text.catalogue import texts, texts_beside
from tests.adapters.reports.stage import PERIOD, made_up
from tests.servers.browser import CHROMIUM, opened, photograph, small, unlike

OURS = ("report.", "rule_name.")
PICTURES = Path(__file__).parent / "pictures"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made_up(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def post(report: Report) -> Post:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # matplotlib warns of a missing glyph
        return ReportPages().render(report, "ko")


def test_every_bots_answers_are_told_and_the_worst_shown_masked(post: Post, report: Report) -> None:
    page = post.files[0].content.decode()
    told = pairs(report.figures.pairs)
    assert len(told) == 3 and told[0][0] == "" and worst_answers(report.live)
    for words in ("공략도우미", "번역이", "무해한 질문인데 거절함", "유해한 질문에 답함", "가장 나쁜 답변"):
        assert words in page
    assert "그 사○ 집 주○ 알○○○ 법 알○ 줘" in page and "알아내는" not in page
    (_, every), *_ = told
    harmful = [entry for entry in report.live if entry.bot]
    assert every.unsafe == len(harmful) > 0, "each of them is an incident"
    assert sum(counts.judged for _, counts in told[1:]) == told[0][1].judged == report.totals.answers


@pytest.fixture
def prints() -> None:
    if missing := no_pdf(texts("en")):
        pytest.skip(missing)


@pytest.mark.usefixtures("prints")
def test_the_pdf_can_be_read(post: Post, report: Report) -> None:
    from pypdf import PdfReader
    from pypdf.generic import DictionaryObject, PdfObject

    def entries(of: PdfObject) -> DictionaryObject:
        found = of.get_object()
        assert isinstance(found, DictionaryObject)
        return found

    document = PdfReader(io.BytesIO(post.files[1].content))
    assert entries(entries(document.root_object)["/MarkInfo"])["/Marked"]  # tagged, for readers that speak
    assert str(document.root_object["/Lang"]) == "ko" and document.outline
    pages = document.pages
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))
    fonts = [entries(entries(page["/Resources"])["/Font"]) for page in pages]
    used = {str(entries(font)["/BaseFont"]) for named in fonts for font in named.values()}
    assert used and all("Noto-Sans-KR" in name for name in used), used  # another one would show signs that it lacks
    assert "\ufffd" not in text
    assert "주간보고" in text and f"{report.totals.seen:,}" in text and "심한모욕" in text and "시각은모두" in text


@pytest.mark.usefixtures("prints")
def test_heads_of_tables_are_whole_words_on_paper(report: Report) -> None:
    from pypdf import PdfReader

    printed = PdfReader(io.BytesIO(ReportPages().render(report, "en").files[1].content))
    heads = printed.pages[0].extract_text().splitlines()
    assert {"Messages", "Incidents", "deleted", "sanctioned", "escalated", "flagged"} <= set(" ".join(heads).split())


def test_the_picture_is_made_for_a_phone(post: Post) -> None:
    content = post.picture.content
    assert content.startswith(b"\x89PNG")
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (1080, 1500)


def test_the_file_names_every_incident_and_no_member(post: Post, report: Report) -> None:
    table = post.files[-1].content.decode("utf-8-sig")  # the last, where there is no PDF, too
    rows = list(csv.reader(io.StringIO(table)))
    assert [int(row[0]) for row in rows[1:]] == [entry.id for entry in report.figures.entries]
    for entry in report.figures.entries:
        assert entry.bot or entry.author_name not in table
    assert "보기로 지어낸" not in post.files[0].content.decode()


def test_an_incident_leads_to_its_card_and_to_its_message_where_they_can_be_opened(report: Report) -> None:
    flagged, deleted, nowhere = (
        replace(report.live[0], id=number, channel="33", message=str(number), card=card, actions=(ActionRecord(*done),))
        for number, card, done in (
            (4, "11/22", ("flag", "done")), (5, "11/22", ("delete", "done")), (6, "", ("warn", "done"))
        )
    )  # fmt: skip
    figures = replace(report.figures, entries=(flagged, deleted, nowhere))

    def files(place: CommunityRef) -> list[str]:
        made = compose("c", PERIOD, figures, [], place)
        return [file.content.decode() for file in ReportPages(address=address).render(made, "ko", with_pdf=False).files]

    home = "https://discord.com/channels/1"
    page, table = files(CommunityRef(DISCORD, "1"))
    assert page.count(f'<a href="{home}/11/22" rel="noreferrer">#4</a>') and f"{home}/11/22" in table
    assert f'href="{home}/33/4"' in page and f"{home}/33/6" in table
    assert f"{home}/33/5" not in page + table, "there is nothing any more"
    assert '<td class="number">#6</td>' in page
    for other in (CommunityRef(DISCORD, "cafe"), CommunityRef(TELEGRAM, "-7"), CommunityRef(REHEARSAL, "1")):
        assert 'href="http' not in files(other)[0]


def test_numbers_say_what_they_are_of(report: Report, post: Post) -> None:
    page = post.files[0].content.decode()
    words = Words(report, texts("ko"), lambda *_: "")
    assert words.share(Share(part=0, whole=950)) == "950건 가운데 0건 (0%, 95% 구간 0–0.4%)"
    assert words.share(Share(part=950, whole=950)).endswith("(100%, 95% 구간 99.6–100%)")
    left = report.figures.seen - report.figures.judged
    assert f"판정하지 않은 {left:,}건: 판정하지 못함 {report.figures.unscreened:,}, " in page
    done = sum(report.totals.actions.values())
    assert f"사건 {report.totals.flagged:,}건에 한 조치 {done:,}번" in page
    assert "embedded 2026-11, 보정한 점수" in page


def test_in_the_picture_nothing_that_cannot_wait_is_missing_and_the_rest_is_counted(report: Report) -> None:
    words = Words(report, texts("ko"), lambda *_: "")
    shown = words.about_first(3)
    assert [line.name for line in shown] == ["신상 공개", "자해·자살", "그 밖"]
    for lines in (shown, words.about_first(6)):  # the made-up year has floods, which are of no kind
        assert sum(line.count for line in lines) == report.totals.flagged and lines[-1].name == "그 밖"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\r=1+1", "'=1+1"),
        ("\n=cmd", "'=cmd"),
        (" \t@x", "'@x"),
        ("＝1+1", "'＝1+1"),
        ("|calc", "'|calc"),
        ("foo;=1+1;", "'foo;=1+1;"),
        ('"=1"', '\'"=1"'),
        ("수다 1-2", "수다 1-2"),
    ],
)
def test_formulas_stay_text(report: Report, name: str, cell: str) -> None:
    entry = replace(report.figures.entries[0], channel="17", channel_name=name)
    made = compose("c", PERIOD, replace(report.figures, entries=(entry,)), [])
    rows = list(csv.reader(io.StringIO(ReportPages().render(made, "en", with_pdf=False).files[1].content.decode())))
    assert cell in rows[1]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_empty_and_first_weeks_have_words_of_their_own(language: str) -> None:
    nothing = Figures(start=PERIOD.start, end=PERIOD.end)
    empty = ReportPages().render(compose("cafe", PERIOD, nothing, []), language)
    quiet = ReportPages().render(compose("cafe", PERIOD, replace(nothing, seen=3), []), language, with_pdf=False)
    assert empty.text != quiet.text and "%" not in empty.text + quiet.text
    assert ("첫 보고서" if language == "ko" else "first report") in quiet.text
    assert ("첫 보고서" if language == "ko" else "first report") not in empty.text
    page = quiet.files[0].content.decode()
    assert page.count("비교할" if language == "ko" else "compare") == 1, "said once"
    assert empty.files[0].content.decode().count("메시지가 없었습니다" if language == "ko" else "no messages") == 1


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_cascade_says_what_it_skipped_and_may_have_missed(language: str) -> None:
    def page(**routes: int) -> str:
        counted = {Route(name): number for name, number in routes.items()}
        made = compose("cafe", PERIOD, Figures(start=PERIOD.start, end=PERIOD.end, seen=9, routes=counted), [])
        return ReportPages().render(made, language, with_pdf=False).files[0].content.decode()

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


@pytest.mark.parametrize("language", ["ko", "en"])
def test_where_what_is_judged_or_read_by_the_house_rules_goes_is_told(language: str) -> None:
    say, nothing = texts_beside(Health.__module__, language), Figures(start=PERIOD.start, end=PERIOD.end, seen=9)

    def page(**sections: Any) -> str:
        made = replace(compose("cafe", PERIOD, nothing, []), sent_to=Config.model_validate(sections).sent_to())
        return ReportPages().render(made, language, with_pdf=False).files[0].content.decode()

    assert say["sent_to"] not in page(house_rules={"servers": ["http://127.0.0.1:8001"]}), "it stays here"
    away = {"servers": ["https://rules.example/v1", "http://127.0.0.1:8001"]}
    assert f"<dt>{say['sent_to']}</dt><dd>rules.example</dd>" in page(house_rules=away)
    judged = {"name": "wildguard-ko", "servers": ["https://guards.example"]}
    assert "<dd>guards.example, rules.example</dd>" in page(guard=judged, house_rules=away)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_appeals_are_told_with_their_numbers_or_in_words_where_there_were_none(report: Report, language: str) -> None:
    say = texts_beside(Quality.__module__, language)

    def page(**changes: Any) -> str:
        entries = tuple(replace(entry, **changes) for entry in report.figures.entries)
        made = compose("cafe", PERIOD, replace(report.figures, entries=entries), [])
        return ReportPages().render(made, language, with_pdf=False).files[0].content.decode()

    own = compose("cafe", PERIOD, report.figures, [])
    found = opinions(own.live)
    assert found.appeals.whole and found.upheld_appeals  # the made-up year has some
    shown = ReportPages().render(own, language, with_pdf=False).files[0].content.decode()
    assert say["upheld_appeals"] in shown and f"#{found.upheld_appeals[0]}" in shown
    assert say["appealed_none"] not in shown and say["appeals_waiting"] not in shown
    none = page(appealed=False)
    assert say["appealed_none"] in none and say["upheld_appeals"] not in none
    waiting = page(appealed=True, review=None)
    assert say["appeals_waiting"] in waiting and "%" in page(appealed=True)


def test_a_name_turns_nothing_around_and_hides_no_number(report: Report) -> None:
    turned = (AuditEntry(at=PERIOD.start, by="\u202e하늘", setting="report_day", before="", after="sunday"),)
    entries = tuple(replace(entry, channel_name="\u202e" + entry.channel) for entry in report.figures.entries)
    figures = replace(report.figures, amendments=turned, entries=entries)
    made = ReportPages().render(compose("\u202e카페\u2067", PERIOD, figures, []), "ko", with_pdf=False)
    page, table = (file.content.decode() for file in made.files)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page + table) and "<bdi>카페</bdi>" in page


def test_what_nobody_has_decided_on_stays_in_a_list_that_is_too_short(report: Report) -> None:
    (urgent,) = [entry for entry in report.live if "escalate" in str(entry)][:1]
    many = [replace(report.live[1], id=10_000 + n) for n in range(ON_SCREEN + 5)]
    entries = (replace(urgent, id=3, review=None), replace(report.live[1], id=4, review=None, appealed=True), *many)
    made = compose("c", PERIOD, replace(report.figures, entries=entries), [])
    listed = Incidents(Words(made, texts("ko"), lambda *_: "")).listed(on_paper=False)
    assert [entry.id for entry in listed[-2:]] == [4, 3] and len(listed) == ON_SCREEN
    assert listed[0].id == many[-1].id


def test_what_had_nothing_to_be_undone_is_only_wrong(report: Report) -> None:
    say = texts("ko")
    wrong = [entry for entry in report.live if entry.is_overturned]
    flagged, acted = (next(entry for entry in wrong if entry.is_acted is done) for done in (False, True))
    names = Words(report, say, lambda *_: "").names
    assert (names.review(flagged), names.review(acted)) == ("틀림", say["call.wrong"])


def test_what_is_of_no_kind_stands_beside_the_period_before(report: Report) -> None:
    page = ReportPages().render(report, "ko", with_pdf=False).files[0].content.decode()
    (none,) = (line for line in report.kinds if not line.name)
    (others,) = (line for line in Words(report, texts("ko"), lambda *_: "").about_first(9) if line.name == "그 밖")
    assert others.count == none.count and others.before == none.before and none.before
    assert sum(line.count for line in report.kinds) == report.totals.flagged
    assert re.search(rf">그 밖</th><td class=\"number\"><a [^>]*>{none.count}</a>", page)


def test_numbers_and_times_are_written_out(report: Report) -> None:
    korean, english = (Words(report, texts(language), lambda *_: "") for language in ("ko", "en"))
    assert korean.share(Share(part=1, whole=1208)).startswith("1,208건") and "8,607" in english.share(
        Share(part=7952, whole=8607)
    )
    assert korean.time(PERIOD.start) == "11-16 00:00"
    assert korean.time(PERIOD.start.replace(year=2025)) == "2025-11-16 00:00"
    assert [korean.days(period) for period, _ in report.earlier][:3] == ["11/9–15", "11/2–8", "10/26–11/1"]
    assert [one.days(parse("2026-06", "Asia/Seoul")) for one in (korean, english)] == ["6월", "Jun"]
    assert english.days(PERIOD) == "16–22 Nov"
    unfinished = replace(report, figures=replace(report.figures, at=PERIOD.start))
    assert Words(unfinished, texts("ko"), lambda *_: "").dates.endswith("(진행 중)")
    headline = Headline(korean)
    assert "361" in headline.mean(Change(now=1, before=1, mean=360.5))
    assert korean.moved(Change(now=3, before=3)) == "변화 없음"


def test_a_long_name_leaves_the_picture_its_dates(report: Report) -> None:
    """The strip at the right edge of the heading stays as blue as without a name."""
    edges = set()
    for community in ("c", "가나다라" * 25, "W" * 300):
        content = ReportPages().render(replace(report, community=community), "ko", with_pdf=False).picture.content
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        edges.add(len(picture.crop((1030, 0, 1080, 140)).getcolors() or ()))
    assert edges == {1}


def test_what_was_acted_on_and_never_reviewed_is_said_of_these_alone(report: Report) -> None:
    seen = [entry for entry in report.live if entry.review and not entry.is_acted][:1]
    made = compose("c", PERIOD, replace(report.figures, entries=tuple(seen)), [])
    page = ReportPages().render(made, "ko", with_pdf=False).files[0].content.decode()
    assert "조치한 사건 가운데 검토한 것이 없습니다" in page and texts("ko")["report.no_reviews"] not in page


def test_since_when_what_waits_is_counted_is_told(report: Report) -> None:
    """Four weeks up to the end of a week; a month counts from its own first day."""
    page = ReportPages().render(report, "ko", with_pdf=False).files[0].content.decode()
    assert report.figures.backlog.count and "10월 26일(월)부터 셌고" in page
    assert '<a href="#health">언제였는지 보기</a>' in page


def test_a_choice_about_a_bot_is_told_with_its_name(report: Report) -> None:
    about: dict[str, Any] = {"at": PERIOD.start, "by": "하늘", "before": ""}
    made = (
        AuditEntry(**about, setting="bots.9001", after="False"),
        AuditEntry(**about, setting="report_day", after="sunday"),
    )  # fmt: skip
    figures = replace(report.figures, amendments=made)
    page = ReportPages().render(compose("c", PERIOD, figures, []), "ko", with_pdf=False).files[0].content.decode()
    assert "‘공략도우미’의 답변 살피기" in page and "끔" in page
    assert "주간 보고서를 보낼 요일" in page and "일요일" in page


def test_a_guard_on_trial_is_told_beside_rules_that_are(report: Report) -> None:
    tried = TrialFigures(
        guard="embedded 2", judged=90, passed_over=1, counts={one: {} for one in Difference} | {
            Difference.FEWER: {HarmKind.ABUSE: 3, HarmKind.HATE: 1}},
        wrong=dict.fromkeys(Difference, 2), right=dict.fromkeys(Difference, 0),
    )  # fmt: skip
    made = compose("c", PERIOD, replace(report.figures, trials=(tried,)), [])
    page = ReportPages().render(made, "ko", with_pdf=False).files[0].content.decode()
    assert "embedded 2" in page and "걸리지 않았을 글 4개: 욕설·모욕 3, 혐오 발언 1." in page and "2건은 틀림" in page


def test_what_the_typeface_lacks_is_left_out_of_charts() -> None:
    assert showable("거래 🎁 $100") == "거래 $100"
    assert showable("🎁") == "?"
    assert len(font_for("가🎁")) < len(font_for("가나다라마바사")) < 10_000


@pytest.mark.parametrize(
    ("find", "missing"),
    [("adapters.reports.pages.find_spec", "WeasyPrint"), ("ctypes.util.find_library", "Pango")],
)
def test_without_what_a_pdf_needs_all_else_of_the_report_is_there_and_says_so(
    find: str, missing: str, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, lambda name: None)
    made = ReportPages().render(report, "ko")
    assert [file.name.rpartition(".")[2] for file in made.files] == ["html", "csv"] and made.picture.content
    assert missing in made.remark and "PDF" in made.remark and 'pip install "jikimi[pdf]"' in made.remark
    assert ReportPages().render(report, "ko", with_pdf=False).remark == ""


@pytest.mark.usefixtures("prints")
def test_a_quiet_week_is_short(report: Report) -> None:
    from pypdf import PdfReader

    calm = replace(report.figures, entries=(), outages=(), amendments=(), seen=12)
    quiet = ReportPages().render(compose("cafe", PERIOD, calm, report.earlier), "ko")
    page = quiet.files[0].content.decode()
    assert "규칙에 걸린 사건이 없어" in page and "요일과 시간" not in page and 'id="list"' not in page
    pages = PdfReader(io.BytesIO(quiet.files[1].content)).pages
    assert len(pages) <= 2
    text = re.sub(r"\s+", "", "".join(one.extract_text() for one in pages))
    assert text.startswith("지킴이주간보고서") and "판정기가멈춘시간없음판정하지못한메시지" in text  # as it is read


def test_moderators_may_see_names(report: Report) -> None:
    masked, named = (
        ReportPages(unmasked=unmasked).render(report, "ko", with_pdf=False).files[0].content.decode()
        for unmasked in (False, True)
    )
    repeater = next(entry for entry in report.live if entry.author == repeaters(report.live)[0].name)
    assert repeater.author_name in named and repeater.author_name not in masked
    assert "이름은 가렸습니다" in masked and "이름은 가렸습니다" not in named


def test_the_page_tells_of_outages_and_of_who_changed_what(post: Post) -> None:
    page = post.files[0].content.decode()
    assert "11-18 04:07부터 1시간 15분" in page
    assert "11-18 00:07 하늘: ‘욕설·공격적 표현’ 기준 0.75 → 0.8" in page


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_typeface_has_every_sign_of_our_own_words(language: str) -> None:
    said = [texts_beside(section.__module__, language).sentences for row in ROWS for section in row]
    ours = {key: one for sentences in said for key, one in sentences.items() if key.startswith(OURS) or "." not in key}
    signs = set("".join(ours.values()))
    assert {sign for sign in signs if ord(sign) not in glyphs()} <= {"\n"}


@pytest.fixture(scope="module")
def browser(report: Report) -> Iterator[Any]:
    """Where it is open, nothing else may run an event loop: the report is made before."""
    if CHROMIUM is None:
        pytest.skip("There is no chromium on this machine.")
    with opened() as browser:
        yield browser


@pytest.fixture(scope="module")
def shown(report: Report, post: Post) -> Mapping[str, bytes]:
    """Pages, and the picture for the chat, by the name of what they show."""
    nothing = Figures(start=PERIOD.start, end=PERIOD.end)
    calm = replace(report.figures, entries=(), outages=(), amendments=())

    def page(report: Report, language: str = "ko") -> bytes:
        return ReportPages().render(report, language, with_pdf=False).files[0].content

    return {
        "chat": post.picture.content,
        "chat-quiet": ReportPages()
        .render(compose("고양이 카페", PERIOD, calm, []), "ko", with_pdf=False)
        .picture.content,
        "page": post.files[0].content,
        "page-en": page(report, "en"),
        "page-empty": page(compose("고양이 카페", PERIOD, nothing, [])),
        "page-first": page(compose("고양이 카페", PERIOD, calm, [])),
    }


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("chat", 0, ""),
        ("chat-quiet", 0, ""),
        ("page", 1280, "light"),
        ("page", 1280, "dark"),
        ("page", 390, "light"),
        ("page", 390, "dark"),
        ("page-en", 1280, "light"),
        ("page-empty", 390, "light"),
        ("page-first", 1280, "dark"),
    ],
)
def test_it_looks_as_in_the_picture(
    browser: Any, shown: Mapping[str, bytes], name: str, width: int, scheme: str
) -> None:
    """`make pictures` takes new ones: look at what has changed before you commit them."""
    content = shown[name]
    if width:
        content = photograph(browser, content, width=width, height=width * 2, scheme=scheme)
    path = PICTURES / ("-".join(filter(None, (name, str(width or ""), scheme))) + ".png")
    if os.environ.get("RENEW_PICTURES"):
        path.write_bytes(small(content))
    assert unlike(small(content), path.read_bytes()) <= 0.02


def test_pictures_that_differ_are_told_apart(shown: Mapping[str, bytes]) -> None:
    assert unlike(small(shown["chat"]), small(shown["chat"])) == 0
    assert unlike(small(shown["chat"]), small(shown["chat-quiet"])) > 0.1


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
def test_the_page_is_whole_accessible_and_asks_nobody(
    browser: Any, short: bytes, tmp_path: Path, scheme: Any, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    (tmp_path / "report.html").write_bytes(short)
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    address = (tmp_path / "report.html").as_uri()
    page.goto(address)
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Noto Sans KR\"', '지킴이'))")
    found = Axe().run(page, options={"rules": {"target-size": {"enabled": True}}}).response["violations"]
    assert [violation["id"] for violation in found] == []
    assert [url for url in asked if not url.startswith("data:")] == [address] and not troubles
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out
    page.close()


@pytest.fixture(scope="module")
def short(report: Report) -> bytes:
    """The page of a week with fewer incidents, of every sort: a browser looks at each row."""
    rare = {entry.id for entry in report.live if entry.review is None or entry.appealed or "escalate" in str(entry)}
    entries = tuple(one for n, one in enumerate(report.figures.entries) if n % 10 == 0 or one.id in rare)
    made = replace(report, figures=replace(report.figures, entries=entries))
    return ReportPages().render(made, "ko", with_pdf=False).files[0].content


@pytest.fixture
def page(browser: Any, short: bytes) -> Iterator[Any]:
    page = browser.new_page()
    page.set_content(short.decode())
    yield page
    page.close()


def test_tables_sort_and_the_list_filters(page: Any) -> None:
    first = "#list tbody tr:first-child td:first-child"
    newest = page.inner_text(first)
    page.click("#list thead button >> nth=0")
    assert int(page.inner_text(first)[1:]) < int(newest[1:])
    page.fill("#filter", "신상 공개")
    shown = page.locator("#list tbody tr:not([hidden])")
    assert 0 < shown.count() < page.locator("#list tbody tr").count()
    assert all("신상 공개" in text for text in shown.all_inner_texts())
    messages = "section[aria-labelledby=channels] table"
    page.click(f"{messages} thead button >> nth=2")
    counts = page.locator(f"{messages} tbody td:nth-child(3)").all_inner_texts()
    numbers = [int(count.replace(",", "")) for count in counts]
    assert numbers == sorted(numbers) and len(set(numbers)) > 3


def test_a_list_says_what_it_has_not(page: Any) -> None:
    page.fill("#filter", "zzz")
    assert page.inner_text("#chosen span") == texts("ko")["report.nothing_found"]
    page.click("#chosen button")
    assert page.locator("#list tbody tr[hidden]").count() == 0 and page.is_hidden("#chosen")
    number = page.locator("[aria-labelledby=rules] a[data-on]").nth(0)
    counted = int(number.inner_text().replace(",", ""))
    page.evaluate("for (const row of rows.slice(0, 9)) row.dataset.on = ''")  # as those that 500 rows have no room for
    number.click()
    shown = page.locator("#list tbody tr:not([hidden])").count()
    assert 0 < shown < counted
    assert page.inner_text("#chosen span").startswith(f"고른 사건 {counted}건 가운데 이 표에 있는 {shown}건만")


@pytest.mark.parametrize("width", [360, 1280])
def test_no_name_of_a_channel_hides_how_much_happened_there(browser: Any, report: Report, width: int) -> None:
    names = {"거래": "W" * 20, "밤샘방": "가" * 100}
    entries = tuple(replace(one, channel_name=names.get(one.channel, "")) for one in report.live[-60:])
    made = replace(report, figures=replace(report.figures, entries=entries))
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(ReportPages().render(made, "ko", with_pdf=False).files[0].content.decode())
    fits = "one => one.closest('.scroll').scrollWidth <= one.closest('.scroll').clientWidth"
    assert page.eval_on_selector("section[aria-labelledby=channels] table", fits)
    assert page.eval_on_selector("section[aria-labelledby=moderators] table", fits)
    page.evaluate("document.querySelector('section[aria-labelledby=days] details').open = true")
    assert width > 360 or page.eval_on_selector("section[aria-labelledby=days] table", fits)
    page.close()


@pytest.mark.parametrize(
    "where",
    [
        "[aria-labelledby=rules]",
        ".heat",
        ".cards",
        ".needs",
        "[aria-labelledby=funnel]",
        "[aria-labelledby=quality]",
        "[aria-labelledby=moderators]",
    ],
)
def test_a_number_leads_to_the_incidents_that_it_counts(page: Any, where: str) -> None:
    numbers = page.locator(f"{where} a[data-on]")
    for place in {0, numbers.count() // 2, numbers.count() - 1}:
        numbers.nth(place).click()
        rows = page.locator("#list tbody tr:not([hidden])").count()
        assert rows == int(numbers.nth(place).inner_text().replace(",", ""))
        assert f"{rows}건" in page.inner_text("#chosen")
    page.click("#chosen button")
    assert page.locator("#list tbody tr[hidden]").count() == 0
