"""What the stores in memory share: messages, incidents, actions, and what a process died of."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef, Message, MessageRef
from bot.core.incidents.incident import Incident, PlannedAction, Settlement
from bot.core.incidents.review import IMPOSING, Call, Review, Step, consequences
from bot.core.moderation.ports import Member
from bot.core.operations.division import PARTS
from bot.core.rules.actions import Action, CalledOff, Done, Escalate, Flag, Outcome
from bot.core.rules.conditions.author import MOST_FIRST
from bot.core.rules.decision import Decision, climbed
from bot.core.rules.ladder import Strike
from bot.core.rules.policy import Reason
from bot.core.rules.precedent import Precedent
from tests.fakes.clock import ManualClock


@dataclass(kw_only=True)
class ActionRow:
    planned: PlannedAction
    outcome: Outcome | None = None
    started: bool = False
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    defect: str = ""

    def is_due(self, now: datetime, *, jumped: bool) -> bool:
        """`jumped`: the clock may have been put back."""
        if self.outcome is not None or self.started:
            return False
        fell_asleep = max(filter(None, (self.planned.planned_at, self.started_at)), default=now)
        return self.not_before is None or self.not_before <= now or (jumped and fell_asleep > now)


Named = TypeVar("Named", Message, ActionRow)


class Record:
    """What the stores that belong together hold: messages, incidents, actions."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.messages: dict[MessageRef, Message] = {}
        self.revisions: defaultdict[MessageRef, list[MessageRef]] = defaultdict(list)  # by the message's first
        self.leased: set[MessageRef] = set()
        self.settled: set[MessageRef] = set()
        self.said: list[Message] = []  # of which a database keeps hashes alone
        self.opened: dict[MessageRef, Incident] = {}  # as decided; `ActionRow` knows what came of it
        self.reviewed: dict[int, list[Review]] = {}  # of an incident, in order
        self.actions: dict[int, ActionRow] = {}
        self.bots: dict[CommunityRef, dict[str, Bot]] = {}
        self.members: dict[Member, tuple[int, datetime]] = {}
        self.rulings: dict[int, tuple[datetime, CommunityRef, Precedent | None]] = {}  # by incident
        self.strikes: dict[int, StrikeRow] = {}  # by incident
        self.flags: list[FlagRow] = []
        self.suspects = Suspects(self)
        self.shares: dict[CommunityRef, int] = {}

    def in_shares(self, community: CommunityRef, shares: Collection[int] | None) -> bool:
        return shares is None or self.share_of(community) in shares

    def share_of(self, community: CommunityRef) -> int:
        """In the order in which they were heard of, as keys are given in a database."""
        return self.shares.setdefault(community, (len(self.shares) + 1) % PARTS)

    def keep(self, message: Message) -> None:
        self.share_of(message.community)
        self.messages[message.ref] = message
        self.revisions[replace(message.ref, revision=0)].append(message.ref)

    def plan(self, incident: Incident, actions: Sequence[Action], due: datetime | None = None) -> None:
        decision = incident.decision
        for action in actions:
            planned = PlannedAction(
                id=len(self.actions) + 1,
                incident_id=incident.id,
                action=action,
                message=decision.message,
                rule=decision.rule or "",
                reason=decision.reason or Reason(ko="", en=""),
                language=decision.language,
                planned_at=self.clock.now(),
                number=incident.case,
                code=incident.code,
            )
            self.actions[planned.id] = ActionRow(planned=planned, not_before=due)

    def shown_on(self, planned: PlannedAction) -> tuple[str, bool]:
        """The card on which its incident stands, and whether its author has objected."""
        opened = next((one for one in self.opened.values() if one.id == planned.incident_id), None)
        shown = [
            row.outcome.receipt
            for row in self.actions.values()
            if row.planned.incident_id == planned.incident_id
            and isinstance(row.planned.action, Flag | Escalate)
            and isinstance(row.outcome, Done)
        ]
        return shown[-1] if shown else "", bool(opened and opened.appeal)

    def count_bot(self, settlement: Settlement) -> None:
        message = settlement.decision.message
        if settlement.decision.tells_of_a_bot:
            home = self.messages[message.ref].community  # it may have moved since
            seen = self.bots.setdefault(home, {})
            seen[message.author.id] = seen.get(message.author.id, Bot(id=message.author.id)).having_said(message)

    def count_member(self, settlement: Settlement) -> None:
        message = settlement.decision.message
        if settlement.counts_for:
            member = (self.messages[message.ref].community, message.author.id)
            heard, since = self.members.get(member, (0, message.sent_at))
            self.members[member] = (min(MOST_FIRST, heard + settlement.counts_for), min(since, message.sent_at))

    def opened_as(self, incident_id: int) -> Incident:
        return next(opened for opened in self.opened.values() if opened.id == incident_id)

    def opened_in(self, community: CommunityRef, incident_id: int) -> Incident | None:
        found = (
            opened
            for opened in self.opened.values()
            if opened.id == incident_id and opened.decision.message.community == community
        )
        return next(found, None)

    def follow(self, incident_id: int, due: datetime, called: Call | None = None) -> None:
        """What moderators' calls make of what was done so far."""
        opened = self.opened_as(incident_id)
        taken = [action for action in self.actions.values() if action.planned.incident_id == incident_id]
        decided = len(opened.decision.actions)
        steps = [
            Step(action=one.planned.action, outcome=one.outcome, begun=one.started, decided=place < decided)
            for place, one in enumerate(taken)
        ]
        calls = [review.call for review in self.reviewed.get(incident_id, [])]
        if calls:
            follows = consequences(calls, steps, called=called, appealed=opened.appeal is not None)
            for place in follows.called_off:
                taken[place].outcome = CalledOff()
            self.plan(opened, follows.then, due)

    def climb(self, settlement: Settlement, incident_id: int) -> Decision:
        """With the step that its strike leads to."""
        decision, at = settlement.decision, settlement.decided_at
        if not decision.strike:
            return decision
        who = decision.message.community, decision.message.author.id
        self.strikes[incident_id] = StrikeRow(who, decision.strike, at, at + settlement.ladder.lasting)
        return climbed(decision, self.struck(who, at), settlement.ladder)

    def struck(self, who: Member, at: datetime, until: int | None = None) -> int:
        theirs = ((id_, one) for id_, one in self.strikes.items() if one.who == who and one.decays_at > at)
        return sum(one.weight for id_, one in theirs if until is None or id_ <= until)

    def weigh(self, incident_id: int, strike: Strike, due: datetime) -> None:
        opened = self.opened_as(incident_id)
        who, at = (opened.decision.message.community, opened.decision.message.author.id), opened.decided_at
        before = self.strikes.get(incident_id)
        row = before or StrikeRow(who, 0, at, at + strike.lasting)
        self.strikes[incident_id] = row._replace(weight=strike.weight)
        if strike.weight >= row.weight:
            return
        for id_, one in sorted(self.strikes.items()):
            if id_ <= incident_id or one.who != who or not one.weight or one.at >= row.decays_at:
                continue
            decision, calls = self.opened_as(id_).decision, self.reviewed.setdefault(id_, [])
            is_final = any(call.call in IMPOSING or not call.moderator_id for call in calls)
            if decision.proposed or is_final or self.struck(who, one.at, id_) >= decision.step:
                continue
            now = self.clock.now()
            calls.append(Review(incident_id=id_, call=Call.LIFT, moderator_id="", moderator_name="", at=now))
            self.follow(id_, due, Call.LIFT)

    def incident(self, opened: Incident) -> Incident:
        taken = [action for action in self.actions.values() if action.planned.incident_id == opened.id]
        outcomes = tuple((action.planned.action, action.outcome) for action in taken)
        return replace(opened, outcomes=outcomes, flags=len(self.flags_of(opened.decision.message)))

    def flags_of(self, message: Message) -> list["FlagRow"]:
        place = (message.community, message.ref.channel_id, message.ref.message_id)
        return [one for one in self.flags if one.place == place]


