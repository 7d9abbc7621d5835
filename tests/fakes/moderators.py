"""What a chat network asks the core, answered by a script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bot.config import Config, policy_file
from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.communities.ports import PolicyFiles
from bot.core.communities.versions import Version
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import Changed, Precedents
from bot.core.incidents.review import Appeal, Call, Filed, History, Review
from bot.core.incidents.reviewing import Reviewed
from bot.core.moderation.flagging import Flagging
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.reporting.figures import Figures, TrialFigures
from bot.core.reporting.periods import parse
from bot.core.reporting.report import compose
from bot.core.reporting.what_if import Probabilities, WhatIf, what_if
from bot.core.rules.conditions import NOTHING_BEFORE, Past
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Policy, Rule
from tests.builders import decision
from tests.fakes.cases import scripted_deeds, scripted_raids, scripted_sharing
from tests.fakes.clock import ManualClock
from tests.fakes.incidents import MemoryFlags, MemoryPrecedents
from tests.fakes.moderation import MemoryInbox
from tests.fakes.operations import ScriptedPeople, scripted_privacy
from tests.fakes.record import Record
from tests.fakes.reporting import ScriptedRenderer
from tests.fakes.store import MemoryStore


class ScriptedDesk:
    """The core as a chat platform sees it: incidents that a test opens, calls that it remembers."""

    def __init__(self) -> None:
        self.settings: dict[str, Community] = {}
        self.deeds = scripted_deeds()
        self.raids = scripted_raids(self.deeds)
        self.sharing = scripted_sharing(
            self.deeds,
            Policies(store=MemoryStore().communities, build=lambda _: Policy(rules=()), clock=ManualClock()),
        )
        self.people = ScriptedPeople()
        self.privacy = scripted_privacy(self.people)
        self.record = Record()
        self.precedents: Precedents = MemoryPrecedents(self.record)
        self.flagging = Flagging(flags=MemoryFlags(self.record), inbox=MemoryInbox(self.record), clock=ManualClock())
        self.anomalies = 0
        self.reads_house_rules = True
        self.seen: list[Bot] = []
        self.incidents: dict[int, Incident] = {}
        self.calls: list[tuple[int, Call, str]] = []
        self.changed_by: list[str] = []
        self.policy_files: PolicyFiles = policy_file
        self.found = Probabilities(messages={}, incidents=())
        self.noted: list[Version] = []
        self.in_force = Policy(rules=())
        self.on_change: Changed = lambda community, incident_id: None

    def community(self, ref: CommunityRef) -> Community:
        return self.settings.get(ref.id) or Community.blank(ref)

    def communities(self, platform: Platform) -> Sequence[Community]:
        return list(self.settings.values())

    def schedule(self, community: CommunityRef) -> Schedule:
        return Config().schedule_of(self.community(community))

    def is_quiet(self, community: CommunityRef) -> bool:
        return self.community(community).quiet is not None

    def policy(self, message: Message) -> Policy:
        return self.in_force

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        return self.noted

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        self.changed_by.append(by)
        self.settings[community.id] = edit(self.community(community))
        return self.settings[community.id]

    def bots(self, community: CommunityRef) -> Sequence[tuple[Bot, bool]]:
        choices = self.community(community).bots
        return [(bot, choices.get(bot.id, bot.converses is not False)) for bot in self.seen]

    async def move(self, community: CommunityRef, new_id: str) -> None: ...

    async def look_up(self, community: CommunityRef, incident_id: int, *folded: int) -> tuple[Incident, History] | None:
        incident = self._incident(community, incident_id)
        history = History(incidents=2, upheld=1, overturned=0, last_at=incident.decided_at if incident else None)
        return (incident, history) if incident else None

    async def history(self, community: CommunityRef, member_id: str) -> History:
        return History(incidents=0, upheld=0, overturned=0, last_at=None)

    async def shown_with(self, incident: Incident, receipt: str) -> Sequence[int]:
        return sorted({incident.id, *(one.id for one in self.incidents.values() if one.card == receipt)})

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        known = (self._incident(community, one) for one in incidents)
        return {one.id: one.case for one in known if one}

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        there = [one for one in self.incidents.values() if one.decision.message.community == community]
        return {one.case: one.id for one in there if one.case in numbers}

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        incident = self.incidents.get(incident_id)
        return incident.decision.message.community if incident else None

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        theirs = (one for one in self.incidents.values() if one.decision.message.author.id == author_id)
        return next((one for one in theirs if code in (one.code, str(one.id))), None)

    def _incident(self, community: CommunityRef, incident_id: int) -> Incident | None:
        incident = self.incidents.get(incident_id)
        return incident if incident and incident.decision.message.community == community else None

    async def call(
        self,
        community: CommunityRef,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> Reviewed | None:
        self.calls.append((incident_id, call, moderator_id))
        incident = self._incident(community, incident_id)
        earlier = incident.review if incident else None
        if incident and incident.review is None and call.closes:
            review = Review(
                incident_id=incident_id,
                call=call,
                moderator_id=moderator_id,
                moderator_name=moderator_name,
                at=incident.decided_at,
            )
            self.incidents[incident_id] = replace(incident, review=review)
            self.on_change(community, incident_id)
        if incident is None:
            return None
        return Reviewed(incident=self.incidents[incident_id], earlier=earlier if call.closes else None)

    async def appeal(self, community: CommunityRef, incident_id: int, words: str) -> Filed | None:
        incident = self.incidents[incident_id]
        if incident.appeal:
            return Filed.HEARD_BEFORE
        appeal = Appeal(incident_id=incident_id, words=words, at=incident.decided_at)
        self.incidents[incident_id] = replace(incident, appeal=appeal)
        self.on_change(community, incident_id)
        return Filed.HEARD

    async def judge(self, message: Message, past: Past = NOTHING_BEFORE) -> Decision:
        return decision(message)

    async def what_if(self, community: CommunityRef, rule: Rule, score: float) -> WhatIf | None:
        return what_if(rule, score, self.found)

    async def trials(self, community: CommunityRef) -> Sequence[TrialFigures]:
        return ()

    async def report(
        self, community: CommunityRef, period: str | None = None, *, unmasked: bool = False
    ) -> Post | None:
        try:
            of = parse(period or "2026-W20", "Asia/Seoul")
        except ValueError:
            return None
        report = compose(community.id, of, Figures(start=of.start, end=of.end), ())
        return ScriptedRenderer(unmasked=unmasked).render(report, "ko")
