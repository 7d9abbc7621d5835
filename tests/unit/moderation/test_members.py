"""Who is new in a community: by what was heard of them, and by since when they are there."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.core.chat.message import Author, Kind, Message
from bot.core.moderation.members import LEARNING, Members
from bot.core.rules.actions import Flag
from bot.core.rules.conditions import FirstMessages, Past
from bot.core.rules.conditions.author import MOST_FIRST
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import NOW, home, later, message, settlement
from tests.fakes.store import MemoryStore

RULES = Policy(
    rules=(Rule(name="new", when=(FirstMessages(at_most=3),), then=(Flag(),), reason=Reason(ko="새", en="new")),)
)
LATER = (LEARNING + timedelta(days=1)).total_seconds()


class Room:
    """A community that has been watched since NOW, by one process after the other."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.members[home(), "somebody"] = (MOST_FIRST, NOW)
        self.restart()

    def restart(self) -> None:
        self.members = Members(roll=self.store.member_roll)

    def says(self, author: str, at: float, text: str = "안녕", *, repeated: bool = False, **more: Any) -> int | None:
        said = replace(message(f"{author}{at}", text, sent_at=later(at)), author=Author(id=author, **more))
        return self.hears(said, repeated=repeated)

    def hears(self, said: Message, *, repeated: bool = False) -> int | None:
        async def scenario() -> int | None:
            await self.members.look_up([said], lambda _: RULES)
            heard = self.members.heard(said)
            weight = self.members.weight(said, Past(heard=heard, repeats=(NOW,) if repeated else ()))
            await self.store.inbox.keep([said])
            settled = replace(settlement(said), counts_for=weight)
            await self.store.inbox.settle([settled])
            self.members.note([settled])
            return heard

        return asyncio.run(scenario())


def test_first_messages_are_counted_over_restarts() -> None:
    room = Room()
    assert [room.says("new", LATER + n) for n in range(3)] == [0, 1, 2]
    room.restart()
    assert room.says("new", LATER + 5) == 3


def test_who_was_there_before_is_not_new() -> None:
    room = Room()
    assert room.says("old", 60) == MOST_FIRST  # nobody saw them join
    assert room.says("old", 70) == MOST_FIRST
    assert room.says("older", 60, since=NOW - timedelta(days=9)) == MOST_FIRST
    assert room.says("joined", 60, since=later(30)) == 0
    room.restart()
    assert room.says("old", LATER) == MOST_FIRST
    assert room.says("lurker", LATER) == 0  # by now somebody would have seen them


def test_a_new_community_takes_everybody_for_known_but_who_is_seen_to_join() -> None:
    room = Room()
    room.store.members.clear()
    assert room.says("first", 5) == MOST_FIRST
    assert room.says("second", 6) == MOST_FIRST
    assert room.says("joiner", 9, since=later(8)) == 0


def test_nobody_becomes_known_by_saying_the_same_by_edits_or_by_a_name() -> None:
    room = Room()
    assert [room.says("x", LATER + n, repeated=n > 0) for n in range(4)] == [0, 1, 1, 1]
    named = replace(message("n", author="y", sent_at=later(LATER)), is_name=True)
    edit = replace(message("e", author="y", sent_at=later(LATER)), kind=Kind.EDIT)
    assert [room.hears(named), room.hears(edit), room.says("y", LATER + 1)] == [0, 0, 0]


def test_bots_webhooks_and_staff_are_not_counted() -> None:
    room = Room()
    for more in ({"bot": True}, {"no_account": True}, {"roles": frozenset({"admin"})}):
        assert room.says("b", LATER, **more) is None
    assert (home(), "b") not in room.store.members


def test_who_is_known_is_written_no_more() -> None:
    room = Room()
    for n in range(MOST_FIRST + 5):
        room.says("x", LATER + n)
    assert room.store.members[home(), "x"][0] == MOST_FIRST
    said = message("z", author="x", sent_at=later(LATER + 99))
    assert room.members.weight(said, Past(heard=room.members.heard(said))) == 0
