"""What communities have set + the configuration's defaults -> the policy that a message is under."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message, Platform
from bot.core.communities.community import Community
from bot.core.communities.ports import Communities
from bot.core.rules.policy import Policy, Watch

FOLLOW = 3.0  # seconds between two looks at what other processes have changed

Key = tuple[Platform, str]

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Policies:
    """Holds every community's settings in memory; the store is written first, and looked at again and again. `build`
    makes a policy of settings (None: of a community that has set nothing) and must give equal policies for equal
    settings."""

    store: Communities
    build: Callable[[Community | None], Policy]
    clock: Clock
    on_change: Callable[[Key], None] | None = None  # told after the settings of a community have changed
    _communities: dict[Key, Community] = field(default_factory=dict)
    _policies: dict[Key, Policy] = field(default_factory=dict)
    _rooms: frozenset[Key] = frozenset()
    _default: Policy | None = None
    _seen: int = 0  # the newest version that was read; this process's own changes are read once more

    async def load(self) -> None:
        """Read everything, at start and after ids have changed."""
        known = {(community.platform, community.id): community for community in await self.store.all()}
        gone = self._communities.keys() - known.keys()
        self._communities = {key: one for key, one in self._communities.items() if key not in gone}
        self._take(known.values())
        self._seen = max((community.version for community in known.values()), default=0)

    async def run(self) -> None:
        """Follow what other processes change, until cancelled."""
        while True:
            await self.clock.sleep(FOLLOW)
            try:
                await self.follow()
            except Unavailable as error:
                _log.warning("settings not looked at", reason=str(error))

    async def follow(self) -> None:
        """Take over what has changed in the store."""
        changes = await self.store.since(self._seen)
        if changes.communities:
            self._seen = changes.communities[-1].version
            self._take(changes.communities)
            if changes.number != len(self._communities):  # one has gone: it has another id now
                await self.load()

    def community(self, platform: Platform, community_id: str) -> Community:
        """The settings, empty ones where nothing was set."""
        return self._communities.get((platform, community_id)) or Community(platform=platform, id=community_id)

    def communities(self) -> Sequence[Community]:
        """All that have set something."""
        return list(self._communities.values())

    async def change(
        self, platform: Platform, community_id: str, edit: Callable[[Community], Community], *, by: str
    ) -> Community:
        """See `Desk.change`."""
        community = await self.store.change(platform, community_id, edit, by=by)
        self._take([community])
        return community

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        await self.store.move(platform, old_id, new_id)
        await self.load()
        self._tell([(platform, old_id), (platform, new_id)])

    def _take(self, communities: Iterable[Community]) -> None:
        """Never an older version in place of a newer one."""
        newer = {
            (one.platform, one.id): one
            for one in communities
            if one.version > self.community(one.platform, one.id).version
        }
        self._communities |= newer
        for key in newer:
            self._policies.pop(key, None)
        self._rooms = frozenset(
            (one.platform, one.moderators_channel)
            for one in self._communities.values()
            if one.moderators_channel not in (None, one.id)
        )  # fmt: skip
        self._tell(newer)

    def _tell(self, keys: Iterable[Key]) -> None:
        if self.on_change:
            for key in keys:
                self.on_change(key)

    def of(self, message: Message) -> Policy:
        """The rules that this message is under, now."""
        return self.of_community(message.ref.platform, message.community_id)

    def of_community(self, platform: Platform, community_id: str) -> Policy:
        key = (platform, community_id)
        community = self._communities.get(key)
        if community is None or not community.has_settings:
            self._default = policy = self._default or self.build(None)
            # Another community's moderators' room: they quote what they talk about. A chat with settings of its own
            # is never left unmoderated because somebody else chose it.
            exempt = {community_id} if key in self._rooms else frozenset[str]()
            return replace(policy, exempt_channels=policy.exempt_channels | exempt) if exempt else policy
        if key not in self._policies:
            self._policies[key] = self.build(community)
        policy = self._policies[key]
        if community.paused_until and self.clock.now() < community.paused_until:
            return policy.in_mode(Watch.WATCH)
        return policy
