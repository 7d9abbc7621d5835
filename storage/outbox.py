"""The outbox as a table: actions are planned with their incident, go out once they are marked as started, and come
back with their outcome."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import Action, Outcome
from bot.domain.incident import PlannedAction
from bot.domain.message import Message
from bot.errors import Unavailable
from storage import codec
from storage.calls import add_actions, follow_calls
from storage.database import UNREPEATABLE, Database
from storage.tables import MESSAGE, actions, incidents, messages

_RECORD = (
    update(actions)
    .where(actions.c.id == bindparam("action"), actions.c.finished_at.is_(None))
    .values(state=bindparam("to"), reason=bindparam("why"), finished_at=bindparam("now"), holder=None)
)
_POSTPONE = (
    update(actions)
    .where(actions.c.id == bindparam("action"), actions.c.state == "started")
    .values(state="planned", not_before=bindparam("until"), holder=None)
)


class SqlOutbox:
    """An action whose holder died while it was started is settled in database.py, when its lease is freed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._record = database.grouped(self._finish)
        self._postpone = database.grouped(self._delay)
        self._in_hand: set[int] = set()  # handed out, and neither recorded nor given back
        self._unsure = False  # whether the last claim may have leased what nobody was handed

    async def claim(self, limit: int, *, now: datetime) -> Sequence[PlannedAction]:
        leasing = asyncio.ensure_future(self._lease(limit, now))
        try:
            leased = await asyncio.shield(leasing)
        except asyncio.CancelledError:
            await self._delay([(planned.id, now) for planned in await leasing])  # none of them has been begun
            raise
        self._in_hand.update(planned.id for planned in leased)
        return leased

    async def record(self, results: Sequence[tuple[int, Outcome]]) -> None:
        await self._record(results)
        self._in_hand.difference_update(planned_id for planned_id, _ in results)

    async def plan(self, incident_id: int, actions: Sequence[Action], *, due: datetime) -> None:
        async with self._database.write() as connection:
            await add_actions(connection, incident_id, actions, due)

    async def postpone(self, planned_id: int, until: datetime) -> None:
        await self._postpone([(planned_id, until)])
        self._in_hand.discard(planned_id)

    async def _lease(self, limit: int, now: datetime) -> list[PlannedAction]:
        free = (actions.c.finished_at.is_(None), actions.c.holder.is_(None))
        due = (
            select(actions.c.id, actions.c.kind)
            .where(*free, or_(actions.c.not_before.is_(None), actions.c.not_before <= now))
            .order_by(actions.c.id)
            .limit(limit)
        )
        try:
            if self._unsure:
                async with self._database.write() as connection:
                    await self._free_what_nobody_has(connection)
            self._unsure = False
            async with self._database.read() as connection:  # mostly there is nothing, and then nobody else need wait
                found = (await connection.execute(due)).all()
            if not found:
                return []
            still_free = select(actions.c.id).where(*free, actions.c.id.in_([row.id for row in found]))
            # That something unrepeatable was started must be known even after the machine has died.
            durable = any(row.kind in UNREPEATABLE for row in found)
            async with self._database.write(durable=durable) as connection:
                locking = still_free.order_by(actions.c.id).with_for_update(skip_locked=True)
                chosen = (await connection.execute(locking)).scalars().all()
                return await self._start(connection, chosen) if chosen else []
        except Unavailable:
            self._unsure = True
            raise

    async def _start(self, connection: AsyncConnection, chosen: Sequence[int]) -> list[PlannedAction]:
        await connection.execute(
            update(actions)
            .where(actions.c.id.in_(chosen))
            .values(
                state="started",
                holder=self._database.holder,
                attempts=actions.c.attempts + 1,
                started_at=self._database.clock.now(),
            )
        )
        return await _planned(connection, chosen)

    async def _free_what_nobody_has(self, connection: AsyncConnection) -> None:
        """The connection broke while it was said that a lease is committed: then we hold it, and do not know it. Not
        one of those actions has been begun."""
        held = (actions.c.finished_at.is_(None), actions.c.holder == self._database.holder)
        unknown = (*held, actions.c.id.not_in(self._in_hand))
        freed = await connection.execute(
            update(actions).where(*unknown).values(state="planned", holder=None).returning(actions.c.id)
        )
        await follow_calls(connection, freed.scalars().all(), self._database.clock.now())

    async def _finish(self, results: Sequence[tuple[int, Outcome]]) -> Sequence[None]:
        now = self._database.clock.now()
        rows = []
        for planned_id, outcome in results:
            state, reason = codec.write_outcome(outcome)
            rows.append({"action": planned_id, "to": state, "why": reason, "now": now})
        open_ = (actions.c.id.in_([planned_id for planned_id, _ in results]), actions.c.finished_at.is_(None))
        async with self._database.write() as connection:
            # Locked, always in this order: see SqlReviews.
            finished = await connection.execute(
                select(actions.c.id, actions.c.args).where(*open_).order_by(actions.c.id).with_for_update()
            )
            taken = {row.id: codec.read_action(row.args) for row in finished}
            await connection.execute(_RECORD, rows)
            await follow_calls(connection, taken, now)
        return [None] * len(results)

    async def _delay(self, postponed: Sequence[tuple[int, datetime]]) -> Sequence[None]:
        async with self._database.write() as connection:
            for planned_id, until in sorted(postponed):
                await connection.execute(_POSTPONE, {"action": planned_id, "until": until})
            ids = [planned_id for planned_id, _ in postponed]
            await follow_calls(connection, ids, self._database.clock.now())
        return [None] * len(postponed)


async def _planned(connection: AsyncConnection, chosen: Sequence[int]) -> list[PlannedAction]:
    wanted = (
        select(actions.c.id, actions.c.incident, actions.c.args, incidents.c.decision, *MESSAGE)
        .select_from(actions.join(incidents).join(messages))
        .where(actions.c.id.in_(chosen))
        .order_by(actions.c.id)
    )
    causes: dict[int, tuple[Message, codec.Cause]] = {}
    planned = []
    for row in await connection.execute(wanted):
        if row.incident not in causes:
            causes[row.incident] = codec.read_message(row), codec.read_cause(row.decision)
        message, cause = causes[row.incident]
        planned.append(
            PlannedAction(
                id=row.id,
                incident_id=row.incident,
                action=codec.read_action(row.args),
                message=message,
                rule=cause.rule,
                reason=cause.reason,
                language=cause.language,
            )
        )
    return planned
