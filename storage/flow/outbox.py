"""The outbox as a table: actions are planned with their incident, go out in turns once they are marked as started, and
come back with their outcome."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.incidents.case import Case, about
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.review import aftermath
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.operations.division import PARTS
from bot.core.rules.actions import ON_CARD, Action, Done, Outcome, Unconfirmed
from bot.core.rules.policy import Reason
from storage import codec
from storage.columns import AnyRow
from storage.community_key import community_of, read_community
from storage.database import Database
from storage.flow.calls import follow_calls
from storage.flow.lanes import Lanes
from storage.flow.leases import suspects
from storage.flow.leases.freeing import UNREPEATABLE
from storage.flow.leases.leasing import leased
from storage.flow.leases.shares import SqlShares
from storage.records.deeds import OF_CASE, follow_deeds, read_case
from storage.records.sanctions import Finished
from storage.tables import actions, appeals, cases, incidents, messages

_RECORD = (
    update(actions)
    .where(actions.c.id == bindparam("action"))
    .values(state=bindparam("to"), reason=bindparam("why"), finished_at=bindparam("now"), holder=None)
)
_THIS_ATTEMPT = (
    actions.c.id == bindparam("action"), actions.c.attempts == bindparam("attempt"), actions.c.state == "started",
)  # fmt: skip
#: Nobody has died of it: it is no suspect any more.
_AWAITED: dict[str, Any] = {"state": "planned", "not_before": bindparam("until"), "holder": None, "circle": None}
_POSTPONE = update(actions).where(*_THIS_ATTEMPT).values(_AWAITED | {"begun": bindparam("there")})
_FAULT = suspects.fault(actions, *_THIS_ATTEMPT).values(_AWAITED | {"reason": bindparam("why")})


DIED = "died"  # the defect of what its process died of, three times
LOST = "unreadable"  # of what is sealed with a key that is gone


class SqlOutbox:
    """An action whose holder died while it was started is settled in database.py, when its lease is freed."""

    def __init__(self, database: Database, shares: Mapping[Platform, SqlShares] | None = None) -> None:
        """`shares`: of platforms whose communities are shared out, those that are this process's."""
        self._database, self._shares = database, shares or {}
        self._record = database.grouped(self._finish)
        self._postpone = database.grouped(self._delay)
        #: Handed out, and neither recorded nor given back: of which community, by its key.
        self._in_hand: dict[int, tuple[Platform, int]] = {}
        self._unsure = False  # whether the last claim may have leased what nobody was handed
        self._lanes = Lanes(database, self._shares)

    async def claim(
        self, limit: int, *, now: datetime, platforms: Collection[Platform], under_way: UnderWay | None = None
    ) -> Sequence[PlannedAction]:
        under_way = under_way or UnderWay(whole=limit, platform=limit, community=limit)
        planned = await leased(self._lease(limit, now, platforms, under_way), self._give_back)
        for one in planned:
            self._in_hand[one.id] = one.message.ref.platform, self._lanes.key_of(Lane.of(one))
        return planned

    async def is_ours(self, community: CommunityRef) -> bool:
        shares = self._shares.get(community.platform)
        return shares is None or shares.has(await self._database.keys.of(community))

    def under_way(self, platform: Platform, shares: Collection[int]) -> int:
        return sum(whose == platform and key % PARTS in shares for whose, key in self._in_hand.values())

    async def is_repeated(self, planned: PlannedAction, since: datetime) -> bool:
        done = and_(actions.c.state.in_((Done.kind, Unconfirmed.kind)), actions.c.finished_at >= since)
        earlier = and_(actions.c.state == "started", actions.c.id < planned.id)
        this = select(incidents.c.community, incidents.c.author).where(incidents.c.id == planned.incident_id).subquery()
        others = (
            select(actions.c.id)
            .select_from(actions.join(incidents))
            .join(this, and_(incidents.c.community == this.c.community, incidents.c.author == this.c.author))
            .where(actions.c.kind == planned.action.kind, actions.c.id != planned.id, or_(done, earlier))
        )
        async with self._database.read() as connection:
            return (await connection.execute(others.limit(1))).first() is not None

    async def record(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> None:
        await self._record(results)
        for planned, _ in results:
            self._in_hand.pop(planned.id, None)

    async def postpone(self, planned: PlannedAction, until: datetime, *, begun: str = "", defect: str = "") -> None:
        await self._postpone([(planned, until, begun or planned.begun, defect)])
        self._in_hand.pop(planned.id, None)

    async def _lease(
        self, limit: int, now: datetime, platforms: Collection[Platform], under_way: UnderWay
    ) -> list[PlannedAction]:
        try:
            if self._unsure:
                async with self._database.write() as connection:
                    await self._free_what_nobody_has(connection)
            self._unsure = False
            wanted = under_way.in_turns(await self._lanes.waiting(limit, now, platforms, under_way), limit)
            # Not twice what we have in hand: a database that crashed may have forgotten that it was started.
            wanted = [(id_, kind) for id_, kind in wanted if id_ not in self._in_hand]
            if not wanted:
                return []
            among = actions.c.id.in_([id_ for id_, _ in wanted])
            still_free = select(actions.c.id).where(actions.c.finished_at.is_(None), actions.c.holder.is_(None), among)
            # That something unrepeatable was started must be known even after the machine has died.
            durable = any(kind in UNREPEATABLE for _, kind in wanted)
            async with self._database.write(durable=durable) as connection:
                locking = still_free.order_by(actions.c.id).with_for_update(skip_locked=True)
                free = set((await connection.execute(locking)).scalars())
                started = await self._start(connection, [id_ for id_, _ in wanted if id_ in free])
        except Unavailable:
            self._unsure = True
            raise
        for planned in started:
            self._lanes.had_its_turn(Lane.of(planned))
        return started

    async def _start(self, connection: AsyncConnection, chosen: Sequence[int]) -> list[PlannedAction]:
        """In the order in which they were chosen."""
        if not chosen:
            return []
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
        planned = {one.id: one for one in await _planned(connection, chosen)}
        return [planned[id_] for id_ in chosen]

    async def _free_what_nobody_has(self, connection: AsyncConnection) -> None:
        """The connection broke while it was said that a lease is committed: then we hold it, and do not know it. Not
        one of those actions has been begun."""
        held = actions.c.holder == self._database.holder
        await self._free(connection, held, actions.c.id.not_in(self._in_hand))

    async def _free(self, connection: AsyncConnection, *which: ColumnElement[bool]) -> None:
        left = (*which, actions.c.finished_at.is_(None))
        freed = await connection.execute(
            update(actions).where(*left).values(state="planned", holder=None).returning(actions.c.id)
        )
        await follow_calls(connection, freed.scalars().all(), self._database.clock.now())

    async def _finish(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> Sequence[None]:
        """Whoever holds an action speaks of its last attempt; so may somebody who was thought dead, as long as nobody
        has tried it since; and who holds it where a database that crashed has forgotten the attempt."""
        now = self._database.clock.now()
        told: dict[int, list[tuple[PlannedAction, Outcome]]] = defaultdict(list)
        for planned, outcome in results:
            told[planned.id].append((planned, outcome))
        open_ = or_(actions.c.finished_at.is_(None), actions.c.state == Unconfirmed.kind)
        of_results = (actions.c.id.in_([planned.id for planned, _ in results]), open_)
        async with self._database.write() as connection:
            # Locked, always in this order: see SqlReviews.
            found = await connection.execute(
                select(*actions.c["id", "incident", "case", "community", "attempts"])
                .where(*of_results)
                .order_by(actions.c.id)
                .with_for_update()
            )
            finished, then = dict[int, Finished](), defaultdict[int, dict[Action, timedelta]](dict)
            for row in found:
                for planned, outcome in told[row.id]:
                    if planned.attempts >= row.attempts:
                        finished[row.id] = Finished(planned, outcome, row.community, row.case)
                        if row.incident is not None:
                            then[row.incident].update(aftermath(planned.action, outcome))
                        break
            rows = []
            for id_, one in finished.items():
                state, reason = codec.write_outcome(one.outcome)
                rows.append({"action": id_, "to": state, "why": reason, "now": now})
            if rows:
                await connection.execute(_RECORD, rows)
            await follow_calls(connection, finished, now, then=then)
            await follow_deeds(connection, finished.values(), now)
        return [None] * len(results)

    async def _delay(self, postponed: Sequence[tuple[PlannedAction, datetime, str, str]]) -> Sequence[None]:
        ids = [planned.id for planned, *_ in postponed]
        async with self._database.write() as connection:
            await connection.execute(
                select(actions.c.id).where(actions.c.id.in_(ids)).order_by(actions.c.id).with_for_update()
            )
            for planned, until, begun, defect in postponed:
                this = {"action": planned.id, "attempt": planned.attempts, "until": until}
                how, more = (_FAULT, {"why": defect}) if defect else (_POSTPONE, {"there": begun or None})
                await connection.execute(how, this | more)
            await follow_calls(connection, ids, self._database.clock.now())
        return [None] * len(postponed)

    async def _give_back(self, leased: Sequence[PlannedAction]) -> None:
        """None of them has been begun."""
        ids = [planned.id for planned in leased]
        own = (actions.c.id.in_(ids), actions.c.holder == self._database.holder)
        async with self._database.write() as connection:
            await self._free(connection, *own)


_ACTION = (
    *actions.c["id", "incident", "args", "attempts", "planned_at", "reason", "begun"],
    suspects.given_up(actions).label("given_up"),
)
_shown = actions.alias("shown")
_CARD = (
    select(_shown.c.reason)
    .where(
        _shown.c.incident == actions.c.incident,
        _shown.c.kind.in_(ON_CARD),
        _shown.c.state == Done.kind,
    )
    .order_by(_shown.c.id.desc())
    .limit(1)
    .scalar_subquery()
)


async def _planned(connection: AsyncConnection, chosen: Sequence[int]) -> list[PlannedAction]:
    wanted = (
        select(
            *_ACTION,
            *cases.c["number", "code"],
            incidents.c.decision,
            *codec.JUDGED,
            _CARD.label("card"),
            appeals.c.at.is_not(None).label("appealed"),
        )
        .select_from(
            actions.join(incidents)
            .join(messages)
            .join(cases, cases.c.incident == incidents.c.id)
            .outerjoin(appeals, appeals.c.case == cases.c.id)
        )
        .where(actions.c.id.in_(chosen))
    )
    causes: dict[int, tuple[Message, codec.Cause]] = {}
    planned = []
    for row in await connection.execute(wanted):
        if row.incident not in causes:
            causes[row.incident] = codec.read_message(row), codec.read_cause(row.decision)
        message, cause = causes[row.incident]
        one = _one(row, message, cause.reason, cause.language, cause.rule)
        planned.append(replace(one, card=row.card or "", appealed=row.appealed))
    if len(planned) < len(chosen):
        objection = appeals.c.words.label("objection")
        of_deeds = select(*_ACTION, *community_of(cases), *OF_CASE, objection).select_from(
            actions.join(cases, actions.c.case == cases.c.id).outerjoin(appeals)
        )
        for row in await connection.execute(of_deeds.where(actions.c.id.in_(chosen))):
            case, told = replace(read_case(row), objection=row.objection or ""), codec.read_words(row.words)
            message = about(case, read_community(row), told.channel)
            planned.append(_one(row, message, Reason(ko=case.words, en=case.words), told.language, case=case))
    return planned


def _one(
    row: AnyRow, message: Message, reason: Reason, language: str, rule: str = "", case: Case | None = None
) -> PlannedAction:
    """`row` has the columns _ACTION, and what its case is called."""
    return PlannedAction(
        id=row.id,
        incident_id=row.incident or 0,
        action=codec.read_action(row.args),
        message=message,
        rule=rule,
        reason=reason,
        language=language,
        attempts=row.attempts,
        planned_at=row.planned_at,
        defect=LOST if row.args is None else (row.reason or DIED) if row.given_up else "",
        begun=row.begun or "",
        case=case,
        number=row.number,
        code=row.code,
    )
