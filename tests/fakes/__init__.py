"""In-memory stand-ins behind the ports. Each passes the same contract suite as the real thing."""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any, TypeVar

from bot.core.answers.bot import Bot
from bot.core.base.errors import BotError
from bot.core.chat.message import Author, CommunityRef, Kind, Message, MessageRef, Platform
from bot.core.chat.post import Attachment, Post
from bot.core.communities.community import Community
from bot.core.communities.journal import Aside, AuditEntry, Outage, amendments
from bot.core.communities.ports import Changes
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict
from bot.core.incidents.incident import Incident, PlannedAction, Settlement, Trace
from bot.core.incidents.review import Appeal, Call, History, Review, Step, aftermath, consequences
from bot.core.moderation.tally import Tally
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.operations.keys import API, ApiKey
from bot.core.reporting.delivery.delivery import FINAL, OVERTAKEN, Delivery, State
from bot.core.reporting.figures import Figures, Totals
from bot.core.reporting.report import Report
from bot.core.rules.actions import Action, CalledOff, Delete, Done, Outcome, Unconfirmed, Weight
from bot.core.rules.policy import Reason
from tests.builders import REHEARSAL


class ScriptedPlatform:
    """A chat platform that delivers what it is given and remembers what it was told to do."""

    platform = REHEARSAL

    def __init__(self, *batches: Sequence[Message]) -> None:
        self.batches = batches
        self.confirmed = 0  # batches that we said we have
        self.performed: list[PlannedAction] = []
        self.answers: dict[str, Outcome | BaseException] = {}  # by kind of action
        self.authors: dict[str, Author | Exception] = {}  # as they are met, by id
        self.met: list[MessageRef] = []
        self.announced: list[tuple[str, str]] = []
        self.published: list[tuple[str, Post, str]] = []  # channel, what, mark

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        for batch in self.batches:
            yield batch
            self.confirmed += 1

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.performed.append(planned)
        answer = self.answers.get(planned.action.kind, Done())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def meet(self, message: Message) -> Author:
        self.met.append(message.ref)
        author = self.authors.get(message.author.id, replace(message.author, unmet=False))
        if isinstance(author, Exception):
            raise author
        return author

    async def announce(self, channel_id: str, text: str) -> None:
        self.announced.append((channel_id, text))

    async def publish(self, channel_id: str, edition: Post, *, mark: str) -> Outcome:
        answer = self.answers.get("publish", Done())
        if isinstance(answer, BaseException):
            raise answer
        self.published.append((channel_id, edition, mark))
        return answer


class ScriptedGuard:
    """Scores every prompt 0.0 unless `answers` knows it; can be in `trouble`, `hang` for ever, or `hold` on."""

    version = GuardVersion(name="scripted", model="1")
    tasks = frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    def __init__(self, answers: Mapping[str, Screening | Exception | float] | None = None) -> None:
        self.answers = dict(answers or {})
        self.trouble: BotError | None = None
        self.hang = False
        self.hold: asyncio.Event | None = None
        self.asked: list[Sequence[Exchange]] = []
        self.cancelled = 0

    @property
    def count(self) -> int:
        return sum(map(len, self.asked))

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        self.asked.append(exchanges)
        try:
            if self.hang:
                await asyncio.Event().wait()
            if self.hold:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.trouble:
            raise self.trouble
        return [self._answer(exchange) for exchange in exchanges]

    def _answer(self, exchange: Exchange) -> Screening:
        answer = self.answers.get(exchange.response or exchange.prompt or "", 0.0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
            return Verdict(guard=self.version, scores={task: answer})
        return answer


class ManualClock:
    """Time stands still until a test moves it."""

    def __init__(self, now: datetime = datetime(2026, 5, 15, 12, tzinfo=UTC)) -> None:
        self._start = self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), sleeper))
        await sleeper

    async def advance(self, seconds: float) -> None:
        """Move on step by step, so that whoever wakes up can go to sleep again on the way."""
        end = self._now + timedelta(seconds=seconds)
        await _settle()
        while due := sorted((moment for moment, sleeper in self._sleepers if moment <= end and not sleeper.done())):
            self._now = max(self._now, due[0])
            for moment, sleeper in self._sleepers:
                if moment <= self._now and not sleeper.done():
                    sleeper.set_result(None)
            self._sleepers = [(moment, sleeper) for moment, sleeper in self._sleepers if not sleeper.done()]
            await _settle()
        self._now = end
        await _settle()


