"""What the core declares is what a rule may write, for every kind of field that a condition may have."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import pytest
from annotated_types import Ge, MinLen
from pydantic import TypeAdapter, ValidationError

from bot.config.written import CONDITION_FORMS, action, form_of
from bot.core.rules.actions import Delete, Flag, TellOwner, Timeout
from bot.core.rules.conditions import Check, Condition, Rank, Situation, Why, Written


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Never(Condition, key="never", rank=Rank.WHAT):
    def check(self, situation: Situation) -> Check:
        return False, Why("never")


@dataclass(frozen=True, kw_only=True)
class Plain(Never, key="plain", rank=Rank.WHAT):
    """Nothing to say of it."""


@dataclass(frozen=True, kw_only=True)
class Colours(Never, key="colours", rank=Rank.WHAT):
    any_of: Annotated[frozenset[Colour], MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class Rich(Never, key="rich", rank=Rank.WHAT):
    at_least: Annotated[int, Ge(2), Written("times")]
    within: timedelta | None = None
    colour: Colour = Colour.RED
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Nested(Never, key="nested", rank=Rank.WHAT):
    rich: Rich


def read(condition: type[Condition], written: object) -> Condition:
    form = form_of(condition)
    value: Any = form.value(TypeAdapter(form.annotation).validate_python(written, strict=True))
    assert isinstance(value, Condition)
    return value


def test_what_has_no_field_is_true_what_has_one_is_its_value_and_all_else_a_table() -> None:
    assert read(Plain, True) == Plain()
    assert read(Colours, ["blue"]) == Colours(any_of=frozenset({Colour.BLUE}))
    assert read(Rich, {"times": 2}) == Rich(at_least=2)
    assert read(Rich, {"times": 3, "within": "2h", "colour": "blue", "words": ["b", "a"]}) == Rich(
        at_least=3, within=timedelta(hours=2), colour=Colour.BLUE, words=("b", "a")
    )
    assert read(Nested, {"times": 2}) == Nested(rich=Rich(at_least=2))


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        (Plain, False),
        (Colours, []),
        (Colours, ["green"]),
        (Rich, {}),
        (Rich, {"times": 1}),
        (Rich, {"at_least": 2}),
        (Rich, {"times": 2, "within": "soon"}),
        (Rich, {"times": 2, "shade": "dark"}),
    ],
)
def test_what_breaks_a_bound_or_is_not_declared_is_refused(condition: type[Condition], written: object) -> None:
    with pytest.raises(ValidationError):
        read(condition, written)


def test_an_action_is_its_kind_and_what_it_must_be_given() -> None:
    assert (action("delete"), action("tell_owner")) == (Delete(), TellOwner())
    assert action("timeout 10m") == Timeout(timedelta(minutes=10))
    for odd in ("timeout", "timeout soon", "delete 10m", "restore", "", 5):
        with pytest.raises(ValueError):
            action(odd)
    assert action("flag") == Flag()


def test_the_keys_are_those_of_today() -> None:
    """They stand in people's files: one that goes or changes belongs into `renamed`."""
    assert set(CONDITION_FORMS) == {
        "unscreened", "categories", "text", "no_text", "score", "pair", "pairing", "offences", "repeats", "link",
        "mentions", "channels", "roles", "new_author", "by_bot", "by_staff", "edited", "filtered", "overrides",
    }  # fmt: skip
