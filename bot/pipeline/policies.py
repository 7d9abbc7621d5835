"""What communities have set + the configuration's defaults -> the policy that a message is under."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.domain.community import Community
from bot.domain.message import Message, Platform
from bot.domain.rules import Policy, Watch
from bot.ports import Clock, Communities

Key = tuple[Platform, str]


@dataclass(slots=True, kw_only=True)
class Policies:
    """Holds every community's settings in memory; the store is written first. `build` makes a policy of settings
    (None: of a community that has set nothing) and must give equal policies for equal settings."""

    store: Communities
    build: Callable[[Community | None], Policy]
    clock: Clock
    on_change: Callable[[Key], None] | None = None  # told after the settings of a community have changed
    _communities: dict[Key, Community] = field(default_factory=dict)
    _policies: dict[Key, Policy] = field(default_factory=dict)
    _default: Policy | None = None

    async def load(self) -> None:
        """Read everything, at start and after somebody else may have changed it."""
        self._communities = {(community.platform, community.id): community for community in await self.store.all()}
        self._policies.clear()

    def community(self, platform: Platform, community_id: str) -> Community:
        """The settings, empty ones where nothing was set."""
        return self._communities.get((platform, community_id)) or Community(platform=platform, id=community_id)

    def communities(self) -> Sequence[Community]:
        """All that have set something."""
        return list(self._communities.values())

    async def change(self, community: Community, *, by: str = "") -> None:
        """See `Desk.change`."""
        await self.store.put(community, by=by)
        self._communities[community.platform, community.id] = community
        self._policies.pop((community.platform, community.id), None)
        self._tell((community.platform, community.id))

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        await self.store.move(platform, old_id, new_id)
        await self.load()
        self._tell((platform, old_id), (platform, new_id))

    def _tell(self, *keys: Key) -> None:
        if self.on_change:
            for key in keys:
                self.on_change(key)

    def of(self, message: Message) -> Policy:
        """The rules that this message is under, now."""
        return self.of_community(message.ref.platform, message.community_id)

    def of_community(self, platform: Platform, community_id: str) -> Policy:
        key = (platform, community_id)
        community = self._communities.get(key)
        if community is None:
            self._default = self._default or self.build(None)
            return self._default
        if key not in self._policies:
            self._policies[key] = self.build(community)
        policy = self._policies[key]
        if community.paused_until and self.clock.now() < community.paused_until:
            return policy.in_mode(Watch.WATCH)
        return policy
