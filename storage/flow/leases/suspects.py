"""What a process was working on when it died -> tried again in halves, then alone, so that what kills its process is
found without its neighbours; after three faults nobody works on it any more.

A fault is counted for an exception of its own (`fault`), and for a death while nothing else was suspected (`blame`).
Messages and actions are one account: what dies, dies whole.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Select, Table, Update, and_, case, func, or_, select, true, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import actions, holders, queue

#: As many faults end it.
MOST_FAULTS = 3

_WORK = ((queue, true()), (actions, actions.c.finished_at.is_(None)))


def innocent(work: Table) -> ColumnElement[bool]:
    """What may be handed out at any time, as far as this is concerned."""
    return and_(work.c.circle.is_(None), or_(work.c.faults.is_(None), work.c.faults < MOST_FAULTS))


def on_trial(work: Table) -> ColumnElement[bool]:
    """Suspected and not given up: what was given up is only closed, and must not look like company."""
    return and_(work.c.circle.is_not(None), work.c.faults < MOST_FAULTS)  # in the words of the partial indexes


def given_up(work: Table) -> ColumnElement[bool]:
    """What nobody shall work on any more. As many faults again, and it cannot even be closed: then it stays."""
    return work.c.faults.between(MOST_FAULTS, 2 * MOST_FAULTS - 1)


def fault(work: Table, *which: ColumnElement[bool]) -> Update:
    """These raised an exception of their own: they are given back, with one fault more."""
    return update(work).where(*which).values(holder=None, faults=func.coalesce(work.c.faults, 0) + 1)


async def next_suspects(
    connection: AsyncConnection, work: Table, holder: int, *which: ColumnElement[bool]
) -> Select[int] | None:
    """The ids of those suspects among `which` that `holder` may be handed beside innocent work: half of the smallest
    circle. None while it has others in hand, so that it dies of no more than these."""
    open_ = dict(_WORK)[work]
    free = (open_, work.c.holder.is_(None), on_trial(work), *which)
    smallest = (await connection.execute(select(func.min(work.c.circle)).where(*free))).scalar()
    if smallest is None:
        return None
    in_hand = (select(one.c.id).where(one_open, one.c.holder == holder, on_trial(one)) for one, one_open in _WORK)
    if (await connection.execute(union_all(*in_hand).limit(1))).first():
        return None
    half = -(-smallest // 2)
    return select(work.c.id).where(*free, work.c.circle == smallest).order_by(work.c.id).limit(half)


def of_the_dead() -> Iterator[tuple[Table, Sequence[ColumnElement[bool]]]]:
    """What is still to be done, and the conditions that whoever had it in hand is no longer among the holders."""
    for work, open_ in _WORK:
        yield work, (open_, work.c.holder.is_not(None), work.c.holder.not_in(select(holders.c.id)))


async def blame(connection: AsyncConnection) -> None:
    """For every process that died: one of what it had in hand killed it, most likely one of the suspects, whose circle
    is now so large; what was handed out beside them is suspected, too, or it would kill again and again while they are
    blamed for it. To be called before its leases are freed."""
    counted = union_all(
        *(
            select(work.c.holder, func.count(), func.count(case((on_trial(work), 1))))
            .where(*orphaned)
            .group_by(work.c.holder)
            for work, orphaned in of_the_dead()
        )
    )
    held: dict[int, tuple[int, int]] = {}
    for holder, all_, suspects in await connection.execute(counted):
        more = held.get(holder, (0, 0))
        held[holder] = (more[0] + all_, more[1] + suspects)
    for holder, (all_, suspects) in held.items():
        for work, open_ in _WORK:
            was_suspect = on_trial(work)
            circle = case((was_suspect, suspects), else_=all_)
            alone = case((was_suspect, int(suspects == 1)), else_=int(all_ == 1))
            faults = func.coalesce(work.c.faults, 0) + alone
            theirs = update(work).where(open_, work.c.holder == holder)
            await connection.execute(theirs.values(circle=circle, faults=faults))
