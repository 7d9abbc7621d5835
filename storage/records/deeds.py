"""Cases over the tables: what moderators do by hand is opened and taken back, and what they count is found again."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.case import (
    AT_ONCE,
    Case,
    CaseKind,
    CaseState,
    Look,
    Looked,
    Order,
    Person,
    Sanction,
    Search,
    Severity,
    about,
    new_code,
    undoing,
)
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.review import Filed, aftermath
from bot.core.rules.actions import Action, Answer, CalledOff, DeletePost, Done, Flag, Lock, Outcome, Unlock
from bot.core.rules.ladder import Strike
from bot.core.rules.policy import Reason
from storage import codec
from storage.columns import AnyRow, SaidIn, plain
from storage.community_key import community_of, of_community, on_platform, read_community
from storage.database import Database
from storage.flow.calls import add_deeds
from storage.records import reviews, strikes
from storage.records import sanctions as standing
from storage.records.cases import WAITS, neglected, numbers
from storage.records.sanctions import Finished
from storage.tables import actions, appeals, cases, communities, incidents, looks, sanctions

_LATELY = 20  # cases of a member among which a repeated order would be
#: Numbers follow the time, but for the moment between the two.
_ABOUT = timedelta(hours=1)
#: What `read_case` reads of the table beside an action's columns.
OF_CASE = cases.c[
    "number", "code", "deed", "member", "moderator", "words", "state", "severity", "opened_at", "closed_at"
]  # fmt: skip
_RULE = select(incidents.c.rule).where(incidents.c.id == cases.c.incident).scalar_subquery().label("rule")
_COLUMNS = (cases.c.id, cases.c.incident, _RULE, *OF_CASE)
_OPEN_TO_APPEAL = cases.c.deed.in_([kind for kind in CaseKind if kind.strikes])


class SqlCases:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, community: CommunityRef, order: Order) -> tuple[Case, bool]:
        key = await self._database.keys.of(community)
        async with self._database.write() as connection:
            # Whoever orders the same at this moment waits, and sees it.
            locked = select(communities.c.key).where(communities.c.key == key)
            await connection.execute(locked.with_for_update(key_share=True))
            if earlier := await self._earlier(connection, key, order):
                return earlier, False
            number = (await numbers(self._database, connection, {key: 1}))[key]
            opened = await connection.execute(insert(cases).returning(cases.c.id).values(_row(key, number, order)))
            this, now = opened.scalar_one(), self._database.clock.now()
            await add_deeds(connection, this, order.actions, due=now, now=now)
            if order.strike:
                await strikes.weigh(self._database, connection, this, order.strike, (), now)
            opening = select(*_COLUMNS).where(cases.c.id == this)
            if order.done:
                (case,) = await _read(connection, opening)
                await _take_in(connection, community, Place(key, this), case, order, now)
            (case,) = await _read(connection, opening)
            return case, True

    async def _earlier(self, connection: AsyncConnection, key: int, order: Order) -> Case | None:
        theirs = (cases.c.community == key, cases.c.member == plain(order.member.id), cases.c.incident.is_(None))
        lately = select(*_COLUMNS).where(*theirs).order_by(cases.c.number.desc()).limit(_LATELY)
        return next((case for case in await _read(connection, lately) if case.is_of(order)), None)

    async def get(self, community: CommunityRef, number: int) -> Case | None:
        this = select(*_COLUMNS).where(of_community(cases, community), _numbered(number))
        async with self._database.read() as connection:
            return next(iter(await _read(connection, this)), None)

    async def mine(self, platform: Platform, member: str, code: str) -> tuple[CommunityRef, Case] | None:
        theirs = (
            on_platform(cases, [platform]),
            cases.c.member == plain(member),
            cases.c.code == code,
            _OPEN_TO_APPEAL,
        )
        this = select(*_COLUMNS).where(*theirs)
        async with self._database.read() as connection:
            place = (await connection.execute(select(*community_of(cases)).where(*theirs))).one_or_none()
            return (read_community(place), (await _read(connection, this))[0]) if place else None

    async def undo(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        this = select(*_COLUMNS).where(of_community(cases, community), _numbered(number), cases.c.deed.is_not(None))
        async with self._database.write() as connection:
            if (row := (await connection.execute(this)).one_or_none()) is None:
                return None
            # Locked before the case, as by whoever records what came of them.
            held = await strikes.hold(connection, row.id, actions.c.case == row.id)
            planned = select(*actions.c["id", "state", "args", "reason", "begun"])
            steps = (await connection.execute(planned.where(actions.c.case == row.id).order_by(actions.c.id))).all()
            if await self._was_just_upheld(connection, row.id, by, at):
                (case,) = await _read(connection, this)
                return case, False
            undone = await connection.execute(
                update(cases)
                .where(cases.c.id == row.id, cases.c.state != CaseState.UNDONE)
                .values(state=CaseState.UNDONE, closed_at=at, taken_by=plain(by))
            )
            if undone.rowcount:
                await self._undo(connection, row.id, steps)
                if (await connection.execute(select(appeals.c.case).where(appeals.c.case == row.id))).first():
                    await add_deeds(connection, row.id, (Answer(accepted=True),), due=at, now=at)
                gone = Strike(0, timedelta(0))
                await strikes.weigh(self._database, connection, row.id, gone, held, self._database.clock.now())
            (case,) = await _read(connection, this)
            return case, bool(undone.rowcount)

    async def _was_just_upheld(self, connection: AsyncConnection, case: int, by: str, at: datetime) -> bool:
        """Somebody else has answered at the same moment, and is not seen yet; who is just answering is waited for."""
        answered = select(cases.c.taken_by, cases.c.closed_at).where(cases.c.id == case)
        row = (await connection.execute(answered.with_for_update(key_share=True))).one()
        return row.taken_by not in (None, plain(by)) and row.closed_at is not None and at - row.closed_at < AT_ONCE

    async def _undo(self, connection: AsyncConnection, case: int, steps: Sequence[AnyRow]) -> None:
        now = self._database.clock.now()
        read = [(one, codec.read_action(one.args)) for one in steps]
        waiting = [one.id for one, action in read if one.state == "planned" and not isinstance(action, DeletePost)]
        off = update(actions).where(actions.c.id.in_(waiting))
        await connection.execute(off.values(state=CalledOff.kind, finished_at=now, holder=None))
        done = [(action, codec.read_outcome(one.state, one.reason), one.begun) for one, action in read]
        then = [back for action, outcome, begun in done if (back := undoing(action, outcome, begun or ""))]
        await add_deeds(connection, case, then, due=now, now=now)

    async def appeal(
        self, community: CommunityRef, number: int, member: str, words: str, *, at: datetime
    ) -> Filed | None:
        theirs = (of_community(cases, community), _numbered(number), cases.c.member == plain(member))
        key = await self._database.keys.known(community)
        async with self._database.write() as connection:
            await strikes.lock(connection, [key] if key else ())  # before the case, as by whoever takes it back
            this = select(cases.c.id).where(*theirs, _OPEN_TO_APPEAL, cases.c.state != CaseState.UNDONE)
            case = (await connection.execute(this.with_for_update(key_share=True))).scalar_one_or_none()
            if case is None:
                return None
            if (filed := await reviews.file(connection, case, words, at)) is Filed.HEARD:
                await add_deeds(connection, case, (Flag(),), due=at, now=at)
                appealed = {"state": CaseState.APPEALED, "severity": Severity.WAITS}
                await connection.execute(update(cases).where(cases.c.id == case).values(appealed))
            return filed

    async def uphold(self, community: CommunityRef, number: int, *, by: str, at: datetime) -> tuple[Case, bool] | None:
        this = select(*_COLUMNS).where(of_community(cases, community), _numbered(number), cases.c.deed.is_not(None))
        async with self._database.write() as connection:
            if (row := (await connection.execute(this)).one_or_none()) is None:
                return None
            closed = {"state": CaseState.RESOLVED, "closed_at": at, "taken_by": plain(by)}
            waiting = update(cases).where(cases.c.id == row.id, cases.c.state == CaseState.APPEALED)
            upheld = await connection.execute(waiting.values(closed))
            if upheld.rowcount:
                await add_deeds(connection, row.id, (Answer(accepted=False),), due=at, now=at)
            (case,) = await _read(connection, this)
            return case, bool(upheld.rowcount)

    async def find(
        self, community: CommunityRef, search: Search, *, most: int, before: int | None = None
    ) -> Sequence[Case]:
        async with self._database.read() as connection:
            return await _read(connection, newest(community, search, most, before))

    async def waiting(self, community: CommunityRef, *, most: int) -> Sequence[Case]:
        found: list[Case] = []
        async with self._database.read() as connection:
            for severity in reversed(Severity):  # so that an index leads to the first of each
                theirs = (of_community(cases, community), cases.c.severity == severity, WAITS)
                some = select(*_COLUMNS).where(*theirs).order_by(cases.c.number).limit(most - len(found))
                found += await _read(connection, some) if len(found) < most else ()
        return found

    async def neglected(self, now: datetime) -> Sequence[CommunityRef]:
        async with self._database.read() as connection:
            return [read_community(row) for row in await connection.execute(neglected(now))]

    async def running(self, community: CommunityRef, *, most: int, member: str | None = None) -> Sequence[Sanction]:
        wanted = [of_community(sanctions, community), standing.running(self._database.clock.now())]
        if member is not None:
            wanted.append(sanctions.c.member == plain(member))
        found = standing.SANCTIONS.where(*wanted).order_by(sanctions.c.id.desc()).limit(most)
        async with self._database.read() as connection:
            return [standing.read(row) for row in await connection.execute(found)]

    async def held(
        self, community: CommunityRef, member: str, kind: str, *, besides: int | None = None
    ) -> Sanction | None:
        found = standing.held(community, member, kind, besides, self._database.clock.now())
        async with self._database.read() as connection:
            row = (await connection.execute(found)).one_or_none()
            return None if row is None else standing.read(row)

    async def end(self, now: datetime, most: int) -> int:
        async with self._database.write() as connection:
            return await standing.end(connection, now, most)

    async def remind(self, now: datetime, most: int) -> int:
        async with self._database.write() as connection:
            return await reviews.remind(connection, now, most)

    async def looked(
        self, community: CommunityRef, by: Person, what: Look, *, case: int | None = None, incident: int | None = None
    ) -> None:
        key = await self._database.keys.known(community)
        if key is None:
            return
        which = cases.c.incident == incident if incident is not None else _numbered(case or 0)
        this = select(cases.c.id).where(cases.c.community == key, which).scalar_subquery()
        seen: dict[str, Any] = {"moderator": plain(by.id), "moderator_name": SaidIn(key, by.name), "what": what}
        async with self._database.write(durable=False) as connection:
            at = self._database.clock.now()
            await connection.execute(insert(looks).values(community=key, case=this, at=at, **seen))

    async def looks(self, community: CommunityRef, *, most: int, by: str | None = None) -> Sequence[Looked]:
        wanted = [of_community(looks, community), *([looks.c.moderator == plain(by)] if by else [])]
        found = select(*looks.c, cases.c.number).outerjoin(cases, cases.c.id == looks.c.case).where(*wanted)
        newest = found.order_by(looks.c.at.desc(), looks.c.id.desc()).limit(most)
        async with self._database.read() as connection:
            return [
                Looked(
                    by=Person(row.moderator, row.moderator_name or ""), what=Look(row.what), at=row.at, case=row.number
                )
                for row in await connection.execute(newest)
            ]


def _row(key: int, number: int, order: Order) -> dict[str, Any]:
    return {
        "community": key,
        "number": number,
        "code": new_code(),
        "deed": order.kind,
        "member": plain(order.member.id),
        "moderator": plain(order.moderator.id),
        "words": SaidIn(key, codec.write_words(order)),
        "state": CaseState.RESOLVED,
        "opened_at": order.at,
        "closed_at": order.at,
    }


class Place(NamedTuple):
    """Where a case is."""

    community: int
    case: int


async def _take_in(
    connection: AsyncConnection, community: CommunityRef, place: Place, case: Case, order: Order, now: datetime
) -> None:
    """What was done already is closed before anybody can claim it."""
    assert order.done
    state, receipt = codec.write_outcome(order.done)
    closed: dict[str, Any] = {"state": state, "reason": receipt, "finished_at": now}
    await connection.execute(update(actions).where(actions.c.case == place.case).values(closed))
    for action in order.actions:
        planned = PlannedAction(
            id=0,
            incident_id=0,
            action=action,
            message=about(case, community, order.channel),
            rule="",
            reason=Reason(ko="", en=""),
            language=order.language,
            case=case,
        )
        await standing.follow(connection, [Finished(planned, order.done, place.community, place.case)], now)


def _numbered(number: int) -> ColumnElement[bool]:
    return cases.c.number == number


def newest(community: CommunityRef, search: Search, most: int, before: int | None = None) -> Select[AnyRow]:
    """See `Cases.find`. An index leads to the first of them, however many there are."""
    wanted = [of_community(cases, community), *_meant(community, search)]
    if before is not None:
        wanted.append(cases.c.number < before)
    found: Select[AnyRow] = select(*_COLUMNS).where(*wanted).order_by(cases.c.number.desc()).limit(most)
    return found


def _meant(community: CommunityRef, search: Search) -> list[ColumnElement[bool]]:
    """What is searched by date is found by number, near which it must be."""
    wanted: list[ColumnElement[bool]] = []
    for column, value in ((cases.c.member, search.member), (cases.c.moderator, search.moderator)):
        if value is not None:
            wanted.append(column == plain(value))
    if search.kind is not None:
        of_rules = search.kind is CaseKind.INCIDENT
        wanted.append(cases.c.deed.is_(None) if of_rules else cases.c.deed == search.kind)
    if search.state is not None:
        wanted.append(cases.c.state == search.state)
    if search.since is not None:
        wanted += [cases.c.opened_at >= search.since, cases.c.number >= _first(community, search.since - _ABOUT)]
    if search.until is not None:
        later = _first(community, search.until + _ABOUT)
        wanted += [cases.c.opened_at < search.until, or_(later.is_(None), cases.c.number <= later)]
    return wanted


def _first(community: CommunityRef, at: datetime) -> Any:
    """The number of the first case from then on."""
    there = select(cases.c.number).where(of_community(cases, community), cases.c.opened_at >= at)
    return there.order_by(cases.c.opened_at).limit(1).scalar_subquery()


async def _read(connection: AsyncConnection, wanted: Select[AnyRow]) -> list[Case]:
    rows = (await connection.execute(wanted)).all()
    done = await connection.execute(
        select(actions.c.case, actions.c.incident, actions.c.args, actions.c.state, actions.c.reason)
        .where(
            or_(
                actions.c.case.in_([row.id for row in rows if row.deed]),
                actions.c.incident.in_([row.incident for row in rows if row.incident]),
            )
        )
        .order_by(actions.c.position)
    )
    outcomes: dict[tuple[int | None, int | None], list[tuple[Action, Outcome | None]]] = defaultdict(list)
    for row in done:
        pair = codec.read_action(row.args), codec.read_outcome(row.state, row.reason)
        outcomes[row.case, row.incident].append(pair)
    objected = select(appeals.c.case, appeals.c.words).where(appeals.c.case.in_([row.id for row in rows if row.deed]))
    words = {row.case: row.words for row in await connection.execute(objected)}
    return [
        replace(
            read_case(row, tuple(outcomes[(row.id, None) if row.deed else (None, row.incident)])),
            objection=words.get(row.id) or "",
            rule=row.rule or "",
        )
        for row in rows
    ]


async def follow_deeds(connection: AsyncConnection, finished: Iterable[Finished], now: datetime) -> None:
    """What runs after this; and what came about of a deed that was taken back meanwhile is undone."""
    some = sorted(finished, key=lambda one: one.case or 0)  # cases are locked in one order everywhere
    await standing.follow(connection, some, now)
    if not (deeds := [(one, one.case) for one in some if one.case is not None]):
        return
    taken_back = select(cases.c.id).where(
        cases.c.id.in_([case for _, case in deeds]), cases.c.state == CaseState.UNDONE
    )
    undone = set((await connection.execute(taken_back)).scalars())
    for one, case in deeds:
        # A lock of which not everything was done is none: what was, is taken back.
        failed = isinstance(one.planned.action, Lock) and not isinstance(one.outcome, Done)
        back = undoing(one.planned.action, one.outcome, one.planned.begun) if case in undone or failed else None
        await add_deeds(connection, case, (back,) if back else (), due=now, now=now)
        for action, pause in aftermath(one.planned.action, one.outcome).items():
            ends = isinstance(action, Unlock) and case not in undone
            if ends or isinstance(action, DeletePost):  # there is no card on which to show what was given up
                await add_deeds(connection, case, (action,), due=now + pause, now=now)


def read_case(row: AnyRow, outcomes: tuple[tuple[Action, Outcome | None], ...] = ()) -> Case:
    told = codec.read_words(row.words)
    return Case(
        number=row.number,
        code=row.code,
        kind=CaseKind(row.deed) if row.deed else CaseKind.INCIDENT,
        state=CaseState(row.state),
        opened_at=row.opened_at,
        member=Person(row.member or "", told.member),
        moderator=Person(row.moderator or "", told.moderator),
        words=told.words,
        incident=row.incident,
        severity=Severity(row.severity or 0),
        closed_at=row.closed_at,
        outcomes=outcomes,
    )
