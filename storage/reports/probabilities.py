"""How probable kinds of harm were: of messages from the counts by day, of incidents from what is on record."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Part
from bot.core.incidents.review import Call
from bot.core.reporting.what_if import NEWEST, Probabilities, Scored
from storage.community_key import of_community
from storage.tables import histograms, incidents, reviews, verdicts


async def probabilities_since(
    connection: AsyncConnection, community: CommunityRef, kinds: Collection[HarmKind], since: datetime
) -> Probabilities:
    """`kinds`: none are all, and no message is counted then."""
    counted = (
        select(histograms.c.bucket, histograms.c.guard, func.sum(histograms.c.number))
        .where(
            of_community(histograms, community), histograms.c.day >= since,
            histograms.c.part == Part.PROMPT, histograms.c.kind.in_(kinds),
        )
        .group_by(histograms.c.bucket, histograms.c.guard)
    )  # fmt: skip
    steps: dict[int, int] = defaultdict(int)
    for step, _, number in await connection.execute(counted):
        steps[step] = max(steps[step], int(number))  # several guards judge the same message
    return Probabilities(messages=steps, incidents=await _incidents(connection, community, kinds, since))


async def _incidents(
    connection: AsyncConnection, community: CommunityRef, kinds: Collection[HarmKind], since: datetime
) -> list[Scored]:
    newest = (
        select(incidents.c.id, incidents.c.rule)
        .where(of_community(incidents, community), incidents.c.decided_at >= since)
        .order_by(incidents.c.decided_at.desc())
        .limit(NEWEST)
        .cte("newest")
    )
    asked = verdicts.c.kind.in_(kinds) if kinds else verdicts.c.part == Part.PROMPT
    probable = (
        select(verdicts.c.incident, func.max(verdicts.c.probability))
        .where(verdicts.c.incident.in_(select(newest.c.id)), verdicts.c.part == Part.PROMPT, asked)
        .group_by(verdicts.c.incident)
    )
    called = select(reviews.c.incident, reviews.c.call).where(
        reviews.c.incident.in_(select(newest.c.id)), text("reviews.closes")
    )
    found = {row[0]: row[1] for row in await connection.execute(probable)}
    calls = {row[0]: row[1] for row in await connection.execute(called)}
    return [
        Scored(row.id, row.rule, found.get(row.id), calls[row.id] == Call.WRONG if row.id in calls else None)
        for row in await connection.execute(select(newest.c.id, newest.c.rule))
    ]
