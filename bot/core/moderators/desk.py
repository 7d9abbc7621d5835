"""What moderators ask through a chat platform -> the review, the policies and the guard behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.core.answers.bot import Bot
from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.communities.ports import PolicyFiles
from bot.core.communities.versions import Version
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import NOTHING_TO_JUDGE
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.sharing import Sharing
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import Incidents, Precedents
from bot.core.incidents.raids.watch import RaidWatch
from bot.core.incidents.review import Call, Filed, History
from bot.core.incidents.reviewing import Reviewed, Reviewer
from bot.core.moderation.bots import Bots
from bot.core.moderation.flagging import Flagging
from bot.core.moderation.rulings import Rulings
from bot.core.moderation.screening import exchange_of
from bot.core.operations.privacy import Privacy
from bot.core.reporting.building import ReportBuilder, tried, would_have_been
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.reporting.figures import TrialFigures
from bot.core.reporting.what_if import WhatIf
from bot.core.rules.conditions import NOTHING_BEFORE, Past
from bot.core.rules.decider import Decider
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Policy, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreDesk:
    """The `Desk` of a running application."""

    policies: Policies
    reviewer: Reviewer
    precedents: Precedents
    deeds: Deeds
    raids: RaidWatch
    sharing: Sharing
    flagging: Flagging
    privacy: Privacy
    incidents: Incidents
    queue: GuardQueue
    bots_seen: Bots
    builder: ReportBuilder
    schedule_of: Callable[[Community], Schedule]
    clock: Clock
    policy_files: PolicyFiles
    decider: Decider = field(default_factory=Decider)
    rulings: Rulings | None = None
    reads_house_rules: bool = False

    def community(self, ref: CommunityRef) -> Community:
        return self.policies.community(ref)

    def communities(self, platform: Platform) -> Sequence[Community]:
        return [community for community in self.policies.communities() if community.platform == platform]

    def schedule(self, community: CommunityRef) -> Schedule:
        return self.schedule_of(self.policies.community(community))

    @property
    def anomalies(self) -> int:
        return self.queue.figures.anomalies.total()

    def is_quiet(self, community: CommunityRef) -> bool:
        quiet = self.policies.community(community).quiet
        return quiet is not None and quiet.hold(self.clock.now(), self.schedule(community).timezone)

    def policy(self, message: Message) -> Policy:
        return self.policies.of(message)

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        return await self.policies.store.versions(community)

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        return await self.policies.change(community, edit, by=by)

    def bots(self, community: CommunityRef) -> Sequence[tuple[Bot, bool]]:
        return self.bots_seen.of(self.policies.community(community))

    async def move(self, community: CommunityRef, new_id: str) -> None:
        await self.policies.move(community, new_id)
        self.bots_seen.move(community, new_id)

    async def look_up(self, community: CommunityRef, incident_id: int, *folded: int) -> tuple[Incident, History] | None:
        incident = await self.incidents.get(community, incident_id)
        if incident is None:
            return None
        author = incident.decision.message.author.id
        return incident, await self.incidents.history(community, author, besides=(incident_id, *folded))

    async def history(self, community: CommunityRef, member_id: str) -> History:
        return await self.incidents.history(community, member_id)

    async def shown_with(self, incident: Incident, receipt: str) -> Sequence[int]:
        others = await self.incidents.on_card(incident.decision.message.community, receipt)
        return sorted({incident.id, *others})

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        return await self.incidents.numbers(community, incidents)

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        return await self.incidents.numbered(community, numbers)

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        return await self.incidents.whose(platform, incident_id)

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        return await self.incidents.mine(platform, author_id, code)

    async def call(
        self,
        community: CommunityRef,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> Reviewed | None:
        return await self.reviewer.call(
            community, incident_id, call, moderator_id=moderator_id, moderator_name=moderator_name
        )

    async def appeal(self, community: CommunityRef, incident_id: int, words: str) -> Filed | None:
        return await self.reviewer.appeal(community, incident_id, words)

    async def judge(self, message: Message, past: Past = NOTHING_BEFORE) -> Decision:
        policy, bot = self.policies.of(message), self.bots_seen.known(message)
        exchange = exchange_of(message, policy, bot)
        screening = (
            NOTHING_TO_JUDGE
            if exchange is None
            else await self.queue.submit(replace(exchange, is_chat=False), community=message.community, urgent=True)
        )
        called = self.rulings.of(message) if self.rulings else None
        past = replace(past, bot=bot, precedent=called or past.precedent)
        return await self.decider.decide(message, screening, policy, at=self.clock.now(), past=past, guest=True)

    async def what_if(self, community: CommunityRef, rule: Rule, score: float) -> WhatIf | None:
        return await would_have_been(self.builder.queries, community, rule, score, self.clock.now())

    async def trials(self, community: CommunityRef) -> Sequence[TrialFigures]:
        return await tried(self.builder.queries, community, self.clock.now())

    async def report(
        self, community: CommunityRef, period: str | None = None, *, unmasked: bool = False
    ) -> Post | None:
        post = await self.builder.build(community, period, unmasked=unmasked)
        return post and replace(post, text="\n".join(filter(None, (post.text, post.remark))))
