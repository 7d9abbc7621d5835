"""The views take every disguise off, leave ordinary text alone, and never fail."""

import sys
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.text.views import canonical, overrides, readings, views

ANY_TEXT = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cf", "Cc", "Mn"]),
        st.sampled_from("시발씨병신ㅅㅂㅣㅏㅋ1lI!|^h78.~ \t\n\u200b\u202e\u202c\u3164\u115f\u1109\u1175ﾶￜ"),
    ),
    max_size=60,
)


@pytest.mark.parametrize(
    ("typed", "view", "reading"),
    [
        ("시1발", "opened", "시발"),
        ("씨.발", "opened", "씨발"),
        ("시~발", "opened", "시발"),
        ("시🔥발", "opened", "시발"),
        ("시 발", "opened", "시발"),
        ("시 . 발", "opened", "시발"),
        ("개 새 끼 야", "opened", "개새끼야"),
        ("ㅆ1ㅂ", "initials", "ㅆㅂ"),
        ("ㅅ.ㅂ", "initials", "ㅅㅂ"),
        ("ㅅㅣㅂㅏㄹ", "opened", "시발"),
        ("ㅂㅕㅇㅅㅣㄴ", "opened", "병신"),
        ("ㅁㅏㄹㄱㅇㅡㄴ", "opened", "맑은"),
        ("ㄱH새끼", "opened", "개새끼"),
        ("시이이발", "opened", "시발"),
        ("(시)(발)", "opened", "시발"),
        ("[너] 진[짜] 【바】보", "opened", "너 진짜 바보"),
        ("시ㅣㅣ발", "opened", "시발"),
        ("씨8놈", "opened", "씨팔놈"),
        ("tlqkf", "typed", "시발"),
        ("Tlqkf 뭐야", "typed", "씨발"),
        ("TLQKF", "typed", "시발"),
        ("rkqtdl djfakdla", "typed", "값이 얼마임"),
        ("tq", "typed", "ㅅㅂ"),
        ("시\u200b발", "plain", "시발"),
        ("시\u3164발", "plain", "시발"),
        ("\u202e발시", "plain", "시발"),
        ("\u202e발시\u202c 놈", "plain", "시발 놈"),
        ("ﾶￜ발", "plain", "씨발"),
        ("ﾲￊﾷﾵￜﾤ ﾤￜ", "plain", "병신 니"),
        ("ﾡￂﾴ", "plain", "값"),
        ("𝓯𝓾𝓬𝓴 ⓨⓞⓤ", "plain", "fuck you"),
        ("fuсk", "plain", "fuck"),  # the с is Cyrillic
        ("ㅋㅋㅋㅋㅋㅋ", "plain", "ㅋㅋ"),
        ("가\ud800나", "plain", "가\ufffd나"),
    ],
)
def test_a_disguise_is_taken_off(typed: str, view: str, reading: str) -> None:
    assert dict(views(typed))[view] == reading


@pytest.mark.parametrize(
    "text", ["안녕하세요 반가워요", "18일에 만나요", "다시 발표할게요", "hello there", "ㅋㅋ", "오늘 뭐 먹지?"]
)
def test_ordinary_text_has_nothing_to_take_off(text: str) -> None:
    assert list(views(text)) == [("plain", text)]


@pytest.mark.parametrize("text", ["다시 발표", "이 표시 발", "또 보지 마"])
def test_words_are_not_glued_together(text: str) -> None:
    assert views(text).opened == ""


@pytest.mark.parametrize(
    "hidden",
    [
        "\u202e{}",
        "\u202e\u2066\u2069{}",
        "\u202e\u202d\u202c{}",
        "\u202e\u202a\u202c{}",
        "\u202e\u2067\u2069{}\u202c",
        "\u202b\u202e{}",
    ],
)
def test_a_text_turned_round_is_read_as_it_is_shown_and_as_it_is_stored(hidden: str) -> None:
    shown = "너 진짜 시발새끼야"
    text = hidden.format(shown[::-1])
    assert canonical(text) == shown
    assert {canonical(one) for one in readings(text)} >= {shown, shown[::-1]}
    assert overrides(text)


