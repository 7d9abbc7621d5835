"""A public blocklist over HTTP, and a group asking it: nothing but a number goes there, and nobody need believe it."""

import asyncio
from typing import Any

import pytest

from adapters.chat.telegram.joining import cas
from adapters.chat.telegram.joining.cas import Cas
from adapters.chat.telegram.refs import group_ref
from bot.core.communities.community import Listing
from bot.core.incidents.case import Case, CaseKind
from bot.core.rules.actions import Timeout, Warn
from bot.core.rules.policy import Watch
from tests.adapters.telegram.acting.test_door import quiet
from tests.adapters.telegram.stage import GROUP, Stage, connect, played
from tests.builders import NOW
from tests.fakes.cases import ScriptedCases
from tests.servers.small.blocklist import BlocklistServer
from tests.servers.telegram import BOT_ID, Chat, user

SPAMMER, MINJI = 660, 7


def test_it_says_what_it_says_and_whatever_else_it_does_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cas, "WITHIN", 0.3)

    async def scenario() -> None:
        async with BlocklistServer(SPAMMER) as server:
            asked = Cas(url=server.url)
            try:
                assert [await asked.lists(str(one)) for one in (SPAMMER, MINJI)] == [True, False]
                assert server.asked == [{"user_id": str(SPAMMER)}, {"user_id": str(MINJI)}]
                assert not {"Cookie", "Authorization", "Referer"} & server.headers[0].keys()
                assert await asked.lists("-100200") is None and await asked.lists("7&user_id=1") is None
                assert len(server.asked) == 2, "what is no account's number is told to nobody"
                odd: list[Any] = [
                    500, 302, 404, b"", b"null", b"[]", b'{"ok": 1, "result": {}}', b'{"ok": true}', b'{"ok": false}',
                    b"[" * 60_000, b'{"ok": true, "result": {' + b" " * 80_000 + b"}}", b"\xff",
                ]  # fmt: skip
                for server.trouble in odd:
                    assert await asked.lists(str(SPAMMER)) is None, server.trouble
                assert len(server.asked) == 2 + len(odd), "no redirection is followed"
                server.hangs = True
                assert await asked.lists(str(SPAMMER)) is None
            finally:
                await asked.close()
        gone = Cas(url=server.url)
        assert await gone.lists(str(SPAMMER)) is None
        await gone.close()

    asyncio.run(scenario())


async def asking(here: Stage, server: BlocklistServer, listing: Listing | None, mode: Watch = Watch.LIVE) -> Any:
    """The group, with what it has chosen, and its moderators' room."""
    await here.stop()
    here.chat = connect(here.server.url, here.desk, blocklist=server.url)
    room = await here.with_moderators(blocklist=listing, mode=mode)
    here.listen()
    await here.server.until(lambda: "chat_member" in here.server.allowed_updates)
    return room


def said(room: Chat) -> list[str]:
    return [one["text"] for one in room.messages.values() if one["from"]["id"] == BOT_ID]


def deeds(here: Stage) -> list[Case]:
    cases = here.desk.deeds.cases
    assert isinstance(cases, ScriptedCases)
    return [case for _, case in cases.opened]


async def come(here: Stage, *who: int) -> None:
    for one in who:
        here.server.join(here.group, user(one))
    await quiet(here)


@played
async def test_nobody_is_asked_about_where_nobody_wants_that(here: Stage) -> None:
    async with BlocklistServer(SPAMMER) as server:
        await asking(here, server, None)
        await come(here, SPAMMER)
        assert server.asked == [] and deeds(here) == []


@played
async def test_who_is_on_it_is_silenced_where_the_group_wants_that_and_it_is_a_case_like_any_other(here: Stage) -> None:
    async with BlocklistServer(SPAMMER) as server:
        room = await asking(here, server, Listing.RESTRICT)
        await come(here, SPAMMER, MINJI)
        await here.server.until(lambda: said(room))
        (case,) = deeds(here)
        assert (case.kind, case.member.id, case.moderator.id) == (CaseKind.MUTE, str(SPAMMER), "")
        assert [type(action) for action, _ in case.outcomes] == [Warn, Timeout] and "CAS" in case.words
        assert "7일" in said(room)[-1] and "/되돌리기 1" in said(room)[-1]
        await here.desk.deeds.cases.undo(group_ref(GROUP), 1, by="2", at=NOW)
        here.server.set_member(here.group, SPAMMER, "left", by=SPAMMER)
        await come(here, SPAMMER)
        assert len(deeds(here)) == 1, "who was freed is not silenced for it again"
        assert {one["user_id"] for one in server.asked} == {str(SPAMMER), str(MINJI)}


@played
async def test_moderators_are_told_where_the_group_wants_no_more_or_only_watches(here: Stage) -> None:
    async with BlocklistServer(SPAMMER, SPAMMER + 1) as server:
        room = await asking(here, server, Listing.FLAG)
        await come(here, SPAMMER)
        await here.server.until(lambda: said(room))
        room = await asking(here, server, Listing.RESTRICT, Watch.WATCH)
        await come(here, SPAMMER + 1)
        await here.server.until(lambda: len(deeds(here)) == 2)
        assert {one.kind for one in deeds(here)} == {CaseKind.NOTE} and not any(one.outcomes for one in deeds(here))
