"""A moderator tries the bot with a message of their own, and nothing happens -> their room is told why, once."""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import STAFF, CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.incident import Settlement
from bot.core.operations.alarm import Sentence
from bot.core.rules.decider import LONG
from bot.core.rules.decision import decide
from bot.core.rules.policy import Reason

MOST = 1_000  # communities that wait to be told

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Sparing:
    """Of several processes, the one tells it that writes down first that it was told. Who is not connected `passes_on`
    what it has found: where nobody hears that, it is found again."""

    policies: Policies
    tell: Callable[[Community, Sentence], Awaitable[None]]
    clock: Clock
    platforms: Collection[Platform]  # that are connected
    pass_on: Callable[[str], None] | None = None
    poll: float = 60.0  # seconds
    _found: dict[CommunityRef, Reason] = field(default_factory=dict)
    _noticed: Wakeup = field(default_factory=Wakeup)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for one in settlements:
            message = one.decision.message
            if message.author.is_staff and not message.author.bot and self._has_to_learn(message.community):
                self._try(one)

    def heard(self, said: str) -> None:
        """What another process has found."""
        platform, community, ko, en = json.loads(said)
        ref = CommunityRef(Platform(platform), community)
        if ref.platform in self.platforms and self._has_to_learn(ref):
            self._found[ref] = Reason(ko=ko, en=en)
            self._noticed.wake()

    def _has_to_learn(self, ref: CommunityRef) -> bool:
        community = self.policies.community(ref)
        is_told = community.staff_explained or community.ref in self._found or len(self._found) >= MOST
        return not is_told and community.moderators_channel is not None

    def _try(self, one: Settlement) -> None:
        """What would have been decided, had an ordinary member said so."""
        author = one.decision.message.author
        message = replace(one.decision.message, author=replace(author, myself=False, roles=author.roles - STAFF))
        policy = self.policies.of(message)
        if len(message.text) > LONG or policy.to_search:
            return
        decision = decide(message, one.decision.screening, policy, at=one.decided_at)
        if decision.reason:
            self._found[message.community] = decision.reason
            self._noticed.wake()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for ref in list(self._found):
                try:
                    await self._explain(ref)
                except BotError as error:
                    _log.warning("not explained", community=ref.id, reason=error)
                del self._found[ref]
            await self._noticed.wait(self.poll)

    async def _explain(self, ref: CommunityRef) -> None:
        is_first, found = False, self._found[ref]
        if ref.platform not in self.platforms:
            if self.pass_on:
                self.pass_on(json.dumps([ref.platform, ref.id, found.ko, found.en], ensure_ascii=False))
            return

        def edit(now: Community) -> Community:
            nonlocal is_first
            is_first = not now.staff_explained
            return replace(now, staff_explained=True)

        community = await self.policies.change(ref, edit, by="")
        if is_first:
            await self.tell(community, lambda _, say: say("spared.told", reason=found.in_(say.language)))
