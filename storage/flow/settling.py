"""Settlements -> out of the queue and into the record, with their incidents, actions and counts, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import bindparam, exists, insert, not_, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.amounts import amounts
from bot.core.chat.message import Kind, MessageRef
from bot.core.guarding.verdict import Verdict
from bot.core.incidents.incident import Settlement
from bot.core.rules.actions import Delete, Done
from storage import codec
from storage.columns import AnyRow, SaidIn, microseconds, plain
from storage.database import Database
from storage.flow import sql, tallies
from storage.flow.leases.entering import FREE
from storage.flow.leases.shares import SqlShares, Stake
from storage.records import rolls, strikes
from storage.records.cases import open_cases
from storage.settings import webhooks
from storage.tables import actions, incidents, messages, queue, verdicts

_SETTLED = (messages.c.id, *codec.SETTLED_REF, messages.c.community, messages.c.kind, messages.c.sent_at)
_NAMED = (messages.c.id, *codec.SETTLED_REF[:3], messages.c.kind, messages.c.sent_at)

#: A message that we have deleted ourselves, or are just deleting, was not taken away by somebody else.
_WITHDRAW = (
    update(incidents)
    .where(
        incidents.c.message == bindparam("revision"),
        incidents.c.withdrawn_at.is_(None),
        not_(
            exists().where(
                actions.c.incident == incidents.c.id,
                actions.c.kind == Delete.kind,
                or_(actions.c.state == "started", actions.c.state == Done.kind),
            )
        ),
    )
    .values(withdrawn_at=bindparam("gone_at"))
)


async def settle(
    database: Database, decided: Sequence[tuple[Settlement, Stake | None]], shares: SqlShares | None = None
) -> Sequence[bool]:
    """What is settled already stays as it was. Where there are `shares`, what was not begun under the present epoch of
    one that is held is given back: False."""
    refs = [codec.plain_ref(settlement.decision.message.ref) for settlement, _ in decided]
    first, stakes = dict[MessageRef, Settlement](), dict[MessageRef, Stake | None]()
    for ref, (settlement, stake) in zip(refs, decided, strict=True):
        first.setdefault(ref, settlement)
        stakes.setdefault(ref, stake)
    now, rows = database.clock.now(), await _rows(database, first)
    async with database.write() as connection:
        stale = await _stale(database, connection, shares, stakes) if shares else frozenset[MessageRef]()
        for ref in stale:
            del first[ref], rows[ref]
        # Incidents and deletions of one message concern each other: whoever settles either waits for the other.
        weighty = [
            ref
            for ref, settlement in first.items()
            if settlement.decision.is_incident or settlement.decision.message.kind is Kind.DELETE
        ]
        if weighty and database.is_postgresql:
            await connection.execute(database.sql(sql.LOCK_REVISIONS), {"given": codec.write_refs(weighty)})
        settled = await _record(database, connection, codec.write_sealed_rows(rows.values()), now)
        opened = [(row, first[ref]) for ref, row in settled.items() if first[ref].decision.is_incident]
        opened = await strikes.climb(database, connection, opened)
        if opened:
            await _open_incidents(database, connection, opened, now)
        if weighty:
            await _withdraw(database, connection, weighty)
        climbed = {row.id: one for row, one in opened}
        counted = [(row.community, climbed.get(row.id, first[ref])) for ref, row in settled.items()]
        await tallies.count(database, connection, counted)
        await rolls.count_bots(database, connection, counted)
        await rolls.count_members(database, connection, counted)
    return [ref not in stale for ref in refs]


async def _stale(
    database: Database, connection: AsyncConnection, shares: SqlShares, stakes: Mapping[MessageRef, Stake | None]
) -> Collection[MessageRef]:
    stand = await shares.stand(connection, stakes.values())
    if stale := {ref for ref, stake in stakes.items() if stake not in stand}:
        among = database.sql(sql.AMONG_QUEUED).bindparams(given=codec.write_refs(stale))
        own = update(queue).where(queue.c.holder == database.holder, among)
        await connection.execute(own.values(FREE))
        shares.refused += len(stale)
    return stale


async def _record(
    database: Database, connection: AsyncConnection, given: Mapping[str, str | bytes], now: datetime
) -> Mapping[MessageRef, AnyRow]:
    """Returns what was not on record before. Its community is the one that it waited for: that may have moved."""
    statement = sql.SETTLE_POSTGRESQL if database.is_postgresql else sql.SETTLE_SQLITE
    recording = database.sql(statement).columns(*_SETTLED)
    found = await connection.execute(recording, {**given, "now": microseconds(now)})
    settled = {codec.read_ref(row): row for row in found}
    if not database.is_postgresql:
        await connection.execute(database.sql(sql.LEAVE_SQLITE), {"given": given["given"]})
    return settled


async def _rows(
    database: Database, settlements: Mapping[MessageRef, Settlement]
) -> dict[MessageRef, tuple[str | int | float | bytes | None, ...]]:
    """What is recorded of each: nobody's name or words, but hashes by which both are known again for a while."""
    communities = {one.decision.message.community for one in settlements.values()}
    keys = {community: await database.keys.known(community) for community in communities}
    rows: dict[MessageRef, tuple[str | int | float | bytes | None, ...]] = {}
    for ref in sorted(settlements, key=codec.key):
        settlement = settlements[ref]
        message, screening = settlement.decision.message, settlement.decision.screening
        key, author = keys[message.community], plain(message.author.id)
        hashed = database.sealing.member_hash(key, author) if key and author else None
        harm = screening.harm if isinstance(screening, Verdict) else None
        new = bool(hashed) and message.kind is Kind.NEW
        said = rolls.said_hash(database, key, message) if key and new else None
        posted = codec.write_amounts(amounts(message)) if new and not message.is_name else None
        rows[ref] = (*codec.key(ref), harm, settlement.ms, key if hashed else None, hashed, said, posted)
    return rows


