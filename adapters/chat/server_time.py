"""The answers of an API -> what time it is there, to the second."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.core.base.clock import Clock

PATIENCE = ClientTimeout(total=5.0)
SECOND = timedelta(seconds=1)


async def server_time(url: str) -> datetime | None:
    """None: nobody says. Whatever it answers, it says when."""
    with suppress(ClientError, OSError, TimeoutError, ValueError):
        async with ClientSession(timeout=PATIENCE) as session, session.get(url, allow_redirects=False) as answer:
            return parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
    return None


@dataclass(slots=True, weakref_slot=True, eq=False)
class NetworkClock:
    """Our `own`, as long as it agrees to the second with what an API's answers say; otherwise what they say, counted on
    by a clock that nobody sets. Ours may be wrong by half an hour and then put right: by it a bookmark would lie where
    nobody has been yet, and a ban end before it begins. Never goes back."""

    own: Clock
    _began: datetime | None = None  # when our own monotonic clock was 0

    def hear(self, date: str) -> None:
        """The header `Date` of an answer; empty or odd: nothing is learned."""
        with suppress(ValueError):
            there = parsedate_to_datetime(date).astimezone(UTC)
            ours = self.own.now()
            began = (ours if there <= ours <= there + SECOND else there) - timedelta(seconds=self.own.monotonic())
            self._began = max(self._began or began, began)

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.own.monotonic()) if self._began else self.own.now()

    def monotonic(self) -> float:
        return self.own.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.own.sleep(seconds)
