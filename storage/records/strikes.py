"""Cases that count against members -> the step that each leads to; and what is taken back with one of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import IMPOSING, Call
from bot.core.rules.decision import climbed
from bot.core.rules.ladder import Strike
from storage import codec
from storage.columns import AnyRow, plain
from storage.database import Database
from storage.flow.calls import follow
from storage.tables import actions, cases, communities, incidents, reviews, strikes

_COUNTS = strikes.c.weight > 0
#: Nobody's: whoever takes a strike back frees the members whom the ladder has sanctioned because of it.
NOBODY = ""


async def lock(connection: AsyncConnection, keys: Iterable[int]) -> None:
    """Whoever else counts the strikes of these communities, or changes one, waits; in one order everywhere."""
    some = select(communities.c.key).where(communities.c.key.in_(sorted(set(keys)))).order_by(communities.c.key)
    await connection.execute(some.with_for_update(key_share=True))


async def climb(
    database: Database, connection: AsyncConnection, settled: Sequence[tuple[AnyRow, Settlement]]
) -> list[tuple[AnyRow, Settlement]]:
    """The same, each with the step that its strike leads to. Until the transaction ends nobody else counts."""
    striking = [(row.community, one) for row, one in settled if one.decision.strike]
    if not striking:
        return list(settled)
    await lock(connection, (community for community, _ in striking))
    counted: dict[tuple[int, bytes], int] = {}
    climbing = []
    for row, one in settled:
        if one.decision.strike:
            who = row.community, _hash(database, row.community, one)
            if who not in counted:
                counted[who] = await running(connection, *who, one.decided_at)
            counted[who] += one.decision.strike
            one = replace(one, decision=climbed(one.decision, counted[who], one.ladder))
        climbing.append((row, one))
    return climbing


async def running(connection: AsyncConnection, community: int, member: bytes, at: datetime) -> int:
    """How much counts against a member then."""
    theirs = (strikes.c.community == community, strikes.c.member_hash == member, strikes.c.decays_at > at)
    counted = select(func.coalesce(func.sum(strikes.c.weight), 0)).where(*theirs)
    return int((await connection.execute(counted)).scalar_one())


async def note(
    database: Database, connection: AsyncConnection, opened: Sequence[tuple[AnyRow, Settlement]], of: Mapping[int, int]
) -> None:
    """`of`: a message's case."""
    rows = [
        {
            "case": of[row.id],
            "community": row.community,
            "member_hash": _hash(database, row.community, one),
            "weight": one.decision.strike,
            "at": one.decided_at,
            "decays_at": one.decided_at + one.ladder.lasting,
        }
        for row, one in opened
        if one.decision.strike
    ]
    if rows:
        await connection.execute(insert(strikes), rows)


def _hash(database: Database, community: int, settlement: Settlement) -> bytes:
    return database.sealing.member_hash(community, plain(settlement.decision.message.author.id))


async def hold(connection: AsyncConnection, case: int, own: ColumnElement[bool], *, counting: bool = True) -> list[int]:
    """Lock the community, then in one order the actions of a case and of every incident that its strike may have led
    to; their ids. `own`: which actions are the case's. `counting`: or only its own."""
    later: list[int] = []
    if counting:
        place = select(cases.c.community).where(cases.c.id == case)
        await lock(connection, [(await connection.execute(place)).scalar_one()])
        later = [row.incident for row in await _behind(connection, case)]
    locking = select(actions.c.id).where(own | actions.c.incident.in_(later)).order_by(actions.c.id)
    return list((await connection.execute(locking.with_for_update())).scalars())


async def weigh(
    database: Database, connection: AsyncConnection, case: int, strike: Strike, held: Sequence[int], now: datetime
) -> None:
    """So much it counts from now on. Of what it led to, that is taken back which the others do not lead to."""
    found = select(cases.c.community, cases.c.member, cases.c.member_hash, cases.c.opened_at, strikes.c.weight)
    this = found.select_from(cases.outerjoin(strikes)).where(cases.c.id == case)
    row = (await connection.execute(this)).one()
    hashed = database.sealing.member_hash(row.community, row.member) if row.member else row.member_hash
    if not hashed or (row.weight or 0) == strike.weight:
        return
    begun = {"community": row.community, "member_hash": hashed, "at": row.opened_at}
    put = database.insert(strikes).values(
        case=case, weight=strike.weight, decays_at=row.opened_at + strike.lasting, **begun
    )
    either = put.on_conflict_do_update(index_elements=[strikes.c.case], set_={"weight": strike.weight})
    await connection.execute(either)
    if strike.weight < (row.weight or 0):
        await _take_back(connection, case, held, now)


async def _take_back(connection: AsyncConnection, case: int, held: Sequence[int], now: datetime) -> None:
    for later in await _behind(connection, case):
        taken = codec.read_step_taken(later.decision)
        if taken and await _counted(connection, later) < taken:
            freed = {"moderator": NOBODY, "moderator_name": "", "at": now, "closes": False}
            await connection.execute(insert(reviews).values(incident=later.incident, call=Call.LIFT, **freed))
            await follow(connection, later.incident, now, due=now, held=held, called=Call.LIFT)


async def _behind(connection: AsyncConnection, case: int) -> Sequence[AnyRow]:
    """The incidents that count against the same member since then, and while this one does; in one order."""
    this, later = strikes.alias(), strikes.alias()
    same = (later.c.community == this.c.community, later.c.member_hash == this.c.member_hash)
    since = (later.c.case > this.c.case, later.c.at < this.c.decays_at, cases.c.member.is_not(None))
    # What a moderator has imposed since then is theirs; and what was taken back once stays so.
    freed = (reviews.c.call == Call.LIFT) & (reviews.c.moderator == NOBODY)
    final = exists().where(reviews.c.incident == incidents.c.id, reviews.c.call.in_(IMPOSING) | freed)
    wanted = (
        select(*later.c, cases.c.incident, incidents.c.decision)
        .select_from(later)
        .join(this, this.c.case == case)
        .join(cases, cases.c.id == later.c.case)
        .join(incidents, incidents.c.id == cases.c.incident)
        .where(*same, *since, later.c.weight > 0, not_(final))
        .order_by(cases.c.incident)
    )
    return (await connection.execute(wanted)).all()


async def _counted(connection: AsyncConnection, later: AnyRow) -> int:
    """What led to it, as things are now."""
    theirs = (strikes.c.community == later.community, strikes.c.member_hash == later.member_hash)
    then = (strikes.c.case <= later.case, strikes.c.decays_at > later.at, _COUNTS)
    counted = select(func.coalesce(func.sum(strikes.c.weight), 0)).where(*theirs, *then)
    return int((await connection.execute(counted)).scalar_one())


async def rehash(database: Database, connection: AsyncConnection, stays: int) -> None:
    """After two communities became one: whose strike it is, as far as that is known. A hash of one community is none in
    another."""
    moved = select(strikes.c.case, cases.c.member).join_from(strikes, cases).where(strikes.c.community == stays)
    known: dict[str, list[int]] = defaultdict(list)
    for row in await connection.execute(moved.where(cases.c.member.is_not(None))):
        known[row.member].append(row.case)
    for member, theirs in known.items():
        hashed = database.sealing.member_hash(stays, member)
        await connection.execute(strikes.update().where(strikes.c.case.in_(theirs)).values(member_hash=hashed))
