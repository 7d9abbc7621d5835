"""Settled messages -> counts by quarter hour, and by day how many had which probability, kept up to date in the
transaction that settles them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.answers.counting import counted
from bot.core.guarding.verdict import Unscreened, Verdict
from bot.core.incidents.incident import Settlement
from storage import codec
from storage.columns import microseconds
from storage.database import Database
from storage.flow import sql

#: What is counted, and by which name: CHANNEL counts every message by its channel, BOT those of bots by their author,
#: PAIR + a pairs.Count the judged answers of bots by their author, LATENCY every message by the edge (milliseconds)
#: within which it was decided, ROUTE those that a cascade judged by how (verdict.Route); the others have no names.
PAIR = "pair "
CHANNEL, BOT, LATENCY, ROUTE = "channel", "bot", "ms", "route"
JUDGED, UNSCREENED, LATE = "judged", "unscreened", "late"

#: A message that was decided so much after it was sent is late.
LATE_AFTER = timedelta(minutes=10)

#: A quarter of an hour, in microseconds: every time zone's days begin at one.
QUARTER = 15 * 60 * 1_000_000

#: The same of a day: those of histograms begin where UTC's do.
DAY = 24 * 60 * 60 * 1_000_000

#: Probabilities are counted in so many steps, each from a twentieth up to the next. What lies in the lowest is not:
#: nearly every message is there, of every kind, and JUDGED says how many were judged.
STEPS = 20

#: Upper edges of the latency buckets, in milliseconds; what took longer is beyond all of them.
EDGES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000, 30000, 60000)

_COUNT_SCORES = """
    INSERT INTO histograms (community, day, part, kind, guard, bucket, number)
    SELECT
        CAST(given.value ->> 0 AS bigint), CAST(given.value ->> 1 AS bigint), given.value ->> 2, given.value ->> 3,
        given.value ->> 4, CAST(given.value ->> 5 AS integer), CAST(given.value ->> 6 AS bigint)
    FROM {given} WHERE true
    ON CONFLICT (community, day, part, kind, guard, bucket) DO UPDATE SET number = histograms.number + excluded.number
"""


async def count(database: Database, connection: AsyncConnection, settled: Iterable[tuple[int, Settlement]]) -> None:
    """Add messages that this very transaction has settled, each with the key of its community."""
    counts, scores = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for community, settlement in settled:
        decision = settlement.decision
        message, screening = decision.message, decision.screening
        quarter = microseconds(message.sent_at) // QUARTER * QUARTER
        there = (community, quarter)
        counts[*there, CHANNEL, message.ref.channel_id] += 1
        counts[*there, LATENCY, edge(settlement.ms)] += 1
        if message.author.bot:
            counts[*there, BOT, message.author.id] += 1
            for one in counted(message, screening):
                counts[*there, PAIR + one, message.author.id] += 1
        if isinstance(screening, Unscreened):
            counts[*there, UNSCREENED, ""] += 1
        elif screening.harm is not None:
            counts[*there, JUDGED, ""] += 1
        if isinstance(screening, Verdict) and screening.route:
            counts[*there, ROUTE, screening.route] += 1
        if settlement.decided_at - message.sent_at > LATE_AFTER:
            counts[*there, LATE, ""] += 1
        day = microseconds(message.sent_at) // DAY * DAY
        for part, kind, guard, probability in codec.judgements(screening):
            if step := bucket(probability):
                scores[community, day, part, kind, guard, step] += 1
    await add(database, connection, counts)
    await add(database, connection, scores, _COUNT_SCORES)


async def add(
    database: Database, connection: AsyncConnection, counts: Counter[tuple[Any, ...]], statement: str = sql.COUNT
) -> None:
    if counts:  # in one order everywhere, so that two processes never wait for each other
        rows = codec.write_rows((*key, number) for key, number in sorted(counts.items()))
        await connection.execute(database.sql(statement), {"given": rows})


def bucket(probability: float) -> int:
    """Which step it lies in, 0..STEPS - 1."""
    return min(int(probability * STEPS), STEPS - 1)


def edge(ms: float) -> str:
    place = bisect_left(EDGES, ms)
    return str(EDGES[place]) if place < len(EDGES) else "inf"
