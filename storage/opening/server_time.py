"""What a database's server says -> what time it is for all who work with it, whatever each machine's clock says."""

from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.clock import Clock, HeardClock
from storage.columns import instant

#: How far a machine's clock may be off before somebody is told.
CLOCK_OFF = timedelta(minutes=1)


class ServerTime:
    """`clock`: one that goes by what it hears is told each time the server was asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._own = clock, clock.own if isinstance(clock, HeardClock) else clock
        self._ahead: timedelta | None = None  # the machine's, of the server's

    async def ask(self, connection: AsyncConnection) -> None:
        """Of a file there is nobody to ask."""
        if connection.dialect.name != "postgresql":
            return
        asked = self._own.monotonic()
        there = instant((await connection.execute(select(text(server_time())))).scalar_one())
        self._ahead = self._own.now() - there
        if isinstance(self._clock, HeardClock):
            self._clock.hear(there, timedelta(seconds=self._own.monotonic() - asked))

    async def agrees(self) -> bool | None:
        """Whether the machine's clock was near the server's when it answered last; None: there is no server."""
        return None if self._ahead is None else abs(self._ahead) < CLOCK_OFF


def server_time(later: timedelta = timedelta(0)) -> str:
    """PostgreSQL's clock, `later` from now, in microseconds since 1970."""
    return f"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + {later // timedelta(microseconds=1)}"
