"""Inbox -> guard queue -> rules -> settlement: many messages at once, each decided and settled exactly once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog

from bot.core.answers.bot import Bot
from bot.core.answers.streaming import Streams
from bot.core.base.clock import Clock
from bot.core.base.errors import raised
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import Author, Kind, Message, as_read
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import NOTHING_TO_JUDGE, SUPERSEDED, Exchange, Screening, Unscreened, is_provisional
from bot.core.incidents.incident import Settlement
from bot.core.moderation.bots import Bots
from bot.core.moderation.campaigns import Campaigns
from bot.core.moderation.members import Members
from bot.core.moderation.ports import Inbox
from bot.core.moderation.recent import RecentActivity
from bot.core.moderation.rulings import Rulings
from bot.core.moderation.settling import Settled, Settler
from bot.core.moderation.trial import Trial
from bot.core.rules.conditions import Past
from bot.core.rules.decider import Decider
from bot.core.rules.decision import Decision, decide, only_flagged, surrender
from bot.core.rules.policy import Policy

#: Who wrote a message: `ChatPlatform.meet` of the platform that it came from.
Meet = Callable[[Message], Awaitable[Author]]
Answer = TypeVar("Answer")

MOST_AT_ONCE = 512  # messages in one claim
MEETING = 60.0  # seconds that may be spent on finding out who an author is
DEFECT = "defect: three tries failed"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A message of which the guard was asked, and what was before it. Nothing that it refers to refers to it: it is
    gone once it is settled, and not only when the garbage collector comes, which is seldom where much is remembered."""

    message: Message
    past: Past
    exchange: Exchange | None
    _: KW_ONLY
    again: bool
    started: float