class HurriedClock:
    """Runs `speed` times as fast as the world, so that a minute is over in a moment."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began, self._at = time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


async def _settle() -> None:
    """Let every task run until all of them wait for something."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class _Action:
    planned: PlannedAction
    outcome: Outcome | None = None
    started: bool = False
    not_before: datetime | None = None
    started_at: datetime | None = None
    defect: str = ""

    def is_due(self, now: datetime, *, jumped: bool) -> bool:
        """`jumped`: the clock may have been put back."""
        if self.outcome is not None or self.started:
            return False
        fell_asleep = max(filter(None, (self.planned.planned_at, self.started_at)), default=now)
        return self.not_before is None or self.not_before <= now or (jumped and fell_asleep > now)


Named = TypeVar("Named", Message, _Action)


class MemoryStore:
    """An inbox, an outbox and an incident log over the same few dictionaries."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.messages: dict[MessageRef, Message] = {}
        self.settled: set[MessageRef] = set()
        self.opened: dict[MessageRef, Incident] = {}  # as decided; `_Action` knows what came of it
        self.reviewed: dict[int, list[Review]] = {}  # of an incident, in order
        self.actions: dict[int, _Action] = {}
        self.inbox = MemoryInbox(self)
        self.outbox = MemoryOutbox(self)
        self.incidents = MemoryIncidents(self)
        self.reviews = MemoryReviews(self)
        self.communities = MemoryCommunities(self)
        self.journal = MemoryJournal()
        self.bookmarks = MemoryBookmarks()
        self.keys = MemoryApiKeys()
        self.deliveries = MemoryDeliveries(self.clock)
        self.bots: dict[CommunityRef, dict[str, Bot]] = {}
        self.bot_roll = MemoryBotRoll(self)
        self.suspects = Suspects(self)

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
            )
            self.actions[planned.id] = _Action(planned=planned, not_before=due)

    def count_bot(self, settlement: Settlement) -> None:
        message = settlement.decision.message
        if settlement.decision.tells_of_a_bot:
            home = self.messages[message.ref].community  # it may have moved since
            seen = self.bots.setdefault(home, {})
            seen[message.author.id] = seen.get(message.author.id, Bot(id=message.author.id)).having_said(message)

    def restart(self) -> None:
        """What the death of the process leaves behind."""
        self.inbox.leased.clear()
        self.deliveries.restart()
        self.outbox.latest = None
        self.outbox.in_hand.clear()
        for action in self.actions.values():
            if action.started and action.outcome is None:
                action.started = False
                action.outcome = None if action.planned.action.repeatable else Unconfirmed()
                self.follow(action.planned.incident_id, self.clock.now())

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

    def incident(self, opened: Incident) -> Incident:
        taken = [action for action in self.actions.values() if action.planned.incident_id == opened.id]
        return replace(opened, outcomes=tuple((action.planned.action, action.outcome) for action in taken))


class Suspects:
    """What a process died of: circles by message or action, and how many faults each has."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.circles: dict[MessageRef | int, int] = {}
        self.faults: Counter[MessageRef | int] = Counter()

    def in_hand(self) -> list[MessageRef | int]:
        started = (id_ for id_, action in self.store.actions.items() if action.started and action.outcome is None)
        return [*self.store.inbox.leased, *started]

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


def _name(one: "Message | _Action") -> MessageRef | int:
    return one.ref if isinstance(one, Message) else one.planned.id


