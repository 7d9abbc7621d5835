"""Outbox -> platform -> outcome: planned actions are done, many at once, and what came of them is recorded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable, raised
from bot.core.base.waiting import Backoff, Wakeup, patiently
from bot.core.chat.message import Message, Platform
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.ports import Changed
from bot.core.moderation.ports import ActionExecutor, Outbox
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.rules.actions import (
    AWAY,
    CARE_APART,
    DEFECT,
    Ban,
    Care,
    Done,
    Kick,
    OnCard,
    Outcome,
    Refused,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import noted, texts

AGAIN = Backoff(first=5.0, longest=600.0)
TOLD = 30.0  # seconds at most until the next try where the platform says when, and that is sooner: it is not away
GIVEN_UP = timedelta(days=1)  # a platform may be away for so long

#: How long a member's removal waits for the word to them that explains it, in seconds: afterwards nobody reaches them.
LAST_WORD = 3.0

_log = structlog.get_logger(__name__)


def _shares() -> UnderWay:
    return UnderWay(whole=256, platform=128, community=16)


@dataclass(slots=True, kw_only=True)
class Enforcer:
    """One failing action never stops the next. An action whose platform is away is given back for later; an exception
    of its own is a fault of that action alone. Actions of platforms that are not connected here are left to whoever
    has them."""

    outbox: Outbox
    platforms: Mapping[Platform, ActionExecutor]
    clock: Clock
    planned: Wakeup
    under_way: UnderWay = field(default_factory=_shares)
    poll: float = 1.0  # seconds
    backoff: Backoff = AGAIN
    on_outcome: Callable[[PlannedAction, Outcome], None] | None = None
    on_change: Changed | None = None
    room_of: Callable[[Message], str | None] = lambda message: None  # its moderators' channel
    shown_with: Callable[[PlannedAction], Awaitable[str]] | None = None  # the receipt of what shows it, with others
    _last_words: dict[object, "asyncio.Task[None]"] = field(default_factory=dict)  # by incident or deed
    _ending: bool = False

    async def run(self, closing: asyncio.Event | None = None, stopping: asyncio.Event | None = None) -> None:
        """Until cancelled; or, once `closing` is set, until nothing that is due is left undone; or, once `stopping`
        is set, until what is under way has ended."""
        async with asyncio.TaskGroup() as stage:
            while not (stopping and stopping.is_set()):
                self._ending = closing is not None and closing.is_set()
                # Before the claim: what ends during it may be what the next one waits for, a share or a suspect.
                was_idle = self.under_way.is_empty
                claimed = await patiently(self._claim, self.clock)
                for planned in claimed:
                    self.under_way.begin(Lane.of(planned))
                    doing = stage.create_task(self._carry_out(planned))
                    if isinstance(planned.action, Warn):
                        self._last_words[planned.matter] = doing
                if self._ending and was_idle and not claimed:
                    return
                if not claimed:
                    await self.planned.wait(self.poll)  # rung for what is planned, and for room

    async def _claim(self) -> Sequence[PlannedAction]:
        if not self.platforms:
            return ()
        whole, now = self.under_way.whole, self.clock.now()
        return await self.outbox.claim(whole, now=now, platforms=tuple(self.platforms), under_way=self.under_way)

    async def _carry_out(self, planned: PlannedAction) -> None:
        lane = Lane.of(planned)
        try:
            await self._let_the_last_word_go_first(planned)
            try:
                outcome = await self._perform(planned)
            except BotError as error:  # what is broken is the platform, not the action
                await self._later(planned, str(error), error if isinstance(error, Unavailable) else None)
            except Exception as error:
                await self._at_fault(planned, error)
            else:
                await self._close(planned, outcome)
        finally:
            if planned.matter in self._last_words and isinstance(planned.action, Warn):
                del self._last_words[planned.matter]
            was_full = not self.under_way.room(lane)
            self.under_way.end(lane)
            if was_full or self._ending:
                self.planned.nudge()

    async def _let_the_last_word_go_first(self, planned: PlannedAction) -> None:
        warning = self._last_words.get(planned.matter)
        if warning is None or not isinstance(planned.action, Ban | Kick):
            return
        patience = asyncio.ensure_future(self.clock.sleep(LAST_WORD))
        try:
            await asyncio.wait({warning, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()

    async def _perform(self, planned: PlannedAction) -> Outcome:
        if planned.defect:
            return Refused(DEFECT + planned.defect)
        platform = self.platforms.get(planned.message.ref.platform)
        if platform is None:
            raise Unavailable("this process has lost the platform")
        if isinstance(planned.action, Care) and await self.outbox.is_repeated(planned, self.clock.now() - CARE_APART):
            return Refused(noted("care.lately", days=CARE_APART.days))
        if self.shown_with and (receipt := await self.shown_with(planned)):
            return Done(receipt)
        return await platform.perform(planned)

    async def _at_fault(self, planned: PlannedAction, error: Exception) -> None:
        defect = type(error).__name__
        if planned.action.repeatable:
            await self._later(planned, raised(error), defect=defect)
        else:  # it may have been done before
            _log.error("action failed", action=planned.action.kind, incident=planned.incident_id, reason=raised(error))
            await self._close(planned, Refused(DEFECT + defect))

    async def _later(
        self, planned: PlannedAction, reason: str, error: Unavailable | None = None, *, defect: str = ""
    ) -> None:
        now = self.clock.now()
        if not defect and planned.planned_at and now - planned.planned_at >= GIVEN_UP:
            return await self._close(planned, Refused(AWAY))
        asked, begun = (error.retry_after, error.begun) if error else (None, "")
        pause = self.backoff.after(planned.attempts)
        if asked is not None:
            pause = max(asked, min(pause, TOLD))
        until = now + timedelta(seconds=pause)
        _log.warning(
            "action postponed",
            action=planned.action.kind,
            incident=planned.incident_id,
            attempt=planned.attempts,
            reason=reason,
        )
        await patiently(partial(self.outbox.postpone, planned, until, begun=begun, defect=defect), self.clock)
        self._recorded(planned)  # it may have been called off
        return None

    def _recorded(self, planned: PlannedAction) -> None:
        if self.on_change and planned.case is None:
            self.on_change(planned.message.community, planned.incident_id)

    async def _close(self, planned: PlannedAction, outcome: Outcome) -> None:
        await patiently(partial(self.outbox.record, [(planned, outcome)]), self.clock)
        self._recorded(planned)
        if self.on_outcome:
            self.on_outcome(planned, outcome)
        if isinstance(outcome, Refused) and outcome.given_up and isinstance(planned.action, OnCard):
            await self._tell_moderators(planned, "card.given_up", case=planned.number)
        elif isinstance(outcome, Refused) and planned.case and planned.case.imposes and planned.action == Unsanction():
            # Nobody may be waiting any more for the end of what they have imposed.
            await self._tell_moderators(planned, "case.not_lifted", case=planned.case.number, why=outcome)

    async def _tell_moderators(self, planned: PlannedAction, key: str, **facts: object) -> None:
        """Moderators see on a card what was given up; but not where the card itself was, nor where there is none."""
        platform, room = self.platforms.get(planned.message.ref.platform), self.room_of(planned.message)
        if platform is None or room is None:
            return
        try:
            await platform.announce(room, texts(planned.language)(key, **facts))
        except Exception as error:
            _log.error("moderators not told", incident=planned.incident_id, reason=raised(error))
