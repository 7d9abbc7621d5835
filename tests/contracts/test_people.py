"""What is on record of whom, and its erasing: what every implementation must do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Incident
from bot.core.operations.erasing import Erasing
from bot.core.operations.privacy import Dossier, People
from bot.core.rules.actions import Delete, Done
from storage.database import Database
from storage.records.erasing import SqlErasing
from storage.records.people import SqlPeople
from tests.builders import DISCORD, EVERYWHERE, NOW, REHEARSAL, code_of, decision, home, message, settlement
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock
from tests.fakes.operations import ScriptedPeople

CAFE, OTHER, ELSEWHERE = home("cafe"), home("other"), home("cafe", DISCORD)


@dataclass(frozen=True, slots=True)
class Kept:
    people: People
    erasing: Erasing
    offend: Callable[[CommunityRef, str], Awaitable[None]]  # somebody does, and what is done about it is done


@asynccontextmanager
async def kept(url: str | None) -> AsyncIterator[Kept]:
    if url is None:
        scripted = ScriptedPeople()

        async def written(place: CommunityRef, who: str) -> None:
            about = message("1", f"말 {who}", author=who, community=place.id, platform=place.platform)
            incident = Incident(
                id=1, case=1, code=code_of(1), decision=decision(about, Delete()), decided_at=NOW, outcomes=()
            )
            scripted.dossiers[place, who] = Dossier(community=place, incidents=[incident])

        yield Kept(scripted, scripted, written)
        return
    clock = ManualClock()
    async with Database.open(url, clock) as database:
        here = store(database, clock)

        async def said(place: CommunityRef, who: str) -> None:
            about = message(f"{place} {who}", f"말 {who}", author=who, community=place.id, platform=place.platform)
            await here.inbox.keep([about])
            await here.inbox.settle([replace(settlement(about, Delete()), counts_for=1)])
            planned = await here.outbox.claim(9, now=NOW, platforms=EVERYWHERE)
            await here.outbox.record([(one, Done()) for one in planned])

        yield Kept(SqlPeople(database), SqlErasing(database), said)


async def texts_of(people: People, place: CommunityRef, who: str) -> list[str]:
    return [one.decision.message.text for one in (await people.of_member(place, who)).incidents]


def test_everybody_has_a_record_of_their_own_in_each_place(url: str | None) -> None:
    async def scenario() -> None:
        async with kept(url) as here:
            for place, who in ((OTHER, "minji"), (CAFE, "minji"), (CAFE, "jisu"), (ELSEWHERE, "minji")):
                await here.offend(place, who)
            assert list(await here.people.places(REHEARSAL, "minji")) == [CAFE, OTHER]
            assert list(await here.people.places(DISCORD, "minji")) == [ELSEWHERE]
            assert list(await here.people.places(REHEARSAL, "nobody")) == []
            assert await texts_of(here.people, CAFE, "minji") == ["말 minji"]
            nobody = await here.people.of_member(CAFE, "nobody")
            assert not (nobody.incidents or nobody.deeds or nobody.sanctions or nobody.sent)

    asyncio.run(scenario())


def test_who_is_erased_in_one_place_is_there_alone(url: str | None) -> None:
    async def scenario() -> None:
        async with kept(url) as here:
            for place, who in ((CAFE, "minji"), (CAFE, "jisu"), (OTHER, "minji")):
                await here.offend(place, who)
            receipt = await here.erasing.erase_member(CAFE, "minji")
            assert receipt and receipt.code and receipt.rows and receipt.left == 0
            assert await texts_of(here.people, CAFE, "minji") == []
            assert list(await here.people.places(REHEARSAL, "minji")) == [OTHER]
            assert await texts_of(here.people, CAFE, "jisu") == ["말 jisu"]
            assert await here.erasing.go_on() == 0, "nothing had to stay"
            again = await here.erasing.erase_member(CAFE, "minji")
            assert again and again.rows == 0
            assert await here.erasing.erase_member(home("nowhere"), "minji") is None

    asyncio.run(scenario())


def test_a_community_is_erased_with_everybody_in_it_and_others_hear_of_it(url: str | None) -> None:
    async def scenario() -> None:
        async with kept(url) as here:
            for place, who in ((CAFE, "minji"), (CAFE, "jisu"), (OTHER, "minji")):
                await here.offend(place, who)
            assert list(await here.erasing.since(NOW)) == []
            await here.erasing.erase_member(CAFE, "jisu")
            (one,) = await here.erasing.since(NOW)
            assert one.community == CAFE and one.is_theirs("jisu") and not one.is_theirs("minji")
            receipt = await here.erasing.erase_community(CAFE)
            assert receipt and receipt.rows
            assert await here.erasing.erase_community(CAFE) is None
            assert list(await here.people.places(REHEARSAL, "minji")) == [OTHER]
            all_ = [one for one in await here.erasing.since(NOW) if one.is_theirs("anybody")]
            assert [one.community for one in all_] == [CAFE]

    asyncio.run(scenario())
