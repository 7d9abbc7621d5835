"""Who is not connected hears who somebody is from whoever is, without names; where nobody says, it stays unknown."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.base.errors import Unavailable
from bot.core.chat.meeting import LONGEST, Meeting
from bot.core.chat.message import Author
from tests.builders import NOW, REHEARSAL, message
from tests.fakes.chat import ScriptedPlatform

UNMET = replace(message("1"), author=Author(id="7", name="민지", unmet=True))


def joined(*some: Meeting) -> list[str]:
    """What is said in one is heard in the others; and all that was said."""
    said: list[str] = []

    def line(me: Meeting) -> Callable[[str], None]:
        def say(words: str) -> None:
            said.append(words)
            for other in some:
                if other is not me:
                    other.heard(words)

        return say

    for one in some:
        one.say = line(one)
    return said


@pytest.mark.parametrize(
    "roles", [{"moderator", "12", "운영진"}, {"moderator", *(f"{n} 역할" * 9 for n in range(999))}]
)
def test_whoever_is_connected_says_who_it_is(roles: set[str]) -> None:
    async def scenario() -> None:
        chat = ScriptedPlatform()
        chat.authors["7"] = known = Author(id="7", name="다른 이름", roles=frozenset(roles), since=NOW)
        asks, knows = Meeting(connected={}), Meeting(connected={REHEARSAL: chat})
        said = joined(asks, knows)
        met, again = await asyncio.gather(asks.meet(UNMET), asks.meet(UNMET))
        assert met == again == replace(known, name="민지", roles=met.roles)
        assert met.is_staff and (met.roles == roles or len(roles) > 99)
        assert len(chat.met) == 1 and max(len(one.encode()) for one in said) <= LONGEST
        assert not any("이름" in one or "민지" in one for one in said)
        assert (await knows.meet(UNMET)).roles == roles, "or asks by itself"

    asyncio.run(scenario())


def test_where_nobody_says_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.chat.meeting.PATIENCE", 0.01)

    async def scenario() -> None:
        chat = ScriptedPlatform()
        asks, knows = Meeting(connected={}), Meeting(connected={REHEARSAL: chat})
        assert await asks.meet(UNMET) == UNMET.author, "alone there is nobody to ask"
        said = joined(asks, knows)
        chat.authors["7"] = Unavailable("not yet connected")
        for _ in range(2):
            with pytest.raises(Unavailable):
                await asks.meet(UNMET)
        assert len(said) == 2
        del chat.authors["7"]
        assert not (await asks.meet(UNMET)).unmet

    asyncio.run(scenario())
