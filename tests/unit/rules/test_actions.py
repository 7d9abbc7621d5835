"""Whatever knows the actions knows every one that is declared."""

import pytest

from adapters.chat.discord.moderators.asking import PERMISSION
from adapters.chat.discord.moderators.commands.host import needed
from bot.core.incidents.review import Call, Step, consequences
from bot.core.rules.actions import (
    ACTIONS,
    Action,
    CalledOff,
    Declared,
    DeletePost,
    Done,
    Restore,
    Unsanction,
    Warn,
    Weight,
)
from bot.core.text.catalogue import LANGUAGES, texts
from tests.builders import some

EVERY = [some(action) for action in ACTIONS]


def test_what_declares_itself_an_action_is_one() -> None:
    assert set(Declared.__subclasses__()) == set(ACTIONS)
    assert len({action.kind for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", ACTIONS)
def test_people_can_read_what_is_done(action: type[Action], language: str) -> None:
    say = texts(language)
    assert f"action.{action.kind}" in say
    if (action.user_visible and action is not Warn) or action in (Restore, Unsanction):
        assert f"done.{action.kind}" in say


@pytest.mark.parametrize("action", ACTIONS)
def test_the_bot_asks_discord_for_the_right_that_an_action_takes(action: type[Action]) -> None:
    assert action.right is None or PERMISSION[action.right] in needed(member_names=False)


@pytest.mark.parametrize("action", EVERY)
def test_what_a_rule_did_by_mistake_is_undone_as_it_says(action: Action) -> None:
    done = Step(action=action, outcome=Done("7/8"), decided=True)
    undone = [type(step) for step in consequences([Call.WRONG], [done], called=Call.WRONG).then]
    assert undone == ([action.undone_by] if action.undone_by else [])
    if action.undone_by is DeletePost:
        assert consequences([Call.WRONG], [done], called=Call.WRONG).then == (DeletePost("7/8"),)


@pytest.mark.parametrize("action", [action for action in EVERY if action.by_rules])
def test_what_a_rule_has_not_done_yet_is_called_off_where_it_was_a_mistake(action: Action) -> None:
    waiting = Step(action=action, decided=True)
    off = consequences([Call.WRONG], [waiting], called=Call.WRONG).called_off
    assert (off == {0}) is (action.weight > Weight.MODERATORS)
    called_off = Step(action=action, outcome=CalledOff(), decided=True)
    assert consequences([Call.WRONG], [called_off], called=Call.WRONG).then == ()
