"""The inbox as a table: messages come in and wait, leased ones go out, settled ones stay as the record."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest

import structlog
from sqlalchemy import Select, bindparam, case, exists, func, insert, not_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Kind, Message, MessageRef
from bot.core.communities.journal import Aside
from bot.core.guarding.verdict import Verdict
from bot.core.incidents.incident import Settlement
from bot.core.moderation.tally import Tally
from bot.core.rules.actions import Delete, Done
from storage import codec
from storage.community_key import CommunityKey, community_columns, community_of, of_community, read_community
from storage.database import Database
from storage.flow import suspects, tallies
from storage.flow.leasing import leased
from storage.records import bots
from storage.tables import AMONG_REFS, MESSAGE, REF, WAITING, AnyRow, actions, incidents, messages, microseconds, plain

_log = structlog.get_logger(__name__)

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_UNTAKEN = (messages.c.settled_at.is_(None), messages.c.holder.is_(None))

_KEEP = """
    INSERT INTO messages (platform, channel, message, revision, community, author, kind, sent_at, kept_at, body)
    SELECT
        given.value ->> 0, given.value ->> 1, given.value ->> 2, CAST(given.value ->> 3 AS bigint),
        given.value ->> 4, given.value ->> 5, given.value ->> 6, CAST(given.value ->> 7 AS bigint),
        CAST(:now AS bigint), given.value ->> 8
    FROM {given} WHERE true
    ON CONFLICT DO NOTHING RETURNING platform, channel, message, revision
"""

#: Hops over the index from one platform to the next, and from one of its communities to the next: as many steps as
#: there are of them, however many messages wait.
_COMMUNITIES = text("""
    WITH RECURSIVE network (platform) AS (
        SELECT min(platform) FROM messages WHERE settled_at IS NULL AND aside_at IS NULL
        UNION ALL
        SELECT (
            SELECT min(platform) FROM messages
            WHERE settled_at IS NULL AND aside_at IS NULL AND messages.platform > network.platform
        )
        FROM network WHERE platform IS NOT NULL
    ),
    waiting (platform, community) AS (
        SELECT platform, (
            SELECT min(community) FROM messages
            WHERE settled_at IS NULL AND aside_at IS NULL AND messages.platform = network.platform
        )
        FROM network WHERE platform IS NOT NULL
        UNION ALL
        SELECT platform, (
            SELECT min(community) FROM messages
            WHERE settled_at IS NULL AND aside_at IS NULL AND messages.platform = waiting.platform
                AND messages.community > waiting.community
        )
        FROM waiting WHERE community IS NOT NULL
    )
    SELECT platform, community FROM waiting WHERE community IS NOT NULL
""")

#: The newest `each` free messages of every given community, in the words that each planner does well with.
_FREE = """
    SELECT messages.id, platform, community, sent_at FROM messages
    WHERE settled_at IS NULL AND aside_at IS NULL AND holder IS NULL
        AND circle IS NULL AND coalesce(faults, 0) < :most_faults
        AND platform = given.value ->> 0 AND community = given.value ->> 1 AND sent_at >= :start AND sent_at < :end
    ORDER BY sent_at DESC, messages.id DESC LIMIT :each
"""
_FREE_OF_EACH_SQLITE = f"""
    SELECT platform, community, messages.id FROM {{given}} JOIN messages ON messages.id IN (SELECT id FROM ({_FREE}))
    ORDER BY sent_at DESC, messages.id DESC
"""
_FREE_OF_EACH_POSTGRESQL = f"""
    SELECT platform, community, id FROM {{given}} CROSS JOIN LATERAL ({_FREE} FOR UPDATE SKIP LOCKED) AS free
    ORDER BY sent_at DESC, id DESC
"""

_LEASE = f"""
    UPDATE messages SET holder = :holder WHERE messages.id IN (SELECT CAST(given.value ->> 0 AS bigint) FROM {{given}})
    RETURNING id, {", ".join(column.name for column in MESSAGE)}
