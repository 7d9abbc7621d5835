"""Every trick changes what it is meant to change, the same way for the same chance, and what can be read through is."""

from random import Random

import pytest

from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.disguises import TRICKS, UNSEEN, disguised

LINE = "너 오늘 대리 불러서 집에 가라 진짜 죽이고 싶어 bad guy"

#: Tricks that only change how a text looks: its reading is what it was.
TAKEN_OFF = (
    "split jamo", "half-width jamo", "separators", "hearts", "emoji", "zero-width", "fillers", "dashes", "spoilers",
    "markdown", "styled Latin", "marks",
)  # fmt: skip


def test_there_are_many_and_six_are_kept_for_measuring() -> None:
    assert len(TRICKS) >= 25
    assert len(UNSEEN) == 6
    assert not set(TRICKS) & set(UNSEEN)


@pytest.mark.parametrize("name", [*TRICKS, *UNSEEN])
def test_a_trick_changes_the_text_and_depends_on_its_chance_alone(name: str) -> None:
    trick = {**TRICKS, **UNSEEN}[name]
    ways = [trick(LINE, Random(seed)) for seed in range(9)]
    assert ways == [trick(LINE, Random(seed)) for seed in range(9)] != [LINE] * 9


@pytest.mark.parametrize("name", TAKEN_OFF)
def test_what_only_looks_different_reads_the_same(name: str) -> None:
    for seed in range(20):
        assert reading({**TRICKS, **UNSEEN}[name](LINE, Random(seed))).replace(" ", "") == reading(LINE).replace(
            " ", ""
        )


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("tense", "바보", "빠뽀"),
        ("lax", "빠", "바"),
        ("other vowels", "개", "게"),
        ("initials", "바보", "ㅂㅂ"),
        ("wrong keyboard", "쌍값", "Tkdrkqt"),
        ("romanised", "값이", "gabsi"),
        ("look-alike syllables", "멍멍", "댕댕"),
        ("drawn jamo", "시", "^l"),
        ("no spaces", "가 나", "가나"),
        ("spoken finals", "먹어", "머거"),
        ("stretched", "야", "야아아"),
        ("enclosed", "야", "(야)"),
        ("right to left", "바보", "\u202e보바\u202c"),
    ],
)
def test_how_a_trick_looks(name: str, text: str, shown: str) -> None:
    assert shown in {{**TRICKS, **UNSEEN}[name](text, Random(seed)) for seed in range(50)}


def test_a_disguise_is_one_of_the_tricks_of_training() -> None:
    ways = {disguised(LINE, Random(seed)) for seed in range(200)}
    assert len(ways) > 100
    assert disguised(LINE, Random(3)) == disguised(LINE, Random(3))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("슬롯은 vip-77.com 코드 1234", "슬롯은 링크 코드 1234"),
        ("여기 https://han.gl/AbC12 누르세요", "여기 링크 누르세요"),
        ("텔 @made_up_k 문의, @everyone", "텔 @아이디 문의, @everyone"),
        ("카톡 exam_lonely", "카톡 @아이디"),
        ("무료거부 080-870-1234", "무료거부 080-123-4567"),
        ("010-0000-4821 문자만", "010-1234-5678 문자만"),
        ("○○ 선생님", "누구 선생님"),
        ("v1.18.0 배포, main.py 3.5", "v1.18.0 배포, main.py 3.5"),
        ("ㅋr지노 0l벤트 ^r다리", "카지노 이벤트 사다리"),
    ],
)
def test_what_tells_nothing_by_itself_is_read_one_way(typed: str, read: str) -> None:
    assert reading(typed) == read


def test_a_model_reads_as_it_was_taught() -> None:
    assert reading("vip.example 누르고 ○○", 1) == "누르고 누구"