class MemoryInbox:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.leased: set[MessageRef] = set()
        self.aside: dict[MessageRef, datetime] = {}
        self.unjudged: set[MessageRef] = set()
        self.served = CommunityRef(API, "")  # the first of all

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        fresh = []
        for message in messages:
            fresh.append(message.ref not in self.store.messages)
            self.store.messages.setdefault(message.ref, message)
        return fresh

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        free = [
            message
            for ref, message in self.store.messages.items()
            if ref not in self.leased and ref not in self.store.settled and ref not in self.aside
        ]
        suspects, free = self.store.suspects.among(free)
        free.sort(key=lambda message: message.sent_at)
        room = max(0, limit - len(suspects))
        claimed = self._in_turns([message for message in free if message.sent_at >= fresh_since], room)
        stale = [message for message in free if message.sent_at < fresh_since]
        claimed += self._in_turns(stale, room - len(claimed))
        if claimed:
            self.served = claimed[-1].community
        return self._lease(suspects[:limit] + claimed)

    async def fault(self, ref: MessageRef) -> None:
        if ref in self.leased:
            self.leased.discard(ref)
            self.store.suspects.faults[ref] += 1

    async def given_up(self, limit: int) -> Sequence[Message]:
        taken = self.leased | self.store.settled
        faults = self.store.suspects.faults
        found = [one for ref, one in self.store.messages.items() if ref not in taken and 3 <= faults[ref] < 6]
        return self._lease(found[:limit])

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        for ref in self.leased.intersection(refs):
            self.leased.discard(ref)
            self.aside.setdefault(ref, self.store.clock.now())
            self.store.suspects.circles.pop(ref, None)

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        free = self.aside.keys() - self.leased - self.store.settled
        due = [one for ref, one in self.store.messages.items() if ref in free and one.sent_at < sent_before]
        _, innocent = self.store.suspects.among(due)
        return self._lease(sorted(innocent, key=lambda message: message.sent_at, reverse=True)[:limit])

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        found: dict[CommunityRef, list[Message]] = {}
        for ref, at in self.aside.items():
            if at >= since:
                message = self.store.messages[ref]
                found.setdefault(message.community, []).append(message)
        return {
            place: Aside(
                len(some),
                len({one.ref.channel_id for one in some}),
                sum(one.ref in self.unjudged for one in some),
            )
            for place, some in found.items()
        }

    def _lease(self, some: list[Message]) -> list[Message]:
        self.leased |= {message.ref for message in some}
        return some

    def _in_turns(self, free: list[Message], limit: int) -> list[Message]:
        communities = sorted({message.community for message in free})
        next_ = bisect_right(communities, self.served)
        turns = communities[next_:] + communities[:next_]
        lines = [[m for m in free if m.community == community] for community in turns]
        newest = [one for one in chain.from_iterable(zip_longest(*map(reversed, lines))) if one is not None][:limit]
        rounds = zip_longest(*([m for m in line if m in newest] for line in lines))
        return [message for message in chain.from_iterable(rounds) if message is not None]

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            ref = settlement.decision.message.ref
            self.leased.discard(ref)
            if ref in self.store.messages and ref not in self.store.settled:
                self.store.settled.add(ref)
                if not isinstance(settlement.decision.screening, Verdict):
                    self.unjudged.add(ref)
                self.store.count_bot(settlement)
                if settlement.decision.is_incident:
                    self._open(settlement)
                else:
                    self._erase(ref)
        for settlement in settlements:
            self._withdraw(settlement.decision.message.ref)

    def _open(self, settlement: Settlement) -> None:
        kept = self.store.messages[settlement.decision.message.ref]
        own = replace(settlement.decision.message, community_id=kept.community_id)  # it may have moved since
        decision = replace(settlement.decision, message=own)
        opened = Incident(
            id=len(self.store.opened) + 1, decision=decision, decided_at=settlement.decided_at, outcomes=()
        )
        self.store.opened[decision.message.ref] = opened
        self.store.plan(opened, decision.actions)

    def _erase(self, ref: MessageRef) -> None:
        message = self.store.messages[ref]
        self.store.messages[ref] = Message(
            ref=ref,
            community_id=message.community_id,
            author=Author(id=message.author.id),
            sent_at=message.sent_at,
            kind=message.kind,
        )

    def _withdraw(self, ref: MessageRef) -> None:
        """Note on the incidents of a message that it was taken away, unless that was our own doing."""
        revisions = [other for other in self.store.messages if replace(other, revision=ref.revision) == ref]
        gone_at = [
            self.store.messages[other].sent_at
            for other in revisions
            if other in self.store.settled and self.store.messages[other].kind is Kind.DELETE
        ]
        for opened in [self.store.opened[other] for other in revisions if other in self.store.opened]:
            own = any(
                isinstance(action.outcome, Done) or (action.started and action.outcome is None)
                for action in self.store.actions.values()
                if action.planned.incident_id == opened.id and action.planned.action == Delete()
            )
            if gone_at and opened.withdrawn_at is None and not own:
                withdrawn = replace(opened, withdrawn_at=min(gone_at))
                self.store.opened[opened.decision.message.ref] = withdrawn

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        return [ref in self.store.settled for ref in refs]

    async def waiting(self) -> int:
        return len(self.store.messages.keys() - self.store.settled)

    async def recent(self, since: datetime) -> Sequence[Message]:
        found = [message for message in self.store.messages.values() if message.sent_at >= since]
        return sorted(found, key=lambda message: message.sent_at)

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        sent = [
            message.ref
            for message in self.store.messages.values()
            if start <= message.sent_at < end and community in (None, message.community)
        ]
        return Tally(kept=len(sent), settled=sum(ref in self.store.settled for ref in sent))


