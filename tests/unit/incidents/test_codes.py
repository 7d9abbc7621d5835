"""What members call a case by: however it is typed, and never one that could be guessed."""

import pytest

from bot.core.incidents.case import new_code, read_code


def test_codes_are_read_however_they_are_typed() -> None:
    code = new_code()
    for typed in (code, code.lower(), f" #{code} ", code.capitalize()):
        assert read_code(typed) == code
    assert read_code("#12") == "12", "what earlier versions told members"


@pytest.mark.parametrize(
    "typed", ["", "#", "억울해요", "²", "1" * 19, "BCDFGHJKL", "BCDFGHJKLMN", "ABCDEFGHIJ", "BCDFG HJKLM", "٣"]
)
def test_what_is_no_code_is_none(typed: str) -> None:
    assert read_code(typed) is None


def test_no_two_are_alike_and_none_says_anything() -> None:
    made = {new_code() for _ in range(10_000)}
    assert len(made) == 10_000
    assert not set("".join(made)) & set("01OIAEUYlo"), "nothing that is taken for another, and no word"
