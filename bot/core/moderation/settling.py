"""Decided messages -> settled, many in one batch, each exactly once; what cannot be settled is a fault of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import raised
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import Message, MessageRef
from bot.core.incidents.incident import Settlement
from bot.core.moderation.ports import Inbox

Settled = Callable[[Sequence[Settlement]], None]

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Settler:
    """`busy`: messages that are claimed, and neither settled nor given back. `wants_room`: whoever claims waits for
    some of them to end. `noted` hear of what is settled."""

    inbox: Inbox
    clock: Clock
    arrived: Wakeup
    planned: Wakeup
    noted: Sequence[Settled]
    poll: float  # seconds
    busy: int = 0
    wants_room: bool = False
    _decided: list[Settlement] = field(default_factory=list)
    _aside: list[MessageRef] = field(default_factory=list)
    _faulty: list[MessageRef] = field(default_factory=list)
    _progress: Wakeup = field(default_factory=Wakeup)

    def settle(self, settlement: Settlement) -> None:
        self._decided.append(settlement)
        self._progress.wake()

    def set_aside(self, ref: MessageRef) -> None:
        self._aside.append(ref)
        self._progress.wake()

    def fault(self, message: Message, error: Exception) -> None:
        """What an exception says may quote the message: its kind and place must do."""
        ref = message.ref
        _log.error(
            "message failed",
            platform=ref.platform,
            channel=ref.channel_id,
            message=ref.message_id,
            error=raised(error),
        )
        self._faulty.append(ref)
        self._progress.wake()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batch, self._decided = self._decided, []
            aside, self._aside = self._aside, []
            faulty, self._faulty = self._faulty, []
            if batch:
                await self._settle(batch)
            if aside:
                await patiently(partial(self.inbox.set_aside, aside), self.clock)
            for ref in faulty:
                await patiently(partial(self.inbox.fault, ref), self.clock)
            self.busy -= len(aside) + len(faulty)
            if faulty or (self.wants_room and (batch or aside)):
                self.arrived.nudge()
            if not (batch or aside or faulty):
                await self._progress.wait(self.poll)

    async def _settle(self, batch: Sequence[Settlement]) -> None:
        """What cannot be settled does not keep the others from it."""
        try:
            written = await patiently(partial(self.inbox.settle, batch), self.clock)
        except Exception as error:
            if len(batch) == 1:
                self.fault(batch[0].decision.message, error)
                return
            half = len(batch) // 2
            await self._settle(batch[:half])
            await self._settle(batch[half:])
            return
        self.busy -= len(batch)
        if not all(written):
            _log.warning("settlements refused", number=len(batch) - sum(written), reason="others hold their shares")
            batch = [settlement for settlement, is_written in zip(batch, written, strict=True) if is_written]
        if any(settlement.decision.actions for settlement in batch):
            self.planned.wake()
        for note in self.noted:
            try:
                note(batch)
            except Exception as error:  # it is settled all the same
                _log.error("not noted", error=raised(error))