class MemoryBotRoll:
    """Counts again, from what is settled."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def all(self) -> Sequence[tuple[CommunityRef, Bot]]:
        return [(community, bot) for community, seen in self.store.bots.items() for bot in seen.values()]


class MemoryOutbox:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.served: dict[tuple[bool, Platform], str] = {}
        self.latest: datetime | None = None
        self.in_hand: set[int] = set()

    async def claim(
        self, limit: int, *, now: datetime, platforms: Collection[Platform], under_way: UnderWay | None = None
    ) -> Sequence[PlannedAction]:
        under_way = under_way or UnderWay(whole=limit, platform=limit, community=limit)
        jumped = self.latest is None or now < self.latest
        self.latest = now
        here = [one for one in self.store.actions.values() if one.planned.message.ref.platform in platforms]
        due = sorted((one for one in here if one.is_due(now, jumped=jumped)), key=lambda one: one.planned.attempts)
        due = [one for one in due if one.planned.id not in self.in_hand]
        for action in due:
            action.not_before = None
        suspects, free = self.store.suspects.among(due)
        faults = self.store.suspects.faults
        waiting: dict[Lane, list[_Action]] = {}
        for action in (*suspects, *(one for one in due if faults[one.planned.id] >= 3), *free):
            waiting.setdefault(Lane.of(action.planned), []).append(action)
        chosen = under_way.in_turns({lane: waiting[lane] for lane in sorted(waiting, key=self._turn)}, limit)
        for action in chosen:
            action.started, action.started_at = True, self.store.clock.now()
            defect = action.defect or "died" if faults[action.planned.id] >= 3 else ""
            action.planned = replace(action.planned, attempts=action.planned.attempts + 1, defect=defect)
            lane = Lane.of(action.planned)
            self.served[lane.protects, lane.community.platform] = lane.community.id
        self.in_hand.update(action.planned.id for action in chosen)
        return [action.planned for action in chosen]

    def _turn(self, lane: Lane) -> tuple[bool, str]:
        id_ = lane.community.id
        return id_ <= self.served.get((lane.protects, lane.community.platform), ""), id_

    async def record(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> None:
        for planned, outcome in results:
            self.in_hand.discard(planned.id)
            action = self.store.actions[planned.id]
            is_open = action.outcome is None or isinstance(action.outcome, Unconfirmed)
            if is_open and action.planned.attempts <= planned.attempts:
                action.outcome = replace(outcome, brief=False) if isinstance(outcome, Done) else outcome
                self.store.follow(action.planned.incident_id, self.store.clock.now())
                for follows, pause in aftermath(planned.action, outcome).items():
                    due = self.store.clock.now() + pause
                    self.store.plan(self.store.opened_as(planned.incident_id), (follows,), due)

    async def postpone(self, planned: PlannedAction, until: datetime, *, defect: str = "") -> None:
        self.in_hand.discard(planned.id)
        action = self.store.actions[planned.id]
        if action.outcome is None and action.started and action.planned.attempts == planned.attempts:
            action.started, action.not_before, action.defect = False, until, defect
            self.store.suspects.circles.pop(planned.id, None)
            self.store.suspects.faults[planned.id] += bool(defect)
            self.store.follow(action.planned.incident_id, self.store.clock.now())


class MemoryIncidents:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def between(
        self, start: datetime, end: datetime, community: CommunityRef | None = None
    ) -> Sequence[Incident]:
        found = [
            self.store.incident(opened)
            for opened in self.store.opened.values()
            if start <= opened.decided_at < end and community in (None, opened.decision.message.community)
        ]
        return sorted(found, key=lambda incident: (incident.decided_at, incident.id))

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        found = [self.store.incident(opened) for ref, opened in self.store.opened.items() if ref in refs]
        return sorted(found, key=lambda incident: (incident.decided_at, incident.id))

    async def traces(self, since: datetime, *, each: int) -> Sequence[Trace]:
        traces: dict[tuple[CommunityRef, str], list[Trace]] = {}
        for opened in sorted(self.store.opened.values(), key=lambda incident: (incident.decided_at, incident.id)):
            about, rule = opened.decision.message, opened.decision.rule
            if opened.decided_at >= since and rule is not None:
                acted = any(action.weight >= Weight.MESSAGE for action in opened.decision.actions)
                trace = Trace(
                    about.community, about.author.id, about.ref.channel_id,
                    about.sent_at, opened.decided_at, rule, acted,
                )  # fmt: skip
                traces.setdefault((about.community, about.author.id), []).append(trace)
        newest = [trace for theirs in traces.values() for trace in theirs[-each:]]
        return sorted(newest, key=lambda trace: trace.decided_at)

    async def get(self, community: CommunityRef, incident_id: int) -> Incident | None:
        opened = self.store.opened_in(community, incident_id)
        return opened and self.store.incident(opened)

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        found = (
            opened.decision.message.community
            for opened in self.store.opened.values()
            if (opened.id, opened.decision.message.ref.platform) == (incident_id, platform)
        )
        return next(found, None)

    async def mine(self, platform: Platform, author_id: str, incident_id: int) -> Incident | None:
        found = (
            self.store.incident(opened)
            for opened in self.store.opened.values()
            if (opened.id, opened.decision.message.ref.platform) == (incident_id, platform)
            and opened.decision.message.author.id == author_id
        )
        return next(found, None)

    async def history(self, community: CommunityRef, author_id: str) -> History:
        theirs = [
            opened
            for opened in self.store.opened.values()
            if opened.decision.message.community == community and opened.decision.message.author.id == author_id
        ]
        calls = [opened.review.call for opened in theirs if opened.review]
        return History(
            incidents=len(theirs),
            upheld=sum(call is not Call.WRONG for call in calls),
            overturned=calls.count(Call.WRONG),
            last_at=max((opened.decided_at for opened in theirs), default=None),
        )

    async def count(self, community: CommunityRef, start: datetime, end: datetime) -> int:
        return sum(
            start <= min(opened.decided_at, opened.decision.message.sent_at) <= opened.decided_at <= end
            and opened.decision.rule is not None
            for opened in self.store.opened.values()
            if opened.decision.message.community == community
        )


class MemoryReviews:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def record(self, community: CommunityRef, review: Review, *, due: datetime) -> Review | None:
        opened = self.store.opened_in(community, review.incident_id)
        if opened is None:
            return None
        if review.call.closes:
            if opened.review and not review.overrules(opened.review):
                return opened.review
            if not (opened.review and review.call is Call.UPHOLD):
                self.store.opened[opened.decision.message.ref] = replace(opened, review=review)
        self.store.reviewed.setdefault(opened.id, []).append(review)
        self.store.follow(opened.id, due, review.call)
        return None

    async def appeal(self, community: CommunityRef, appeal: Appeal, then: Sequence[Action], *, due: datetime) -> bool:
        opened = self.store.opened_in(community, appeal.incident_id)
        if opened is None or opened.appeal:
            return False
        self.store.opened[opened.decision.message.ref] = replace(opened, appeal=appeal)
        self.store.plan(opened, then, due)
        return True


class MemoryCommunities:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.settings: dict[CommunityRef, Community] = {}
        self.version = 0

    async def all(self) -> Sequence[Community]:
        return [community for _, community in sorted(self.settings.items())]

    async def since(self, version: int) -> Changes:
        newer = [community for community in self.settings.values() if community.version > version]
        return Changes(sorted(newer, key=lambda community: community.version), len(self.settings))

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        before = self.settings.get(community, Community.blank(community))
        after = replace(edit(before), platform=community.platform, id=community.id)
        if after == before:
            return before
        made = amendments(before, after, by=by, at=self.store.clock.now())
        self.store.journal.amended.setdefault(community, []).extend(made)
        self.version += 1
        self.settings[community] = replace(after, version=self.version)
        return self.settings[community]

    async def move(self, community: CommunityRef, new_id: str) -> None:
        old, new = community, replace(community, id=new_id)

        def moved(message: Message) -> Message:
            return replace(message, community_id=new_id) if message.community == old else message

        store = self.store
        store.messages = {ref: moved(message) for ref, message in store.messages.items()}
        store.opened = {
            ref: replace(opened, decision=replace(opened.decision, message=moved(opened.decision.message)))
            for ref, opened in store.opened.items()
        }
        for action in store.actions.values():
            action.planned = replace(action.planned, message=moved(action.planned.message))
        amended = store.journal.amended
        amended.setdefault(new, []).extend(amended.pop(old, []))
        for key in [key for key in store.keys.keys.values() if key.community == old]:
            store.keys.keys[key.id] = replace(key, community=new)
        for number, one in store.deliveries.all.items():
            if one.community == old:
                store.deliveries.all[number] = replace(one, community=new)
        self.version += 1
        for ref, settings in list(self.settings.items()):
            other = settings.moved(old.id, new.id)
            if ref.platform == old.platform and other != settings:
                del self.settings[ref]
                self.settings.setdefault(other.ref, replace(other, version=self.version))


class MemoryJournal:
    def __init__(self) -> None:
        self.away: list[Outage] = []
        self.told: set[tuple[datetime, str, Platform]] = set()
        self.amended: dict[CommunityRef, list[AuditEntry]] = {}

    async def guard_went(self, since: datetime) -> datetime:
        if not await self.guard_is_away():
            self.away.append(Outage(since))
        return min(outage.begin for outage in self.away if outage.end is None)

    async def guard_came_back(self, at: datetime) -> datetime | None:
        self.away = [outage if outage.end else replace(outage, end=at) for outage in self.away]
        return max((outage.begin for outage in self.away), default=None)

    async def is_first_to_tell(self, began: datetime, word: str, platform: Platform) -> bool:
        telling = (began, word, platform)
        is_first = telling not in self.told
        self.told.add(telling)
        return is_first

    async def guard_is_away(self) -> bool:
        return any(outage.end is None for outage in self.away)

    async def outages(self, start: datetime, end: datetime) -> Sequence[Outage]:
        return [outage for outage in self.away if outage.begin < end and (outage.end is None or outage.end > start)]

    async def amendments(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[AuditEntry]:
        theirs = self.amended.get(community, [])
        return sorted((one for one in theirs if start <= one.at < end), key=lambda one: one.at)


class MemoryBookmarks:
    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    async def place(self, name: str) -> str | None:
        return self.places.get(name)

    async def within(self, name: str) -> Mapping[str, str]:
        return {key[len(name) + 1 :]: place for key, place in self.places.items() if key.startswith(f"{name}/")}

    async def put_all(self, places: Mapping[str, str | None]) -> None:
        for name, place in places.items():
            if place is None:
                self.places.pop(name, None)
            else:
                self.places[name] = place

    async def put(self, name: str, place: str) -> None:
        self.places[name] = place


class MemoryApiKeys:
    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.trouble: BotError | None = None

    async def all(self) -> Sequence[ApiKey]:
        if self.trouble:
            raise self.trouble
        return sorted(self.keys.values(), key=lambda key: (key.created_at, key.id))

    async def add(self, key: ApiKey) -> None:
        self.keys[key.id] = key

    async def revoke(self, key_id: str, at: datetime) -> bool:
        key = self.keys.get(key_id)
        if key is None or key.revoked_at:
            return False
        self.keys[key_id] = replace(key, revoked_at=at)
        return True

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        for key_id, at in uses.items():
            if (key := self.keys.get(key_id)) and (key.used_at is None or key.used_at < at):
                self.keys[key_id] = replace(key, used_at=at)


class MemoryDeliveries:
    """`restart` is what the death of the process leaves behind."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.all: dict[int, Delivery] = {}
        self.leased: set[int] = set()
        self.not_before: dict[int, datetime] = {}

    def restart(self) -> None:
        for number in self.leased:
            if self.all[number].state is State.STARTED:
                self._change(number, state=State.UNCONFIRMED, finished_at=self.clock.now())
        self.leased.clear()

    async def plan(self, deliveries: Sequence[Delivery], *, apart: timedelta = timedelta(0)) -> Sequence[bool]:
        planned = []
        for one in deliveries:
            others = [
                other for other in self.all.values()
                if (other.community, other.kind) == (one.community, one.kind)
            ]  # fmt: skip
            new = not any(other.period == one.period or (apart and other.due > one.due - apart) for other in others)
            if new:
                for other in others:
                    if other.due < one.due and other.state is State.PLANNED and other.id not in self.leased:
                        gone = {"state": State.SKIPPED, "reason": OVERTAKEN, "finished_at": self.clock.now()}
                        self._change(other.id, **gone)
                number = len(self.all) + 1
                self.all[number] = replace(one, id=number, planned_at=self.clock.now())
            planned.append(new)
        return planned

    async def claim(self, limit: int, *, now: datetime, platforms: Collection[Platform]) -> Sequence[Delivery]:
        due = [
            one for one in self.all.values()
            if one.id not in self.leased and one.state not in FINAL and one.community.platform in platforms
            and one.due <= now and self.not_before.get(one.id, now) <= now
        ]  # fmt: skip
        claimed = sorted(due, key=lambda one: (-one.size, one.id))[:limit]
        self.leased |= {one.id for one in claimed}
        return claimed

    async def start(self, delivery_id: int) -> bool:
        one = self.all[delivery_id]
        if delivery_id not in self.leased or one.state is not State.PLANNED:
            return False
        self._change(delivery_id, state=State.STARTED, started_at=self.clock.now(), attempts=one.attempts + 1)
        return True

    async def record(self, delivery_id: int, state: State, *, receipt: str = "", reason: str = "") -> None:
        if delivery_id in self.leased:
            self._change(delivery_id, state=state, receipt=receipt, reason=reason, finished_at=self.clock.now())
            self.leased.discard(delivery_id)

    async def postpone(self, delivery_id: int, until: datetime, *, reason: str) -> None:
        if delivery_id in self.leased:
            self._change(delivery_id, state=State.PLANNED, reason=reason)
            self.not_before[delivery_id] = until
            self.leased.discard(delivery_id)

    async def latest(self, limit: int, community: CommunityRef | None = None) -> Sequence[Delivery]:
        found = [one for one in self.all.values() if community in (None, one.community)]
        return sorted(found, key=lambda one: (one.due, one.id), reverse=True)[:limit]

    def _change(self, number: int, **changes: Any) -> None:
        self.all[number] = replace(self.all[number], **changes)