"""

_CLOSE = """
    UPDATE messages SET
        settled_at = :now, holder = NULL,
        score = CAST(given.value ->> 4 AS double precision), ms = CAST(given.value ->> 5 AS double precision),
        body = given.value ->> 6
    FROM {given}
    WHERE platform = given.value ->> 0 AND channel = given.value ->> 1 AND message = given.value ->> 2
        AND revision = CAST(given.value ->> 3 AS bigint) AND settled_at IS NULL
    RETURNING platform, channel, message, revision, community
"""

_REVISIONS = """
    SELECT id, community, kind, sent_at, settled_at, platform, channel, message, revision FROM messages
    WHERE (platform, channel, message) IN (SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2 FROM {given})
    ORDER BY id
"""

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


class SqlInbox:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._keep = database.grouped(self._insert)
        self._settle = database.grouped(self._close)
        self._served: CommunityKey = ("", "")  # the community that had the last turn
        self._in_hand: set[MessageRef] = set()  # handed out and not yet settled
        self._unsure = False  # whether the last claim may have leased what nobody was handed

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        return await self._keep(messages)

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        found = [message for _, message in await leased(self._lease(limit, fresh_since), self._give_back)]
        self._in_hand.update(message.ref for message in found)
        return found

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        await self._settle(settlements)
        self._in_hand.difference_update(settlement.decision.message.ref for settlement in settlements)

    async def fault(self, ref: MessageRef) -> None:
        this = zip(REF, codec.key(ref), strict=True)
        own = (messages.c.holder == self._database.holder, messages.c.settled_at.is_(None))
        async with self._database.write() as connection:
            await connection.execute(suspects.fault(messages, *own, *(column == value for column, value in this)))
        self._in_hand.discard(ref)

    async def given_up(self, limit: int) -> Sequence[Message]:
        wanted = select(messages.c.id).where(*_UNTAKEN, suspects.given_up(messages)).order_by(messages.c.id)
        return await self._lease_some(wanted.limit(limit))

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        among = self._database.sql(AMONG_REFS).bindparams(given=codec.write_refs(refs))
        own = (messages.c.holder == self._database.holder, messages.c.settled_at.is_(None))
        at = func.coalesce(messages.c.aside_at, microseconds(self._database.clock.now()))
        async with self._database.write() as connection:
            # What was looked at has not killed anybody.
            await connection.execute(update(messages).where(*own, among).values(holder=None, aside_at=at, circle=None))
        self._in_hand.difference_update(refs)

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        due = (messages.c.aside_at.is_not(None), messages.c.sent_at < sent_before, suspects.innocent(messages))
        newest = messages.c.sent_at.desc(), messages.c.id.desc()
        return await self._lease_some(select(messages.c.id).where(*_UNTAKEN, *due).order_by(*newest).limit(limit))

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        place = community_of(messages)
        unjudged = case((messages.c.settled_at.is_not(None) & messages.c.score.is_(None), 1))
        counted = (
            select(*place, func.count(), func.count(messages.c.channel.distinct()), func.count(unjudged))
            .where(messages.c.aside_at.is_not(None), messages.c.aside_at >= since)
            .group_by(*place)
        )
        async with self._database.read() as connection:
            return {read_community(row): Aside(*row[2:]) for row in await connection.execute(counted)}

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        among = self._database.sql(AMONG_REFS).bindparams(given=codec.write_refs(refs))
        async with self._database.read() as connection:
            found = await connection.execute(select(*REF).where(among, messages.c.settled_at.is_not(None)))
            closed = set(map(codec.read_ref, found))
        return [ref in closed for ref in refs]

    async def waiting(self) -> int:
        async with self._database.read() as connection:
            counted = (select(func.count()).where(part).scalar_subquery() for part in WAITING)
            return sum((await connection.execute(select(*counted))).one())

    async def recent(self, since: datetime) -> Sequence[Message]:
        wanted = select(*MESSAGE).where(messages.c.sent_at >= since).order_by(messages.c.sent_at, messages.c.id)
        async with self._database.read() as connection:
            return [codec.read_message(row) for row in await connection.execute(wanted)]

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        # Settled is what no longer waits: an index alone answers how many were kept, and few of them wait.
        kept = select(func.count()).where(messages.c.sent_at >= start, messages.c.sent_at < end)
        if community is not None:
            kept = kept.where(of_community(messages, community))
        counted = (kept, *map(kept.where, WAITING))
        async with self._database.read() as connection:
            found = await connection.execute(select(*(one.scalar_subquery() for one in counted)))
            arrived, *left = found.one()
        return Tally(kept=arrived, settled=arrived - sum(left))

    async def _insert(self, arrived: Sequence[Message]) -> Sequence[bool]:
        rows = codec.write_rows(
            (
                *codec.key(message.ref),
                plain(message.community_id),
                plain(message.author.id),
                message.kind,
                microseconds(message.sent_at),
                codec.write_body(message),
            )
            for message in arrived
        )
        given = {"given": rows, "now": microseconds(self._database.clock.now())}
        async with self._database.write() as connection:
            new = set(map(codec.read_ref, await connection.execute(self._database.sql(_KEEP), given)))
        fresh = []
        for message in arrived:
            ref = codec.plain_ref(message.ref)
            fresh.append(ref in new)
            new.discard(ref)  # given twice in one call, it is new once
        return fresh

    async def _lease(self, limit: int, fresh_since: datetime) -> list[tuple[int, Message]]:
        try:
            # A lease ends with its machine, at the latest.
            async with self._database.write(durable=False) as connection:
                if self._unsure:
                    await self._free_what_nobody_has(connection)
                chosen = await self._suspects(connection, limit)
                chosen += await self._choose(connection, limit - len(chosen), fresh_since)
                leased = await self._take(connection, chosen)
                found = [(row.id, message) for row in leased if (message := _read(row))]
                if len(found) < len(chosen):
                    await self._give_up(connection, set(chosen) - {id_ for id_, _ in found})
        except Unavailable:
            self._unsure = True
            raise
        self._unsure = False
        return found

    async def _lease_some(self, wanted: Select[int]) -> Sequence[Message]:
        async with self._database.read() as connection:  # mostly there is nothing, and then nobody else need wait
            if (await connection.execute(wanted)).first() is None:
                return []
        try:
            async with self._database.write(durable=False) as connection:
                chosen = (await connection.execute(wanted.with_for_update(skip_locked=True))).scalars().all()
                leased = await self._take(connection, chosen)
        except Unavailable:
            self._unsure = True
            raise
        found = [_read(row) or codec.read_message(row, with_body=False) for row in leased]
        self._in_hand.update(message.ref for message in found)
        return found

    async def _take(self, connection: AsyncConnection, chosen: Sequence[int]) -> list[AnyRow]:
        if not chosen:
            return []
        leasing = self._database.sql(_LEASE).columns(messages.c.id, *MESSAGE)
        given = {"given": codec.write_rows([id_] for id_ in chosen), "holder": self._database.holder}
        rows = {row.id: row for row in await connection.execute(leasing, given)}
        return [rows[id_] for id_ in chosen]

    async def _suspects(self, connection: AsyncConnection, limit: int) -> list[int]:
        first_look = messages.c.aside_at.is_(None)
        some = await suspects.next_suspects(connection, messages, self._database.holder, first_look)
        if some is None:
            return []
        found = await connection.execute(some.with_for_update(skip_locked=True))
        return list(found.scalars())[:limit]

    async def _give_up(self, connection: AsyncConnection, unreadable: Collection[int]) -> None:
        which = messages.c.id.in_(unreadable)
        await connection.execute(update(messages).where(which).values(holder=None, faults=suspects.MOST_FAULTS))

    async def _free_what_nobody_has(self, connection: AsyncConnection) -> None:
        """The connection broke while it was said that a lease is committed: then we hold it, and do not know it."""
        in_hand = codec.write_refs(self._in_hand)
        others = self._database.sql(f"NOT {AMONG_REFS}").bindparams(given=in_hand)
        own = (messages.c.settled_at.is_(None), messages.c.holder == self._database.holder)
        await connection.execute(update(messages).where(*own, others).values(holder=None))

    async def _choose(self, connection: AsyncConnection, limit: int, fresh_since: datetime) -> list[int]:
        waiting = sorted((row.platform, row.community) for row in await connection.execute(_COMMUNITIES))
        next_ = bisect_right(waiting, self._served)
        turns = waiting[next_:] + waiting[:next_]
        chosen = await self._in_turns(connection, turns, limit, fresh_since, _LAST)
        if len(chosen) < limit:
            chosen += await self._in_turns(connection, turns, limit - len(chosen), _FIRST, fresh_since)
        if chosen:
            self._served = chosen[-1][0]
        return [id_ for _, id_ in chosen]

    async def _in_turns(
        self, connection: AsyncConnection, turns: Sequence[CommunityKey], limit: int, start: datetime, end: datetime
    ) -> list[tuple[CommunityKey, int]]:
        """Free messages (community and row), one of each community, then the next of each; the newest of each, in the
        order in which they were sent. Asks everybody for an equal share, then those who had that for twice as much:
        never reads much more than it returns."""
        free_of_each = self._database.sql(
            _FREE_OF_EACH_POSTGRESQL if self._database.is_postgresql else _FREE_OF_EACH_SQLITE
        )
        free: dict[CommunityKey, list[int]] = {}
        asked, each = turns, -(-limit // max(1, len(turns)))
        while asked and sum(map(len, free.values())) < limit:
            free |= {community: [] for community in asked}
            given = {
                "given": codec.write_rows(asked),
                "start": microseconds(start),
                "end": microseconds(end),
                "each": each,
                "most_faults": suspects.MOST_FAULTS,
            }
            for platform, community, id_ in await connection.execute(free_of_each, given):
                free[platform, community].append(id_)
            asked = [community for community in asked if len(free[community]) == each]
            each *= 2
        newest = list(islice(_rounds(free, turns), limit))
        number = Counter(community for community, _ in newest)
        oldest_first = {community: free[community][: number[community]][::-1] for community in turns}
        return list(_rounds(oldest_first, turns))

    async def _give_back(self, taken: Sequence[tuple[int, Message]]) -> None:
        own = messages.c.id.in_([id_ for id_, _ in taken]) & (messages.c.holder == self._database.holder)
        async with self._database.write() as connection:
            await connection.execute(update(messages).where(own).values(holder=None))

    async def _close(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        first: dict[MessageRef, Settlement] = {}
        for settlement in settlements:
            first.setdefault(settlement.decision.message.ref, settlement)
        # Incidents and deletions of one message concern each other, so all its revisions are looked at, and locked.
        weighty = [
            ref
            for ref, settlement in first.items()
            if settlement.decision.is_incident or settlement.decision.message.kind is Kind.DELETE
        ]
        now = self._database.clock.now()
        given = {"given": codec.write_rows(map(_closing, first.values())), "now": microseconds(now)}
        async with self._database.write() as connection:
            revisions = await self._revisions(connection, weighty) if weighty else {}
            closed = await connection.execute(self._database.sql(_CLOSE), given)
            homes = {codec.read_ref(row): row.community for row in closed}  # it may have moved since it was claimed
            await _open_incidents(connection, first, revisions, now)
            await _withdraw(connection, first, revisions)
            settled = [_at_home(one, homes[ref]) for ref, one in first.items() if ref in homes]
            await tallies.count(self._database, connection, settled)
            await bots.count(self._database, connection, settled)
        return [None] * len(settlements)

    async def _revisions(self, connection: AsyncConnection, refs: Sequence[MessageRef]) -> Mapping[MessageRef, AnyRow]:
        """Every revision of the messages that `refs` are revisions of."""
        named = self._database.sql(_REVISIONS + (" FOR UPDATE" if self._database.is_postgresql else ""))
        columns = (
            messages.c.id,
            messages.c.community,
            messages.c.kind,
            messages.c.sent_at,
            messages.c.settled_at,
            *REF,
        )
        found = await connection.execute(named.columns(*columns), {"given": codec.write_refs(refs)})
        return {codec.read_ref(row): row for row in found}


def _rounds(
    lines: Mapping[CommunityKey, Sequence[int]], turns: Sequence[CommunityKey]
) -> Iterator[tuple[CommunityKey, int]]:
    rounds = zip_longest(*([(community, id_) for id_ in lines.get(community, ())] for community in turns))
    return (one for one in chain.from_iterable(rounds) if one is not None)


def _read(row: AnyRow) -> Message | None:
    """None: what is stored of it cannot be read, and never will be."""
    try:
        return codec.read_message(row)
    except Exception as error:
        _log.error("message cannot be read", id=row.id, error=type(error).__name__)
        return None


async def _open_incidents(
    connection: AsyncConnection,
    settlements: Mapping[MessageRef, Settlement],
    revisions: Mapping[MessageRef, AnyRow],
    now: datetime,
) -> None:
    """`revisions` as they were before: what was settled then is not decided again."""
    decided = {
        row.id: settlements[ref]
        for ref, row in revisions.items()
        if row.settled_at is None and ref in settlements and settlements[ref].decision.is_incident
    }
    if not decided:
        return
    # It may have moved since a message was claimed.
    homes = {row.id: community_columns(read_community(row)) for row in revisions.values()}
    opening = [
        {
            "message": message,
            **homes[message],
            "author": plain(settlement.decision.message.author.id),
            "rule": settlement.decision.rule,
            "decided_at": settlement.decided_at,
            "decision": codec.write_decision(settlement.decision),
        }
        for message, settlement in decided.items()
    ]
    opened = await connection.execute(insert(incidents).returning(incidents.c.id, incidents.c.message), opening)
    planned = [
        {
            "incident": incident,
            "position": position,
            **homes[message],
            "kind": action.kind,
            "protects": action.protects,
            "args": codec.write_action(action),
            "state": "planned",
            "attempts": 0,
            "planned_at": now,
        }
        for incident, message in opened
        for position, action in enumerate(decided[message].decision.actions)
    ]
    if planned:
        await connection.execute(insert(actions), planned)


async def _withdraw(
    connection: AsyncConnection, settlements: Mapping[MessageRef, Settlement], revisions: Mapping[MessageRef, AnyRow]
) -> None:
    """Note on the incidents of a message that it was taken away, whichever of the two was settled first."""
    gone_at: dict[tuple[str, str, str], datetime] = {}
    for ref, row in revisions.items():
        if row.kind == Kind.DELETE and (row.settled_at is not None or ref in settlements):
            name = codec.key(ref)[:3]
            gone_at[name] = min(row.sent_at, gone_at.get(name, _LAST))
    withdrawn = [
        {"revision": row.id, "gone_at": gone_at[codec.key(ref)[:3]]}
        for ref, row in revisions.items()
        if codec.key(ref)[:3] in gone_at
    ]
    if withdrawn:
        await connection.execute(_WITHDRAW, withdrawn)


def _at_home(settlement: Settlement, community_id: str) -> Settlement:
    decision = settlement.decision
    if decision.message.community_id == community_id:
        return settlement
    return replace(settlement, decision=replace(decision, message=replace(decision.message, community_id=community_id)))


def _closing(settlement: Settlement) -> tuple[str | int | float | None, ...]:
    decision = settlement.decision
    score = decision.screening.harm if isinstance(decision.screening, Verdict) else None
    # As it was judged: of its author more may be known by now than when it was kept.
    body = codec.write_body(decision.message) if decision.is_incident else None
    return *codec.key(decision.message.ref), score, settlement.ms, body
