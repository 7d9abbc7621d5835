"""Settings in the memory of two processes over one store, and which chat is whose moderators' room."""

import asyncio
from dataclasses import replace

from bot.config import Config
from bot.core.chat.message import CommunityRef, Message, MessageRef
from bot.core.communities.community import Community
from bot.core.communities.policies import FOLLOW, Policies
from bot.core.rules.policy import Watch
from tests.builders import TELEGRAM, message, put_settings
from tests.fakes.store import MemoryStore

GROUP, ROOM = "-1001", "-1002"


def policies(store: MemoryStore) -> Policies:
    return Policies(store=store.communities, build=Config().policy_of, clock=store.clock)


def said(group: str) -> Message:
    return replace(message(community=group), ref=MessageRef(TELEGRAM, group, "1"))


def test_one_process_does_not_undo_what_another_has_changed() -> None:
    """Flow review, D5 (scripts/flow/c11_scale.py)."""

    async def scenario() -> None:
        store = MemoryStore()
        a, b = policies(store), policies(store)
        heard: list[CommunityRef] = []
        b.on_change = heard.append
        await b.load()
        following = asyncio.create_task(b.run())

        def go_live(now: Community) -> Community:
            return replace(now, moderators_channel=ROOM, mode=Watch.LIVE)

        await a.change(CommunityRef(TELEGRAM, GROUP), go_live, by="달")
        await b.change(CommunityRef(TELEGRAM, GROUP), lambda now: replace(now, report_channel="-77"), by="별")
        (stored,) = await store.communities.all()
        assert (stored.moderators_channel, stored.mode, stored.report_channel) == (ROOM, Watch.LIVE, "-77")
        await a.change(CommunityRef(TELEGRAM, "-5"), lambda now: replace(now, mode=Watch.LIVE), by="달")
        assert b.of(said("-5")).mode is Watch.WATCH
        await store.clock.advance(FOLLOW)
        assert b.of(said("-5")).mode is Watch.LIVE
        assert heard == [CommunityRef(TELEGRAM, GROUP), CommunityRef(TELEGRAM, "-5")]
        await a.move(CommunityRef(TELEGRAM, "-5"), "-1005")
        await store.clock.advance(FOLLOW)
        assert b.communities() == a.communities()
        assert b.of(said("-5")).mode is Watch.WATCH
        following.cancel()

    asyncio.run(scenario())


def test_a_moderators_room_is_exempt_unless_it_has_rules_of_its_own() -> None:
    """Security review, 1: nobody becomes exempt because somebody else has chosen their chat."""

    async def scenario() -> None:
        known = policies(MemoryStore())
        await put_settings(known, Community(platform=TELEGRAM, id=GROUP, moderators_channel=ROOM))
        assert ROOM in known.of(said(ROOM)).exempt_channels
        assert GROUP not in known.of(said(GROUP)).exempt_channels
        await put_settings(known, Community(platform=TELEGRAM, id=ROOM, name="운영진 방", welcomed=True))
        assert ROOM in known.of(said(ROOM)).exempt_channels
        await put_settings(known, Community(platform=TELEGRAM, id=ROOM, mode=Watch.LIVE))
        assert ROOM not in known.of(said(ROOM)).exempt_channels
        await put_settings(known, Community(platform=TELEGRAM, id=GROUP, moderators_channel=GROUP))
        assert GROUP not in known.of(said(GROUP)).exempt_channels

    asyncio.run(scenario())