async def _open_incidents(
    database: Database, connection: AsyncConnection, decided: Sequence[tuple[AnyRow, Settlement]], now: datetime
) -> None:
    opening = [
        {
            "message": row.id,
            "community": row.community,
            "author": plain(_author(settlement)),
            "rule": settlement.decision.rule,
            "decided_at": settlement.decided_at,
            # As it was judged: of its author more may be known by now than when it was kept.
            "body": SaidIn(row.community, codec.write_body(settlement.decision.message)),
            "decision": SaidIn(row.community, codec.write_decision(settlement.decision)),
            "other_hash": _other(database, row, settlement),
        }
        for row, settlement in decided
    ]
    opened = await connection.execute(insert(incidents).returning(incidents.c.id, incidents.c.message), opening)
    ids = {row.message: row.id for row in opened}
    counted = [(row.community, ids[row.id], plain(_author(one)), one.decided_at, one.severity) for row, one in decided]
    case_of = await open_cases(database, connection, counted)
    await strikes.note(database, connection, decided, {message: case_of[id_] for message, id_ in ids.items()})
    await webhooks.plan(connection, [*ids.values()], now)
    found = [
        {"incident": ids[row.id], "part": part, "kind": kind, "guard": guard, "probability": p, "quotes": one.quotes}
        for row, settlement in decided
        if isinstance(one := settlement.decision.screening, Verdict)
        for part, kind, guard, p in codec.judgements(one)
    ]
    if found:
        await connection.execute(insert(verdicts), found)
    planned = [
        {
            "incident": ids[row.id],
            "position": position,
            "platform": row.platform,
            "community": row.community,
            "kind": action.kind,
            "protects": action.protects,
            "args": SaidIn(row.community, codec.write_action(action)),
            "state": "planned",
            "attempts": 0,
            "planned_at": now,
        }
        for row, settlement in decided
        for position, action in enumerate(settlement.decision.actions)
    ]
    if planned:
        await connection.execute(insert(actions), planned)


def _other(database: Database, row: AnyRow, settlement: Settlement) -> bytes | None:
    other = settlement.decision.other
    return database.sealing.member_hash(row.community, plain(other)) if other else None


def _author(settlement: Settlement) -> str:
    return settlement.decision.message.author.id


async def _withdraw(database: Database, connection: AsyncConnection, weighty: Sequence[MessageRef]) -> None:
    """Note on the incidents of a message that it was taken away, whichever of the two was settled first."""
    named = database.sql(sql.REVISIONS).columns(*_NAMED)
    revisions = (await connection.execute(named, {"given": codec.write_refs(weighty)})).all()
    gone_at: dict[tuple[str, ...], datetime] = {}
    for row in revisions:
        if row.kind == Kind.DELETE:
            gone_at[_name(row)] = min(row.sent_at, gone_at.get(_name(row), datetime.max.replace(tzinfo=UTC)))
    withdrawn = [{"revision": row.id, "gone_at": gone_at[_name(row)]} for row in revisions if _name(row) in gone_at]
    if withdrawn:
        await connection.execute(_WITHDRAW, withdrawn)


def _name(row: AnyRow) -> tuple[str, ...]:
    return row.platform, row.channel, row.message