class FlagRow(NamedTuple):
    place: tuple[CommunityRef, str, str]
    by: str
    at: datetime
    member: str  # until they are told


class StrikeRow(NamedTuple):
    who: Member
    weight: int
    at: datetime
    decays_at: datetime


class Suspects:
    """What a process died of: circles by message or action, and how many faults each has."""

    def __init__(self, store: "Record") -> None:
        self.store = store
        self.circles: dict[MessageRef | int, int] = {}
        self.faults: Counter[MessageRef | int] = Counter()

    def in_hand(self) -> list[MessageRef | int]:
        started = (id_ for id_, action in self.store.actions.items() if action.started and action.outcome is None)
        return [*self.store.leased, *started]

    def on_trial(self, one: MessageRef | int) -> bool:
        return one in self.circles and self.faults[one] < 3

    def die(self) -> None:
        in_hand = self.in_hand()
        suspects = set(filter(self.on_trial, in_hand))
        for one in in_hand:
            self.circles[one] = len(suspects if one in suspects else in_hand)
            self.faults[one] += self.circles[one] == 1

    def among(self, free: Sequence[Named]) -> tuple[list[Named], list[Named]]:
        """Of what is free -> the suspects that may be handed out now, and those that nobody suspects."""
        working = [one for one in free if self.faults[_name(one)] < 3]
        suspects = [one for one in working if _name(one) in self.circles]
        smallest = min((self.circles[_name(one)] for one in suspects), default=0)
        alike = [one for one in suspects if self.circles[_name(one)] == smallest]
        busy = any(map(self.on_trial, self.in_hand()))
        return [] if busy else alike[: -(-smallest // 2)], [one for one in working if one not in suspects]


def _name(one: "Message | ActionRow") -> MessageRef | int:
    return one.ref if isinstance(one, Message) else one.planned.id
