"""Moderators' calls and what was done so far -> what is still to be done, in the transaction that learns of either."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.incidents.review import Call, Step, consequences
from bot.core.rules.actions import Action, CalledOff
from storage import codec
from storage.columns import SaidIn
from storage.community_key import community_of
from storage.tables import actions, appeals, cases, incidents, reviews


async def follow_calls(
    connection: AsyncConnection,
    held: Collection[int],
    now: datetime,
    *,
    then: Mapping[int, Mapping[Action, timedelta]] | None = None,
) -> None:
    """After something came of these actions, which this transaction has locked: what calls on their incidents make of
    that. `then`: by incident, what follows whatever was called, and how long from now."""
    called = exists().where(reviews.c.incident == actions.c.incident)
    found = select(actions.c.incident).where(actions.c.id.in_(list(held)), called).distinct()
    reviewed = set((await connection.execute(found)).scalars())
    for incident_id in sorted({*reviewed, *(then or ())}):  # always in this order: each is locked
        if incident_id in reviewed:
            await follow(connection, incident_id, now, due=now, held=held)
        for action, pause in (then or {}).get(incident_id, {}).items():
            await add_actions(connection, incident_id, (action,), due=now + pause, now=now)


async def follow(
    connection: AsyncConnection,
    incident_id: int,
    now: datetime,
    *,
    due: datetime,
    held: Collection[int],
    called: Call | None = None,
) -> None:
    """Call off what is not to be done any more, and plan what follows. `called`: the call that was made just now.
    `held`: the actions that this transaction has locked; no others are called off. The incident is locked last, by
    everybody: of two who finish its actions at the same moment, the second sees what the first has done."""
    locked = select(incidents.c.decision).where(incidents.c.id == incident_id).with_for_update(key_share=True)
    decided = codec.count_actions((await connection.execute(locked)).scalar_one())
    rows = (
        await connection.execute(
            select(actions.c.id, actions.c.position, actions.c.args, actions.c.state, actions.c.reason)
            .where(actions.c.incident == incident_id)
            .order_by(actions.c.position)
        )
    ).all()
    steps = [
        Step(
            action=codec.read_action(row.args),
            outcome=codec.read_outcome(row.state, row.reason),
            begun=row.state == "started",
            decided=row.position < decided,
        )
        for row in rows
    ]
    made = select(reviews.c.call).where(reviews.c.incident == incident_id).order_by(reviews.c.id)
    calls = [Call(call) for call in (await connection.execute(made)).scalars()]
    appealed = select(exists().where(appeals.c.case == cases.c.id, cases.c.incident == incident_id))
    follows = consequences(calls, steps, called=called, appealed=(await connection.execute(appealed)).scalar_one())
    off = [rows[place].id for place in follows.called_off if rows[place].id in held]
    if off:
        await connection.execute(
            update(actions)
            .where(actions.c.id.in_(off), actions.c.state == "planned")
            .values(state=CalledOff.kind, finished_at=now, holder=None)
        )
    await add_actions(connection, incident_id, follows.then, due=due, now=now)


async def add_actions(
    connection: AsyncConnection, incident_id: int, more: Sequence[Action], *, due: datetime, now: datetime
) -> None:
    """Behind those that the incident has already."""
    await _append(connection, actions.c.incident, incidents, incident_id, more, due, now)


async def add_deeds(
    connection: AsyncConnection, case: int, more: Sequence[Action], *, due: datetime, now: datetime
) -> None:
    """Behind those that a deed by hand, the case of this id, has already."""
    await _append(connection, actions.c.case, cases, case, more, due, now)


async def _append(
    connection: AsyncConnection,
    belongs: Column[Any],
    home: Table,
    id_: int,
    more: Sequence[Action],
    due: datetime,
    now: datetime,
) -> None:
    if not more:
        return
    # Whoever else adds to it waits: positions are given once.
    where = select(community_of(home)[0], home.c.community).where(home.c.id == id_).with_for_update(key_share=True)
    platform, community = (await connection.execute(where)).one()
    last = await connection.execute(select(func.coalesce(func.max(actions.c.position), -1)).where(belongs == id_))
    begin = last.scalar_one() + 1
    rows = [
        {
            belongs.name: id_,
            "position": begin + place,
            "platform": platform,
            "community": community,
            "kind": action.kind,
            "protects": action.protects,
            "args": SaidIn(community, codec.write_action(action)),
            "state": "planned",
            "not_before": due if due > now else None,
            "attempts": 0,
            "planned_at": now,
        }
        for place, action in enumerate(more)
    ]
    await connection.execute(insert(actions), rows)
