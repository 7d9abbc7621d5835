"""A moderator's call on an incident, or its author's appeal -> what follows, once, however many press at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import Changed, Incidents, Reviews
from bot.core.incidents.review import IMPOSING, LONGEST_APPEAL, Appeal, Call, Filed, Review
from bot.core.rules.actions import Flag
from bot.core.rules.decision import Decision
from bot.core.rules.ladder import USUAL, Ladder
from bot.core.rules.policy import Mode
from bot.core.rules.precedent import Mark, Precedent, Ruling, likeness

#: How long nobody need say it again.
PRECEDENT_HOLDS = timedelta(days=180)

#: What a call says of what the rules did; the others say nothing of it.
_RULING = {
    Call.WRONG: Ruling.WRONG,
    **dict.fromkeys((Call.RIGHT, Call.DELETE, *IMPOSING, Call.UPHOLD), Ruling.RIGHT),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """`incident` as it is now. `earlier` is the call of somebody who came first; then nothing was done."""

    incident: Incident
    earlier: Review | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Who may press is the platform's to check, at every press."""

    incidents: Incidents
    reviews: Reviews
    clock: Clock
    planned: Wakeup
    on_change: Changed | None = None
    ladder_of: Callable[[CommunityRef], Ladder] = lambda community: USUAL
    mark: Mark | None = None  # what precedents are recognised by; None: none are made

    async def call(
        self,
        community: CommunityRef,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> Reviewed | None:
        """None where the community has no such incident."""
        incident = await self.incidents.get(community, incident_id)
        if incident is None:
            return None
        now = self.clock.now()
        review = Review(
            incident_id=incident_id, call=call, moderator_id=moderator_id, moderator_name=moderator_name, at=now
        )
        precedent = self._precedent(incident, review)
        weight = _weight(incident.decision, call)
        strike = None if weight is None else self.ladder_of(community).strike(weight)
        if earlier := await self.reviews.record(community, review, due=now, precedent=precedent, strike=strike):
            return Reviewed(incident=incident, earlier=earlier)
        self._recorded(community, incident_id)
        return Reviewed(incident=await self.incidents.get(community, incident_id) or incident)

    async def appeal(self, community: CommunityRef, incident_id: int, words: str) -> Filed | None:
        """See `Desk.appeal`."""
        now = self.clock.now()
        appeal = Appeal(incident_id=incident_id, words=words[:LONGEST_APPEAL], at=now)
        filed = await self.reviews.appeal(community, appeal, (Flag(),), due=now)
        if filed is Filed.HEARD:
            self._recorded(community, incident_id)
        return filed

    def _precedent(self, incident: Incident, review: Review) -> Precedent | None:
        ruling, decision = _RULING.get(review.call), incident.decision
        found = {one.rule for one in decision.findings if one.matched and one.mode is Mode.LIVE}
        seen = likeness(decision.message, self.mark) if self.mark and ruling and found else None
        if ruling is None or seen is None:
            return None
        return Precedent(
            incident_id=incident.id,
            case=incident.case,
            ruling=ruling,
            rules=frozenset(found),
            likeness=seen,
            until=review.at + PRECEDENT_HOLDS,
        )

    def _recorded(self, community: CommunityRef, incident_id: int) -> None:
        self.planned.wake()
        if self.on_change:
            self.on_change(community, incident_id)


def _weight(decision: Decision, call: Call) -> int | None:
    """How much an incident counts against its author after a call; None: as before."""
    author = decision.message.author
    if author.bot or author.no_account or author.is_staff or not author.id:
        return None
    match call:
        case Call.WRONG:
            return 0
        case Call.RIGHT:
            return decision.strike
        case _ if call is Call.DELETE or call in IMPOSING:
            return max(decision.strike, 1)
    return None
