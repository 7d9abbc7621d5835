"""Whatever knows the conditions knows every one that is declared."""

from bot.core.rules import conditions
from bot.core.rules.conditions import CONDITIONS, Condition, Text


def test_what_declares_itself_a_condition_is_one() -> None:
    declared = {one for one in Condition.__subclasses__() if one.__module__.startswith(conditions.__name__)}
    assert declared == set(CONDITIONS)
    assert len({condition.key for condition in CONDITIONS}) == len(CONDITIONS)


def test_each_can_be_asked() -> None:
    assert not [condition.key for condition in CONDITIONS if condition.__abstractmethods__]


def test_what_says_most_about_a_message_is_asked_first() -> None:
    keys = [condition.key for condition in CONDITIONS]
    assert keys.index("text") < keys.index("score") < keys.index("repeats") < keys.index("channels")
    assert keys[-1] == "no_text"


def test_what_only_shows_without_spaces_is_quoted_as_it_stands() -> None:
    found = Text(any_of=("너는진짜밤길조심",)).find("야 너는 진짜 밤길 조심해")
    assert found == {"found": "너는 진짜 밤길 조심", "view": "plain"}
