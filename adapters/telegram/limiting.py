"""Our own calls -> when they may go: notices keep to Telegram's limits, moderation never waits behind them.

python-telegram-bot's limiter takes a deletion from the same bucket as chatter and lets one 429 stop every chat
(facts T45-T49), so this one knows two lanes, and a 429 closes one lane of one chat.
"""

from bisect import insort
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.telegram.errors import mapped
from bot.errors import Unavailable
from bot.ports import Clock
from bot.texts import Texts


class Lane(StrEnum):
    MODERATION = "moderation"  # deletions, restrictions, bans, questions about members
    NOTICE = "notice"  # whatever is written into a chat


@dataclass(slots=True, kw_only=True)
class Limiter:
    """A call that would have to wait longer than `patience` (seconds) is sent back with `Unavailable`, so that nobody
    queues behind it."""

    clock: Clock
    say: Texts
    per_second: int = 30  # notices, everywhere together
    per_minute_in_group: int = 20
    patience: float = 2.0
    _everywhere: deque[float] = field(default_factory=deque)
    _in_group: defaultdict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _closed: dict[tuple[int, Lane], float] = field(default_factory=dict)  # until when

    def wait(self, chat_id: int, lane: Lane, *, spare: int = 0, count: int = 1) -> float:
        """Seconds until there is room for a call of `count` notices, and for `spare` more in that group."""
        now = self.clock.monotonic()
        at = max(now, self._closed.get((chat_id, lane), now))
        if lane is Lane.NOTICE:
            at = max(at, _opening(self._everywhere, self.per_second, 1, now, count))
            if chat_id < 0:
                at = max(at, _opening(self._in_group[chat_id], self.per_minute_in_group - spare, 60, now, count))
        return at - now

    @asynccontextmanager
    async def turn(
        self,
        chat_id: int,
        lane: Lane,
        *,
        spare: int = 0,
        count: int = 1,
        patience: float | None = None,
    ) -> AsyncIterator[None]:
        """Around one call: waits for its turn; maps errors; remembers a 429."""
        now = self.clock.monotonic()
        at = now + self.wait(chat_id, lane, spare=spare, count=count)
        if at - now > (self.patience if patience is None else patience):
            raise Unavailable(f"too many {lane} calls in one chat", retry_after=at - now)
        if lane is Lane.NOTICE:
            for _ in range(count):
                insort(self._everywhere, at)
                if chat_id < 0:
                    insort(self._in_group[chat_id], at)
        if at > now:
            await self.clock.sleep(at - now)
        try:
            with mapped(self.say):
                yield
        except Unavailable as error:
            if error.retry_after is not None:
                self._closed[chat_id, lane] = self.clock.monotonic() + error.retry_after
            raise


def _opening(taken: deque[float], most: int, seconds: float, now: float, count: int) -> float:
    """When there is room for `count` more among `most` within any `seconds`. `taken` is in order."""
    while taken and taken[0] <= now - seconds:
        taken.popleft()
    over = len(taken) + min(count, most) - most
    return now if over <= 0 else taken[over - 1] + seconds
