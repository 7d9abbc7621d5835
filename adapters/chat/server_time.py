"""The answers of an API -> what time it is there, to the second."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.core.base.clock import HeardClock

PATIENCE = ClientTimeout(total=5.0)
SECOND = timedelta(seconds=1)


async def server_time(url: str) -> datetime | None:
    """None: nobody says. Whatever it answers, it says when."""
    with suppress(ClientError, OSError, TimeoutError, ValueError):
        async with ClientSession(timeout=PATIENCE) as session, session.get(url, allow_redirects=False) as answer:
            return parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
    return None


class NetworkClock(HeardClock):
    """Goes by what an API's answers say, to the second: by a wrong one a bookmark would lie where nobody has been yet,
    and a ban end before it begins. Never goes back."""

    __slots__ = ()

    def read(self, date: str) -> None:
        """The header `Date` of an answer; empty or odd: nothing is learned."""
        with suppress(ValueError):
            there, before = parsedate_to_datetime(date).astimezone(UTC), self._began
            self.hear(there, SECOND)
            self._began = max(filter(None, (before, self._began)))
