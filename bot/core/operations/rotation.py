"""Keys that get old -> what is still needed is sealed anew, and they are thrown away; what was never sealed, is."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.core.base.clock import Clock
from bot.core.base.waiting import patiently
from bot.core.chat.ports import Bookmarks
from bot.core.operations.ports import Resealing
from bot.core.operations.sealing import Sealing

EVERY = timedelta(minutes=10)

#: Another process may just be writing with the key before; after so long it has heard of the new one.
GRACE = timedelta(minutes=1)

PLACE = "sealed"  # the bookmark that says with which keys everything of earlier versions is sealed

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """New periods begin by themselves, with the first text that is sealed in them (`Sealing.seal`)."""

    sealing: Sealing
    stored: Resealing
    bookmarks: Bookmarks
    clock: Clock

    async def run(self) -> None:
        if not self.sealing.name:
            return
        await patiently(self.seal_the_open, self.clock)
        while True:
            await patiently(self.throw_away, self.clock)
            await self.clock.sleep(EVERY.total_seconds())

    async def seal_the_open(self) -> None:
        """What a version wrote that sealed nothing."""
        if await self.bookmarks.place(PLACE) == self.sealing.name:
            return
        if rows := await self.stored.reseal((), openly=True):
            _log.info("what was stored openly is sealed now", rows=rows)
        await self.bookmarks.put(PLACE, self.sealing.name)

    async def throw_away(self) -> None:
        """Keys that are due, once nothing that is needed is sealed with them."""
        if outdated := self.sealing.outdated():
            await self.stored.reseal(outdated)
            self.sealing.throw_away(outdated)

    async def rewrap(self) -> int:
        """Everything is sealed with the present keys, and all others are thrown away. Returns how many rows were."""
        earlier = self.sealing.earlier()
        rows = await self.stored.reseal(earlier, openly=True)
        await self.clock.sleep(GRACE.total_seconds())
        rows += await self.stored.reseal(earlier, openly=True)
        self.sealing.throw_away(earlier)
        return rows