@dataclass(slots=True, kw_only=True)
class Screener:
    """`policy_of` gives the rules that a message is under; `moment` says when its decision falls (live: now).

    Whatever goes wrong with one message stays with it: three times, and it is shown to the moderators unread. While the
    guard is away a message is looked at all the same, by whoever can; where nothing follows from that, it is set aside,
    to be looked at again by the guard once it is back, within `second_look`, and only shown where it is not `fresh`."""

    inbox: Inbox
    queue: GuardQueue
    policy_of: Callable[[Message], Policy]
    clock: Clock
    arrived: Wakeup
    planned: Wakeup
    bots: Bots
    meet: Meet | None = None
    members: Members | None = None
    recent: RecentActivity = field(default_factory=RecentActivity)
    campaigns: Campaigns = field(default_factory=Campaigns)
    rulings: Rulings | None = None
    trial: Trial | None = None
    streams: Streams = field(default_factory=Streams)
    decider: Decider = field(default_factory=Decider)
    moment: Callable[[Message], datetime] | None = None
    on_settled: Settled | None = None
    in_flight: int = 1024  # messages claimed and not yet settled
    fresh: timedelta = timedelta(minutes=10)  # younger messages are claimed before a backlog
    second_look: timedelta = timedelta(hours=6)
    poll: float = 1.0  # seconds
    _swept_at: float = float("-inf")
    _begun: set["asyncio.Task[Any]"] = field(default_factory=set)
    _settler: Settler = field(init=False)

    def __post_init__(self) -> None:
        self._settler = Settler(
            inbox=self.inbox,
            clock=self.clock,
            arrived=self.arrived,
            planned=self.planned,
            noted=tuple(filter(None, (self.bots.note, self.members.note if self.members else None, self.on_settled))),
            poll=self.poll,
        )

    async def run(self, closing: asyncio.Event | None = None) -> None:
        """Until cancelled; or, once `closing` is set, until nothing that was kept is left to do."""
        async with asyncio.TaskGroup() as stage:
            settling = stage.create_task(self._settler.run())
            await self._claim(closing)
            settling.cancel()

    async def _claim(self, closing: asyncio.Event | None) -> None:
        while True:
            # Before the claim: what came until then is seen; what ends during it may be what the next one waits for.
            no_more, was_idle = closing is not None and closing.is_set(), not self._settler.busy
            most = _most(self.queue, self.in_flight)
            room = max(0, min(most - self._settler.busy, self.queue.room, MOST_AT_ONCE))
            some = partial(self.inbox.claim, room, fresh_since=self.clock.now() - self.fresh)
            claimed = await patiently(some, self.clock) if room else ()
            if self.members:
                await patiently(partial(self.members.look_up, claimed, self._policy_of), self.clock)
            for message in claimed:
                self._sift(message)
            swept = await self._sweep(room - len(claimed), at_once=no_more) if len(claimed) < room else 0
            done = no_more and not claimed and not swept and bool(room)  # nobody will edit any more
            for message in self.streams.due(self.clock.now(), all_of_them=done):
                self._screen(message)
            if room and len(claimed) + swept == room:
                await asyncio.sleep(0)
            elif done and was_idle and not self._settler.busy:
                return
            else:  # all that waits is taken: asking again would only keep others from the database
                self._settler.wants_room = no_more or not room
                await self.arrived.wait(self._pause())  # rung by intake, and where room is wanted, by what is settled

    def _pause(self) -> float:
        """Until somebody must look again, whoever rings."""
        due = self.streams.next_due()
        return self.poll if due is None else min(self.poll, max(0.0, (due - self.clock.now()).total_seconds()))

    async def _sweep(self, room: int, *, at_once: bool) -> int:
        """Where there is room, now and then: what was given up, and what is due a second look; how many that was."""
        now = self.clock.monotonic()
        if now - self._swept_at < self.poll and not at_once:
            return 0
        given_up = await patiently(partial(self.inbox.given_up, room), self.clock)
        for message in given_up:
            self._settler.busy += 1
            decision = surrender(message, Unscreened(DEFECT, self.queue.guard.version), self._policy_of(message))
            self._settler.settle(Settlement(decision=decision, decided_at=self.clock.now()))
        room -= len(given_up)
        waited = self.second_look if self.queue.is_away or self.queue.is_behind else timedelta(0)
        again = partial(self.inbox.look_again, room, sent_before=self.clock.now() - waited)
        seconds = await patiently(again, self.clock) if room else ()
        for message in seconds:
            self._screen(message, again=True)
        self._swept_at = now if len(seconds) < room else self._swept_at
        return len(given_up) + len(seconds)

    def _sift(self, message: Message) -> None:
        """Held back, judged now, or closed because a later revision has come."""
        try:
            now, superseded = self.streams.sift(message, self.clock.now())
        except Exception as error:
            self._settler.busy += 1
            self._settler.fault(message, error)
            return
        for late in superseded:
            self._settler.busy += 1
            closed = Decision(message=late, screening=SUPERSEDED, policy_version=self._policy_of(late).version)
            self._settler.settle(Settlement(decision=closed, decided_at=self._moment(late)))
        for message in now:
            self._screen(message)

    def _moment(self, message: Message) -> datetime:
        return self.moment(message) if self.moment else self.clock.now()

    def _policy_of(self, message: Message) -> Policy:
        """No rules where its community's cannot be had."""
        try:
            return self.policy_of(message)
        except Exception as error:
            _log.error("no policy", community=message.community_id, error=raised(error))
            return Policy(rules=())

    def _screen(self, message: Message, *, again: bool = False) -> None:
        """`again`: it was looked at before, while the guard was away."""
        self._settler.busy += 1
        started = self.clock.monotonic()
        try:
            past, policy = self._hear(message, again=again), self.policy_of(message)
            one = _Asked(message, past, exchange_of(message, policy, past.bot), again=again, started=started)
            if one.exchange is None:
                return self._decide(one, NOTHING_TO_JUDGE)
            fresh = (age := self.clock.now() - message.sent_at) <= self.fresh and not again
            answer = self.queue.submit(
                one.exchange, community=message.community, fresh=fresh, age=age.total_seconds() if fresh else 0.0,
                provisional=self.moment is None,  # what is recorded can wait for the guard
            )  # fmt: skip
            answer.add_done_callback(partial(self._answered, message, partial(self._decide, one)))
        except Exception as error:
            self._settler.fault(message, error)

    def _decide(self, one: _Asked, screening: Screening, met: Author | None = None) -> None:
        about = replace(one.message, author=met) if met else one.message
        at, policy = self._moment(about), self.policy_of(about)
        if is_provisional(screening):
            policy = policy.while_guard_is_away()
        past = self.recent.completed(one.past, one.message, screening, policy)
        then = partial(self._act, one, at, policy, past, screening, met)
        if self.decider.is_quick(one.message, policy):
            then(decide(about, screening, policy, at=at, past=past))
        else:
            self._begin(one.message, self.decider.decide(about, screening, policy, at=at, past=past), then)

    def _act(
        self, one: _Asked, at: datetime, policy: Policy, past: Past, screening: Screening, met: Author | None,
        decision: Decision,
    ) -> None:  # fmt: skip
        message, exchange = one.message, one.exchange
        if decision.is_incident and self.meet and not met and message.author.unmet:
            self._begin(message, _met(self.meet, message, self.clock), partial(self._decide, one, screening))
            return
        if _waits(screening, decision) and at - message.sent_at < self.second_look:
            self._settler.set_aside(message.ref)
            return
        if one.again and at - message.sent_at > self.fresh and exchange and self.queue.is_stood_in_for(exchange):
            decision = only_flagged(decision)
        if decision.is_incident:
            self.recent.note(decision, at, policy)
        ms = (self.clock.monotonic() - one.started) * 1000
        counts = self.members.weight(message, one.past) if self.members and not decision.is_incident else 0
        settled = Settlement(decision=decision, decided_at=at, ms=ms, counts_for=counts, ladder=policy.ladder)
        self._settler.settle(settled)
        if self.trial and exchange and not one.again:
            self.trial.watch(exchange, decision, policy, at=at, past=past)

    def _hear(self, message: Message, *, again: bool) -> Past:
        """What was before it, as far as its rules ask for that; and it is remembered."""
        rules = self.policy_of(message)
        return Past(
            repeats=() if again else self.recent.hear(message),
            said=self.recent.join(message) if rules.asks_what_was_said else (),
            echoes=self.campaigns.hear(message, self.recent.echoed) if rules.asks_who_says_the_same else {},
            posted=self.recent.posted(message) if rules.asks_how_much and not again else (),
            heard=self.members.heard(message) if self.members and rules.asks_who_is_new else None,
            bot=self.bots.known(message),
            precedent=self.rulings.of(message) if self.rulings else None,
        )

    def _begin(self, message: Message, work: Coroutine[Any, Any, Answer], then: Callable[[Answer], None]) -> None:
        self._begun.add(task := asyncio.create_task(work))
        task.add_done_callback(self._begun.discard)
        task.add_done_callback(partial(self._answered, message, then))

    def _answered(self, message: Message, then: Callable[[Answer], None], answer: "asyncio.Future[Answer]") -> None:
        try:
            then(answer.result())
        except asyncio.CancelledError:
            pass  # the process is stopping; the message stays claimed and is claimed again
        except Exception as error:
            self._settler.fault(message, error)


