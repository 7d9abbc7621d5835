"""Two keys of what turned out to be one community -> the older one, with all that belonged to either."""

from sqlalchemy import Table, delete, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.operations.division import PARTS
from storage import codec
from storage.columns import SaidIn
from storage.flow.leases.entering import ENTERING
from storage.records.rolls import NOT_KNOWN
from storage.tables import (
    actions,
    amendments,
    api_keys,
    bots,
    cases,
    communities,
    deliveries,
    erasures,
    feedback,
    flags,
    histograms,
    incidents,
    links,
    looks,
    members,
    messages,
    metadata,
    opinions,
    policies,
    precedents,
    queue,
    raiders,
    sanctions,
    shared_bans,
    strikes,
    tallies,
    webhooks,
)

#: What simply belongs to the other from then on.
_HANDED_OVER = (
    queue, messages, incidents, actions, sanctions, strikes, looks, precedents, deliveries, amendments, api_keys,
    webhooks, feedback, erasures, raiders, flags, shared_bans, opinions,
)  # fmt: skip
#: What is counted for both: what names a count, and its numbers.
_ADDED_UP = {tallies: ("number",), histograms: ("number",), bots: ("messages", "answers", "prose")}


async def merge(connection: AsyncConnection, old: int, new: int) -> int:
    """`old`: what the community was called; `new`: what it is called now, whose settings win. Returns the key that
    stays; its name stays what it was."""
    stays, goes = sorted((old, new))
    if connection.dialect.name == "postgresql":
        # Nobody writes with a key that they have read a moment ago and that is none any more.
        every = ", ".join(table.name for table in metadata.sorted_tables if "community" in table.c)
        await connection.execute(text(f"LOCK TABLE {every} IN EXCLUSIVE MODE"))
    settings = select(communities.c.settings, communities.c.version)
    kept = {key: (await connection.execute(settings.where(communities.c.key == key))).one() for key in (old, new)}
    wins = kept[new] if kept[new].settings is not None else kept[old]
    await _forget_twice_planned(connection, stays, goes)
    await _number_on(connection, stays, goes)
    await _number_versions_on(connection, stays, goes)
    # A hash of one community is none in another: who was heard there alone is not known again.
    await connection.execute(update(messages).where(messages.c.community == goes).values(NOT_KNOWN))
    # Nor is an account of the younger one known as linked any more, or a ban handed on to both as handed on twice.
    await connection.execute(delete(links).where(links.c.community == goes))
    there = shared_bans.alias()
    both = exists().where(there.c.community == stays, there.c.sanction == shared_bans.c.sanction)
    await connection.execute(delete(shared_bans).where(shared_bans.c.community == goes, both))
    named = select(incidents.c.id, incidents.c.decision).where(
        incidents.c.community == goes, incidents.c.other_hash.is_not(None)
    )
    for row in (await connection.execute(named)).all():
        without = {"other_hash": None, "decision": SaidIn(stays, codec.without_other(row.decision))}
        await connection.execute(update(incidents).where(incidents.c.id == row.id).values(without))
    for table in _HANDED_OVER:
        await connection.execute(update(table).where(table.c.community == goes).values(community=stays))
    await connection.execute(
        update(queue).where(queue.c.community == stays).values(share=stays % PARTS, entered=ENTERING)
    )
    await connection.execute(delete(members).where(members.c.community == goes))
    for table, numbers in _ADDED_UP.items():
        await _add_up(connection, table, numbers, stays, goes)
    await connection.execute(delete(communities).where(communities.c.key == goes))
    one = update(communities).where(communities.c.key == stays)
    await connection.execute(one.values(settings=wins.settings, version=wins.version))
    return stays


async def _number_on(connection: AsyncConnection, stays: int, goes: int) -> None:
    """Cases of the younger one are numbered behind those of the older."""
    free = {
        key: (await connection.execute(select(communities.c.next_case).where(communities.c.key == key))).scalar_one()
        for key in (stays, goes)
    }
    theirs = update(cases).where(cases.c.community == goes)
    await connection.execute(theirs.values(community=stays, number=cases.c.number + free[stays] - 1))
    one = update(communities).where(communities.c.key == stays)
    await connection.execute(one.values(next_case=free[stays] + free[goes] - 1))


async def _number_versions_on(connection: AsyncConnection, stays: int, goes: int) -> None:
    """Versions of the younger one's policy follow those of the older's."""
    newest = select(func.coalesce(func.max(policies.c.number), 0)).where(policies.c.community == stays)
    last = (await connection.execute(newest)).scalar_one()
    theirs = update(policies).where(policies.c.community == goes)
    await connection.execute(theirs.values(community=stays, number=policies.c.number + last))


async def _forget_twice_planned(connection: AsyncConnection, stays: int, goes: int) -> None:
    """Of a report that was planned for both, the one of the older."""
    there = deliveries.alias()
    twice = exists().where(
        there.c.community == stays, there.c.kind == deliveries.c.kind, there.c.period == deliveries.c.period
    )
    await connection.execute(delete(deliveries).where(deliveries.c.community == goes, twice))


async def _add_up(connection: AsyncConnection, table: Table, numbers: tuple[str, ...], stays: int, goes: int) -> None:
    names = [column for column in table.primary_key if column.name != "community"]
    other = table.alias()
    same = (other.c.community == goes, *(other.c[name.name] == name for name in names))
    both = update(table).where(table.c.community == stays, exists().where(*same))
    sums = {number: table.c[number] + select(other.c[number]).where(*same).scalar_subquery() for number in numbers}
    await connection.execute(both.values(sums))
    twice = other.c.community == stays, *(other.c[name.name] == name for name in names)
    await connection.execute(delete(table).where(table.c.community == goes, exists().where(*twice)))
    await connection.execute(update(table).where(table.c.community == goes).values(community=stays))
