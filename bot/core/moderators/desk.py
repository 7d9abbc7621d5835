"""What moderators ask through a chat platform -> the review, the policies and the guard behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bot.core.answers.bot import Bot
from bot.core.base.clock import Clock
from bot.core.chat.message import Message, Platform
from bot.core.chat.post import Edition
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import NOTHING_TO_JUDGE
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import IncidentLog
from bot.core.incidents.review import Call, History
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.bots import Bots
from bot.core.moderation.screening import exchange_of
from bot.core.reporting.building import Editor
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.rules.conditions import Past
from bot.core.rules.decider import Decider
from bot.core.rules.policy import Decision, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDesk:
    """The `Desk` of a running application."""

    policies: Policies
    reviewer: Reviewer
    incidents: IncidentLog
    queue: GuardQueue
    bots_seen: Bots
    editor: Editor
    schedule_of: Callable[[Community], Schedule]
    clock: Clock
    decider: Decider = field(default_factory=Decider)

    def community(self, platform: Platform, community_id: str) -> Community:
        return self.policies.community(platform, community_id)

    def communities(self, platform: Platform) -> Sequence[Community]:
        return [community for community in self.policies.communities() if community.platform is platform]

    def schedule(self, platform: Platform, community_id: str) -> Schedule:
        return self.schedule_of(self.policies.community(platform, community_id))

    def policy(self, message: Message) -> Policy:
        return self.policies.of(message)

    async def change(
        self, platform: Platform, community_id: str, edit: Callable[[Community], Community], *, by: str
    ) -> Community:
        return await self.policies.change(platform, community_id, edit, by=by)

    def bots(self, platform: Platform, community_id: str) -> Sequence[tuple[Bot, bool]]:
        return self.bots_seen.of(self.policies.community(platform, community_id))

    async def move(self, platform: Platform, old_id: str, new_id: str) -> None:
        await self.policies.move(platform, old_id, new_id)
        self.bots_seen.move(platform, old_id, new_id)

    async def look_up(self, platform: Platform, community_id: str, incident_id: int) -> tuple[Incident, History] | None:
        incident = await self.incidents.get(platform, community_id, incident_id)
        if incident is None:
            return None
        return incident, await self.incidents.history(platform, community_id, incident.decision.message.author.id)

    async def whose(self, platform: Platform, incident_id: int) -> str | None:
        return await self.incidents.whose(platform, incident_id)

    async def mine(self, platform: Platform, author_id: str, incident_id: int) -> Incident | None:
        return await self.incidents.mine(platform, author_id, incident_id)

    async def call(
        self,
        platform: Platform,
        community_id: str,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> tuple[Incident, History] | None:
        await self.reviewer.call(
            platform, community_id, incident_id, call, moderator_id=moderator_id, moderator_name=moderator_name
        )
        return await self.look_up(platform, community_id, incident_id)

    async def appeal(self, platform: Platform, community_id: str, incident_id: int, words: str) -> bool:
        return await self.reviewer.appeal(platform, community_id, incident_id, words)

    async def judge(self, message: Message) -> Decision:
        policy, bot = self.policies.of(message), self.bots_seen.known(message)
        exchange = exchange_of(message, policy, bot)
        screening = (
            NOTHING_TO_JUDGE
            if exchange is None
            else await self.queue.submit(exchange, community_id=message.community_id, urgent=True)
        )
        at, past = self.clock.now(), Past(bot=bot)
        return await self.decider.decide(message, screening, policy, at=at, past=past, guest=True)

    async def report(
        self, platform: Platform, community_id: str, period: str | None = None, *, unmasked: bool = False
    ) -> Edition | None:
        edition = await self.editor.edition(platform, community_id, period, unmasked=unmasked)
        return edition and replace(edition, text="\n".join(filter(None, (edition.text, edition.remark))))