class MemoryTimetable:
    """Alarm clocks on a manual clock: whoever moves it on asks `look` whether any went off."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.alarms: dict[CommunityRef, datetime] = {}
        self._changed = asyncio.Event()

    async def arm(self, alarms: Mapping[CommunityRef, datetime | None]) -> None:
        for community, at in alarms.items():
            self.alarms.pop(community, None)
            if at is not None:
                self.alarms[community] = at
        self._changed.set()

    def look(self) -> None:
        self._changed.set()

    async def rings(self) -> AsyncIterator[Mapping[CommunityRef, datetime]]:
        while True:
            if ringing := {community: at for community, at in self.alarms.items() if at <= self.clock.now()}:
                for community in ringing:
                    del self.alarms[community]
                yield ringing
            self._changed.clear()
            await self._changed.wait()


class QuietChronicle:
    """The record of communities in which nothing has happened."""

    async def sizes(self, start: datetime, end: datetime) -> Mapping[CommunityRef, int]:
        return {}

    async def communities(self) -> Sequence[CommunityRef]:
        return ()

    async def figures(self, community: CommunityRef, start: datetime, end: datetime) -> Figures:
        return Figures(start=start, end=end)

    async def totals(self, community: CommunityRef, start: datetime, end: datetime) -> Totals:
        return Totals()


class ScriptedPress:
    """Prints the period's name, and the community's, on paper that is blank otherwise."""

    def __init__(self, *, unmasked: bool = False) -> None:
        self.unmasked = unmasked

    def edition(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        name = f"{report.community} {report.period.name}"
        formats = ("html", "pdf", "csv") if with_pdf else ("html", "csv")
        return Post(
            text=f"{name} {language}" + (" unmasked" if self.unmasked else ""),
            picture=Attachment(name="report.png", content=_DOT, description=name),
            files=tuple(Attachment(name=f"report.{kind}", content=b"-", description=name) for kind in formats),
        )


#: A picture of one grey point (PNG).
_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080000000"
    "03a7e9b550000000a4944415478da63680000008200816b7e5c1e0000000049454e44ae426082"
)
