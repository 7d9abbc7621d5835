"""Inbox -> guard queue -> rules -> settlement: many messages at once, each decided and settled exactly once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from bot.domain.bots import Bot
from bot.domain.conditions import Past
from bot.domain.incident import Settlement
from bot.domain.message import Author, Kind, Message, as_read
from bot.domain.rules import Decision, Policy, decide
from bot.domain.verdict import NOTHING_TO_JUDGE, SUPERSEDED, Exchange, Screening
from bot.pipeline.bell import Bell, patiently
from bot.pipeline.bots import Bots
from bot.pipeline.deciding import Decider
from bot.pipeline.guard_queue import GuardQueue
from bot.pipeline.recollection import Recollection
from bot.pipeline.streaming import Streams
from bot.ports import Clock, Inbox

_log = structlog.get_logger(__name__)

#: Who wrote a message: `ChatPlatform.meet` of the platform that it came from.
Meet = Callable[[Message], Awaitable[Author]]
Settled = Callable[[Sequence[Settlement]], None]
Answer = TypeVar("Answer")

MOST_AT_ONCE = 512  # messages in one claim
MEETING = 60.0  # seconds that may be spent on finding out who an author is


@dataclass(slots=True, kw_only=True)
class Screener:
    """`policy_of` gives the rules that a message is under; `moment` says when its decision falls (live: now); `bots`
    knows what other bots do."""

    inbox: Inbox
    queue: GuardQueue
    policy_of: Callable[[Message], Policy]
    clock: Clock
    arrived: Bell
    planned: Bell
    bots: Bots
    meet: Meet | None = None
    recollection: Recollection = field(default_factory=Recollection)
    streams: Streams = field(default_factory=Streams)
    decider: Decider = field(default_factory=Decider)
    moment: Callable[[Message], datetime] | None = None
    on_settled: Settled | None = None
    in_flight: int = 1024  # messages claimed and not yet settled
    fresh: timedelta = timedelta(minutes=10)  # younger messages are claimed before a backlog
    poll: float = 1.0  # seconds
    _busy: int = 0
    _wants_room: bool = False
    _decided: list[Settlement] = field(default_factory=list)
    _deciding: set["asyncio.Task[Decision]"] = field(default_factory=set)
    _progress: Bell = field(default_factory=Bell)
    _failure: BaseException | None = None
    _meetings: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self, closing: asyncio.Event | None = None) -> None:
        """Until cancelled; or, once `closing` is set, until nothing that was kept is left unsettled."""
        async with asyncio.TaskGroup() as stage:
            settling = stage.create_task(self._settle_forever())
            await self._claim(closing)
            settling.cancel()

    async def _claim(self, closing: asyncio.Event | None) -> None:
        while True:
            no_more = closing is not None and closing.is_set()  # before the claim: what came until then is seen
            room = min(self.in_flight - self._busy, self.queue.room, MOST_AT_ONCE)
            claimed = await patiently(partial(self._claim_some, room), self.clock) if room else ()
            for message in claimed:
                self._sift(message)
            done = no_more and not claimed and bool(room)  # nobody will edit any more
            for message in self.streams.due(self.clock.now(), all_of_them=done):
                self._screen(message)
            if room and len(claimed) == room:
                await asyncio.sleep(0)
            elif done and not self._busy:
                return
            else:  # all that waits is taken: asking again would only keep others from the database
                self._wants_room = no_more or not room
                await self.arrived.wait(self._pause())  # rung by intake, and where room is wanted, by what is settled

    def _pause(self) -> float:
        """Until somebody must look again, whoever rings."""
        due = self.streams.next_due()
        return self.poll if due is None else min(self.poll, max(0.0, (due - self.clock.now()).total_seconds()))

    def _sift(self, message: Message) -> None:
        """Held back, judged now, or closed because a later revision has come."""
        now, superseded = self.streams.sift(message, self.clock.now())
        for late in superseded:
            self._busy += 1
            closed = Decision(message=late, screening=SUPERSEDED, policy_version=self.policy_of(late).version)
            self._decided.append(Settlement(decision=closed, decided_at=self._moment(late)))
            self._progress.ring()
        for message in now:
            self._screen(message)

    def _moment(self, message: Message) -> datetime:
        return self.moment(message) if self.moment else self.clock.now()

    async def _claim_some(self, room: int) -> Sequence[Message]:
        return await self.inbox.claim(room, fresh_since=self.clock.now() - self.fresh)

    def _screen(self, message: Message) -> None:
        self._busy += 1
        started = self.clock.monotonic()
        repeats = self.recollection.hear(message)
        bot = self.bots.known(message)
        exchange = exchange_of(message, self.policy_of(message), bot)

        def decided(screening: Screening, met: Author | None = None) -> None:
            at, policy = self._moment(message), self.policy_of(message)
            about = replace(message, author=met) if met else message
            past = Past(
                repeats=repeats,
                fired=self.recollection.fired(message),
                offences=self.recollection.offences(message),
                bot=bot,
            )
            if self.decider.is_quick(message, policy):
                acted(at, policy, screening, met, decide(about, screening, policy, at=at, past=past))
                return
            deciding = asyncio.create_task(self.decider.decide(about, screening, policy, at=at, past=past))
            self._deciding.add(deciding)
            deciding.add_done_callback(self._deciding.discard)
            deciding.add_done_callback(partial(self._judged, partial(acted, at, policy, screening, met)))

        def acted(at: datetime, policy: Policy, screening: Screening, met: Author | None, decision: Decision) -> None:
            if decision.is_incident and self.meet and not met and message.author.unmet:
                meeting = asyncio.create_task(self._meet(self.meet, message, partial(decided, screening)))
                self._meetings.add(meeting)
                meeting.add_done_callback(self._meetings.discard)
                return
            if decision.is_incident:
                self.recollection.note(decision, at, policy)
            ms = (self.clock.monotonic() - started) * 1000
            self._decided.append(Settlement(decision=decision, decided_at=at, ms=ms))
            self._progress.ring()

        if exchange is None:
            decided(NOTHING_TO_JUDGE)
        else:
            fresh = message.sent_at >= self.clock.now() - self.fresh
            answer = self.queue.submit(exchange, community_id=message.community_id, fresh=fresh)
            answer.add_done_callback(partial(self._judged, decided))

    async def _meet(self, meet: Meet, message: Message, decided: Callable[[Author], None]) -> None:
        """Few messages are about anything, so only their authors are asked about. Who cannot be asked about stays
        unmet: the rules know what may be done then."""
        author = message.author
        try:
            async with asyncio.timeout(MEETING):
                author = await meet(message)
        except Exception as error:
            _log.warning("an author could not be met", platform=message.ref.platform, error=type(error).__name__)
        try:
            decided(author)
        except Exception as error:
            self._failure = error
            self._progress.ring()

    def _judged(self, decided: Callable[[Answer], None], answer: "asyncio.Future[Answer]") -> None:
        try:
            decided(answer.result())
        except asyncio.CancelledError:
            pass  # the process is stopping; the message stays claimed and is claimed again
        except BaseException as error:
            self._failure = error
            self._progress.ring()

    async def _settle_forever(self) -> None:
        while True:
            if self._failure:
                raise self._failure
            batch, self._decided = self._decided, []
            if not batch:
                await self._progress.wait(self.poll)
                continue
            await patiently(partial(self.inbox.settle, batch), self.clock)
            self._busy -= len(batch)
            self.bots.note(batch)
            if self._wants_room:
                self.arrived.ring()
            if any(settlement.decision.actions for settlement in batch):
                self.planned.ring()
            if self.on_settled:
                self.on_settled(batch)


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
    return Exchange(prompt=message.read)
