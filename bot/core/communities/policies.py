"""What communities have set + the configuration's defaults -> the policy that a message is under."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.communities.community import Community
from bot.core.communities.overrides import Override, about
from bot.core.communities.ports import Communities
from bot.core.communities.sharing import Shared, agreed, consented
from bot.core.rules.policy import Policy, Watch

FOLLOW = 3.0  # seconds between two looks at what other processes have changed
SILENCE = 3600.0  # seconds that a bell may be silent
OVERRIDDEN = 1_000  # policies of parts of communities that are remembered
REMEMBERED = 10_000  # communities whose policies are
ALIKE = 1_000  # policies that those share who have set the same

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Policies:
    """Holds every community's settings in memory; the store is written first, and looked at again and again. `build`
    makes a policy of settings (None: of a community that has set nothing) and must give equal policies for equal
    settings."""

    store: Communities
    build: Callable[[Community | None], Policy]
    clock: Clock
    on_change: Callable[[CommunityRef], None] | None = None  # told after the settings of a community have changed
    _communities: dict[CommunityRef, Community] = field(default_factory=dict)
    _policies: Bounded[CommunityRef, Policy] = field(default_factory=lambda: Bounded(REMEMBERED))
    _alike: Bounded[str, Policy] = field(default_factory=lambda: Bounded(ALIKE))
    _elsewhere: Bounded[Hashable, Policy] = field(default_factory=lambda: Bounded(OVERRIDDEN))
    _rooms: Mapping[Platform, Collection[str]] = field(default_factory=dict)  # of moderators
    _default: Policy | None = None
    _seen: int = 0  # the newest version that was read; this process's own changes are read once more

    async def load(self) -> None:
        """Read everything, at start."""
        known = await self.store.all()
        self._take(known)
        self._seen = max((community.version for community in known), default=0)

    async def run(self) -> None:
        """Follow what other processes change, until cancelled."""
        while True:
            await self.clock.sleep(FOLLOW)
            await self._look()

    async def listen(self, bell: Wakeup) -> None:
        """The same as soon as the bell rings."""
        while True:
            await bell.wait(SILENCE)
            await self._look()

    async def _look(self) -> None:
        try:
            await self.follow()
        except Unavailable as error:
            _log.warning("settings not looked at", reason=error)

    async def follow(self) -> None:
        """Take over what has changed in the store."""
        changes = await self.store.since(self._seen)
        if changes.communities:
            self._seen = changes.communities[-1].version
            self._take(changes.communities)
        if changes.number != len(self._communities):  # one has gone: it has another id now, or is erased
            there = await self.store.refs()
            for ref in self._communities.keys() - there:
                del self._communities[ref]
                self._policies.pop(ref, None)

    def community(self, ref: CommunityRef) -> Community:
        """The settings, empty ones where nothing was set."""
        return self._communities.get(ref) or Community.blank(ref)

    def communities(self) -> Sequence[Community]:
        """All that have set something."""
        return list(self._communities.values())

    def partners(self, ref: CommunityRef, what: Shared) -> Mapping[CommunityRef, datetime]:
        """With which communities one shares that, and since when; none that has taken the bot out."""
        here = self._communities.get(ref)
        if here is None or not here.shares or here.left_at:
            return {}
        others = (self.community(other) for other in consented(here.shares))
        since = {one.ref: agreed(ref, here.shares, one.ref, one.shares, what) for one in others if not one.left_at}
        return {other: at for other, at in since.items() if at}

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        """See `Desk.change`."""
        changed = await self.store.change(community, edit, by=by)
        self._take([changed])
        return changed

    def rebuild(self) -> None:
        """`build` makes other policies from now on."""
        self._policies.clear()
        self._alike.clear()
        self._elsewhere, self._default = Bounded(OVERRIDDEN), None
        self._tell(self._communities)

    async def move(self, community: CommunityRef, new_id: str) -> None:
        await self.store.move(community, new_id)
        await self.follow()
        self._tell([community, replace(community, id=new_id)])

    def _take(self, communities: Iterable[Community]) -> None:
        """Never an older version in place of a newer one."""
        newer = {one.ref: one for one in communities if one.version > self.community(one.ref).version}
        self._communities |= newer
        for ref in newer:
            self._policies.pop(ref, None)
        rooms = defaultdict[Platform, set[str]](set)
        for one in self._communities.values():
            if one.moderators_channel is not None and one.moderators_channel != one.id:
                rooms[one.platform].add(one.moderators_channel)
        self._rooms = rooms
        self._tell(newer)

    def _tell(self, refs: Iterable[CommunityRef]) -> None:
        if self.on_change:
            for ref in refs:
                self.on_change(ref)

    def of(self, message: Message) -> Policy:
        """The rules that this message is under, now."""
        community = self._communities.get(message.community)
        found = about(community.overrides, message, self.clock.now()) if community and community.overrides else ()
        return self._where(community, found) if community and found else self.of_community(message.community)

    def _where(self, community: Community, found: Iterable[tuple[str, Override]]) -> Policy:
        """With what is different there, and now."""
        now = self.clock.now()
        found = (*self._at_night(community, now), *found)
        key = community.ref, community.version, found
        if (policy := self._elsewhere.get(key)) is None:
            self._elsewhere[key] = policy = self.build(_overridden(community, found))
        return policy.in_mode(Watch.WATCH) if community.paused_until and now < community.paused_until else policy

    def _at_night(self, community: Community, now: datetime) -> Iterator[tuple[str, Override]]:
        """What holds everywhere in these hours, as far as no place or role says otherwise."""
        night = community.night
        if night and night.hours.hold(now, community.timezone or self._of_others().timezone):
            yield "", Override(mode=night.mode, preset=night.preset)

    def _of_others(self) -> Policy:
        """That of whoever has set nothing."""
        self._default = self._default or self.build(None)
        return self._default

    def of_community(self, ref: CommunityRef) -> Policy:
        community = self._communities.get(ref)
        if community is None or not community.has_settings:
            policy = self._of_others()
            # Another community's moderators' room: they quote what they talk about. A chat with settings of its own
            # is never left unmoderated because somebody else chose it.
            exempt = {ref.id} if ref.id in self._rooms.get(ref.platform, ()) else frozenset[str]()
            return replace(policy, exempt_channels=policy.exempt_channels | exempt) if exempt else policy
        if community.night and any(self._at_night(community, self.clock.now())):
            return self._where(community, ())
        policy = self._policies.get(ref) or self._built(community)
        self._policies[ref] = policy
        if community.paused_until and self.clock.now() < community.paused_until:
            return policy.in_mode(Watch.WATCH)
        return policy

    def _built(self, community: Community) -> Policy:
        """A policy is large, and most communities have set much the same."""
        ruled = community.as_ruled()
        policy = self._alike.get(key := repr(ruled)) or self.build(ruled)
        self._alike[key] = policy
        return policy


def _overridden(community: Community, found: Iterable[tuple[str, Override]]) -> Community:
    """The last that says something of a thing is meant; what is off anywhere is off."""
    for of, one in found:
        off = frozenset({of}) if one.off else frozenset[str]()
        community = replace(
            community,
            mode=one.mode or community.mode,
            preset=one.preset or community.preset,
            thresholds={**community.thresholds, **dict(one.thresholds)},
            exempt_channels=community.exempt_channels | off,
            exempt_roles=community.exempt_roles | off,
        )
    return community
