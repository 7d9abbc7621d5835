"""Settings in the memory of two processes over one store, and which chat is whose moderators' room."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.config import Config
from bot.core.chat.message import CommunityRef, Message, MessageRef
from bot.core.communities.community import Community
from bot.core.communities.policies import FOLLOW, Policies
from bot.core.rules.policy import Policy, Watch
from tests.builders import NOW, TELEGRAM, message, put_settings
from tests.fakes.communities import MemoryCommunities
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


class ReadOnce(MemoryCommunities):
    def __init__(self, store: MemoryStore) -> None:
        vars(self).update(vars(store.communities))
        self.read = 0

    async def all(self) -> Sequence[Community]:
        self.read += 1
        return await super().all()


def test_where_one_has_moved_or_gone_the_others_are_not_read_again() -> None:
    """A hundred thousand took every process ten seconds, each time a group became a supergroup."""

    async def scenario() -> None:
        store = MemoryStore()
        for id_ in (GROUP, "-5", "-7"):
            await put_settings(store.communities, Community(platform=TELEGRAM, id=id_, preset="strict"))
        stored = ReadOnce(store)
        here, there = (Policies(store=stored, build=Config().policy_of, clock=store.clock) for _ in range(2))
        await here.load()
        await there.load()
        await here.move(CommunityRef(TELEGRAM, "-5"), "-1005")
        del stored.settings[CommunityRef(TELEGRAM, "-7")]
        await here.follow()
        await there.follow()
        assert [{one.id for one in each.communities()} for each in (here, there)] == [{GROUP, "-1005"}] * 2
        assert there.of(said("-1005")) == there.of(said(GROUP)) != there.of(said("-5"))
        assert stored.read == 2, "at the start of each"

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


def test_what_only_some_set_takes_room_only_where_it_is_set() -> None:
    """Of a hundred thousand communities, what nobody sets was 23 MiB."""
    blank = Community(platform=TELEGRAM, id=GROUP)
    plain, other = replace(blank, preset="strict", welcomed=True), replace(blank, house_rules="존댓말", gate=True)
    assert vars(plain) == {} and vars(other) == {"house_rules": "존댓말", "gate": True}
    assert vars(replace(other, gate=False)) == {"house_rules": "존댓말"}
    assert plain.thresholds is other.thresholds and plain.house_rules == "" != other.house_rules
    assert plain.has_settings and not replace(blank, name="카페", welcomed=True, left_at=NOW).has_settings


def test_who_has_set_the_same_is_under_one_policy() -> None:
    """Flow review, growth: 17 kB for each of 100,000 communities that are nearly all alike."""

    async def scenario() -> None:
        store = MemoryStore()
        built: list[Community | None] = []

        def build(community: Community | None) -> Policy:
            built.append(community)
            return Config().policy_of(community)

        ours = Policies(store=store.communities, build=build, clock=store.clock)
        for number in range(40):
            alike = Community(
                platform=TELEGRAM, id=f"-{number}", name=f"모임 {number}", moderators_channel=f"-9{number}",
                preset="strict", exempt_roles=frozenset({"1", "2"}), urgent=(str(number),),
            )  # fmt: skip
            await put_settings(store.communities, alike)
        await ours.load()
        policies = [ours.of(said(f"-{number}")) for number in range(40)]
        assert len(built) == 1 and all(one is policies[0] for one in policies)
        assert policies[0] == Config().policy_of(ours.community(CommunityRef(TELEGRAM, "-0")))
        await ours.change(CommunityRef(TELEGRAM, "-7"), lambda now: replace(now, preset="gentle"), by="달")
        assert ours.of(said("-7")) != policies[0] and ours.of(said("-8")) is policies[0]
        ours.rebuild()
        assert ours.of(said("-8")) is not policies[0]

    asyncio.run(scenario())
