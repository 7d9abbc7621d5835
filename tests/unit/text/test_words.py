"""A word of a list is found as a word: with particles and in disguise, and never inside a longer one."""

from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.text.views import views
from bot.core.text.words import LONGEST, WordList, initials, objection


def found(words: list[str], text: str) -> set[str]:
    list_ = WordList(words)
    return {hit.word for _, view in views(text) for hit in list_.hits(view)}


@pytest.mark.parametrize(
    ("word", "texts"),
    [
        ("시발", "시발이 뭐야|시 발|ㅅㅣ발ㅋㅋ|아 시발|ㅋㅋ시발ㅋㅋ|시발아|시이발|시.발|tlqkf|시발!!|시\n발"),
        ("시발", "시발들이|lol시발lol|시\u200b발|시발이라고요"),
        ("시발*", "시발놈|시발점|시발이"),
        ("*시발*", "개시발놈|동시발매"),
        ("*발", "시발이|개발"),
        ("토토", "토토 하실 분|토토가 최고|토 토 합니다|ㅌㅗㅌㅗ"),
        ("카지노", "카 지노 오픈|카지 노에서|카.지.노|카지노에서만은|ㅋㅏ지노|카지노!카지노"),
        ("무료 머니", "무료머니 줌|무료 머니|무 료 머 니|무료머니를"),
        ("ㅅㅂ", "ㅅㅂ|ㅅㅂㅋㅋ|아ㅅㅂ|ㅅ1ㅂ|ㅅ.ㅂ"),
        ("bet365", "BET365 bonus|bet365가|ｂｅｔ３６５|(bet365)"),
        ("🖕", "야🖕너|🖕🖕"),
        ("씨.발", "씨.발|씨발"),
    ],
)  # fmt: skip
def test_it_is_found(word: str, texts: str) -> None:
    assert [text for text in texts.split("|") if found([word], text) != {word}] == []


@pytest.mark.parametrize(
    ("word", "texts"),
    [
        ("시발", "시발점|다시 발표|시발역에서|가게 시 발표|시발놈|개시발|동시발매|시발택시"),
        ("시발*", "다시발표|개시발"),
        ("*시발*", "다시 발표|역시 발이"),
        ("토토", "토토리|토토즈|아토토"),
        ("카지노", "카지노래방|오카지노|카지 노래"),
        ("무료 머니", "무료 머니투데이|무료로 머니"),
        ("ㅅㅂ", "ㄱㅅㅂㄴㄷ|ㅅㅂㄹ"),
        ("bet365", "abet365|bet3650"),
        ("ㅗ", "ㄱㅗ기"),
        ("왜", "왜냐면"),
    ],
)
def test_innocents_are_left_alone(word: str, texts: str) -> None:
    assert [text for text in texts.split("|") if found([word], text)] == []


def test_of_two_that_begin_alike_the_longer_is_found_and_each_reads_for_itself() -> None:
    assert found(["토토", "토토로"], "토토로") == {"토토로"}
    assert found(["토토", "토토*"], "토토리") != set()


@pytest.mark.parametrize(
    ("word", "why"),
    [("", "empty"), ("*", "empty"), ("...", "empty"), ("가" * (LONGEST + 1), "long"), ("시*발", "sign"),
     ("가*", "everything"), ("시발*", None), ("ㅗ", None), ("🖕", None), ("a\x00b", "sign")],
)  # fmt: skip
def test_what_is_no_word_is_not_taken(word: str, why: str | None) -> None:
    assert objection(word) == why


def test_the_bare_consonants_of_a_word() -> None:
    assert (initials("시발*"), initials("뷁"), initials("bet")) == ("ㅅㅂ", "", "")


@given(
    st.text(max_size=300), st.lists(st.text(st.sampled_from("시발토ㅅㅂ *." + ascii_letters), max_size=6), max_size=20)
)
def test_any_text_and_any_list_end_well(text: str, words: list[str]) -> None:
    for hit in WordList(words).hits(text):
        assert 0 <= hit.start < hit.end <= len(text)


def test_ten_thousand_words_are_looked_up_and_not_walked_through() -> None:
    """Counted, not timed: how often a stretch of the text is looked at does not depend on the list."""

    class Counting(dict[str, object]):
        looks = 0

        def get(self, key: str, default: object = None) -> object:
            Counting.looks += 1
            return super().get(key, default)

    def looks(count: int) -> int:
        list_ = WordList(f"낱말{chr(0xAC01 + number)}" for number in range(count))
        list_._forms = Counting(list_._forms)  # type: ignore[assignment]
        Counting.looks = 0
        assert not list(list_.hits("낱말가 많은 목록은 낱말가 느리지 않다 " * 50))
        return Counting.looks

    assert looks(10_000) == looks(10)
