"""Expressions of communities and operators mean under the linear engine what they mean in Python."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.core.text.expressions import Expression, NotLinear
from bot.core.text.patterns import Patterns, is_linear, objection

ATOMS = st.sampled_from(
    ["가", "나", "a", "B", " ", "_", "1", r"\w", r"\W", r"\d", r"\s", r"\S", ".", "[가-나a]", r"[^\W_]", r"[\W가]",
     "(?:가|a)", "(나|b)", "(?i:x)", "[^가]"]
)  # fmt: skip
PLACES = st.sampled_from([r"\b", r"\B", "^", "$"])
REPEATS = st.sampled_from(["", "", "+", "{1,2}", "+?", "*", "?"])
EXPRESSIONS = st.lists(st.tuples(ATOMS, REPEATS).map("".join) | PLACES, min_size=1, max_size=6).map("".join)
TEXTS = st.text(alphabet="가나aBx _1!다٣é", max_size=12)


@given(EXPRESSIONS, TEXTS)
def test_the_same_is_found(source: str, text: str) -> None:
    python = re.compile(source, re.IGNORECASE)
    assume(not python.search("") and all(match.group() for match in python.finditer(text)))
    expected = python.search(text)
    found = Expression(source).search(text)
    assert (found and (found.start, found.end, found.text)) == (expected and (*expected.span(), expected[0]))


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        (r"\b시발\b", "아 시발 진짜", "시발"),
        (r"\b시발\b", "아시발 진짜", None),
        (r"\b시발\b", "다시 시발점", None),
        (r"시\w발", "시바발", "시바발"),
        (r"[^\W\d_]+\d", "전화1", "전화1"),
        (r"\d{3}", "٣٤٥", "٣٤٥"),
        ("바보$", "너 바보", "바보"),
    ],
)
def test_letters_and_boundaries_are_unicodes(source: str, text: str, found: str | None) -> None:
    said = Expression(source).search(text)
    assert (said and said.text) == found


@pytest.mark.parametrize(
    "source", [r"(?<![가-힣])니", "니(?=가)", "(?!a)b", r"(가)\1", "(?>가+)나", "가++나", "가{1,5000}"]
)
def test_what_it_does_not_understand_is_said(source: str) -> None:
    with pytest.raises(NotLinear):
        Expression(source)
    assert not is_linear(f"/{source}/")
    assert objection(f"/{source}/") == ("looks_around", "")
    assert objection(f"/{source}/", allow=True) is None


@pytest.mark.parametrize(("pattern", "code"), [(" ", "empty"), ("/(/", "unreadable"), ("/a*/", "everything")])
def test_what_nobody_understands_is_refused(pattern: str, code: str) -> None:
    problem = objection(pattern, allow=True)
    assert problem and problem[0] == code


def test_words_and_expressions_are_found_side_by_side() -> None:
    patterns = Patterns(("바보", r"/\b멍청\w*/"), (r"/(?<![가-힣])니/",))
    assert {found.text for found in patterns.finditer("바보, 멍청이 니")} == {"바보", "멍청이", "니"}
    for text, found in (("너 바보", "바보"), ("이 멍청아", "멍청아"), ("니", "니"), ("우리언니", None)):
        said = patterns.search(text)
        assert (said and said.text) == found