def test_a_new_paragraph_ends_what_turns_letters_round() -> None:
    for sign in "\n\r\x1c\x85\u2029":
        assert canonical(f"\u202e.{sign}시발새끼") == ". 시발새끼"


def test_marks_that_only_have_a_direction_put_words_round_where_a_line_begins_at_the_right() -> None:
    assert "시발" in {canonical(one) for one in readings("\u200f발\u200f시")}
    assert not overrides("\u200f발\u200f시")


@given(ANY_TEXT)
@example("0:\u202a")  # what a line from the left shows is as it is stored, and comes first
def test_there_is_one_reading_where_no_sign_turns_anything(text: str) -> None:
    found = readings(text)
    assert 1 <= len(found) <= 3
    assert canonical(found[0]) == canonical(text)
    assert len({canonical(one) for one in found}) == len(found)


def test_every_sign_that_normalising_sorts_is_known() -> None:
    """Where NFC or NFKC would have to sort a run of them, the run is cut before: sorting takes its length squared."""
    for code in range(0x110000):
        normal = unicodedata.normalize("NFKD", chr(code)) if not 0xD800 <= code < 0xE000 else " "
        if unicodedata.combining(normal[0]):
            assert len(canonical("a" + chr(code) * 1_000)) < 200, hex(code)


@given(ANY_TEXT)
def test_canonical_is_idempotent(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@given(ANY_TEXT)
def test_views_depend_on_the_canonical_text_alone(text: str) -> None:
    assert views(canonical(text)) == views(text)


@given(ANY_TEXT)
def test_every_view_can_be_stored_and_says_something_new(text: str) -> None:
    named = dict(views(text))
    assert next(iter(named)) == "plain"
    for reading in named.values():
        reading.encode("utf-8")
    assert named.get("opened") != named["plain"]


@given(ANY_TEXT, st.integers(0, 60), st.sampled_from("\u200b\u200d\u2060\ufeff\u00ad\u3164\ufe0f\u200e"))
def test_an_invisible_sign_changes_nothing_in_korean(text: str, place: int, sign: str) -> None:
    korean = "".join(letter for letter in text if "가" <= letter <= "힣")
    assert canonical(korean[:place] + sign + korean[place:]) == korean


def test_canonical_keeps_what_may_change_a_verdict() -> None:
    for text in ["ABC", "시발", "시.발", "100000원", "ｆ", "ㅅㅂ", "아아아아", "a.b"]:
        assert canonical(text) == text
    assert canonical("ㅋㅋㅋㅋㅋㅋ") == canonical("ㅋㅋㅋㅋ") != canonical("ㅋ")
    assert canonical(" a \n\t b\u3000") == "a b"


@pytest.mark.parametrize(
    "unit",
    [
        "가",
        "시 발 ",
        "ㅅ",
        "ㅣ1",
        "abcde ",
        "ㅅ1",
        "이",
        ". ",
        "ㅅ_",
        "^",
        "77",
        "ㅅ!",
        "\u202e가",
        "a\u0301",
        "시1",
        "ㅗㅏ",
        ". 가",
    ],
)
def test_work_grows_linearly(unit: str) -> None:
    """Counted in executed lines of Python, and the size of what comes out: no clock."""

    def lines(text: str) -> int:
        count = 0

        def trace(*_: object) -> Any:
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            found = views(text)
        finally:
            sys.settrace(before)
        assert sum(len(reading) for _, reading in found) <= 4 * len(text) + 100
        return count + 1

    counts = [lines(unit * (n // len(unit))) for n in (2_000, 4_000, 8_000)]
    assert all(more <= 2.5 * fewer + 100 for fewer, more in pairwise(counts))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["시 발 ", "ㅣ1", "ㅅ!", "이", ". ", "tlqkf ", "^|", "\u202e가", "ㅂㅅ", "시_1_", "가 . "]
)
def test_a_hundred_thousand_characters_come_through(unit: str) -> None:
    assert views(unit * (100_000 // len(unit))).plain