def _most(queue: GuardQueue, usually: int) -> int:
    """What waits in the inbox has no deadline: where a cheap guard answers for what there is no time for, all of it is
    claimed."""
    return queue.capacity if queue.stand_in and queue.is_behind else usually


def _waits(screening: Screening, decision: Decision) -> bool:
    """Whether the guard may still find what nobody has found while it was away."""
    return is_provisional(screening) and decision.rule is None and not decision.message.flagged


async def _met(meet: Meet, message: Message, clock: Clock) -> Author:
    """Few messages are about anything, so only their authors are asked about: again and again where the platform is
    just coming up. Who cannot be asked about stays unmet: the rules know what may be done then."""
    try:
        async with asyncio.timeout(MEETING):
            return await patiently(partial(meet, message), clock)
    except Exception as error:
        _log.warning("an author could not be met", platform=message.ref.platform, error=type(error).__name__)
        return message.author


def exchange_of(message: Message, policy: Policy, bot: Bot | None = None) -> Exchange | None:
    """What the guard is asked about a message; None where there is nothing to judge. `bot` is what is known of its
    author, where that is a bot."""
    if message.kind is Kind.DELETE or not message.text.strip():
        return None
    if policy.takes_for_answer(message, bot):
        prompt = None if message.prompt is None else as_read(message.prompt)
        return Exchange(prompt=prompt, response=as_read(message.answer))
    if message.author.bot and not message.author.no_account and not policy.judge_other_bots:
        return None
    return Exchange(prompt=message.read, is_chat=True)
