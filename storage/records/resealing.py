"""Sealed columns of any table -> the same words sealed in the present period, a few rows at a time.

Every column of type `Sealed` takes part, whoever adds it. A row that somebody changes meanwhile is theirs: what they
wrote is sealed in the present period already. After kill -9, what is done is not done again.
"""

import asyncio
from collections.abc import Collection, Sequence

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    Table,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from bot.core.operations.sealing import HEADER, NOTHING, OPEN, Sealing, header
from storage.columns import AnyRow, Sealed
from storage.database import Database
from storage.tables import metadata

#: Rows in one transaction: others wait for it for some milliseconds.
BATCH = 50

#: Between two batches, in seconds: moderating goes first.
PAUSE = 0.005


class SqlResealing:
    """What its key is gone of stays as it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reseal(self, periods: Collection[int], *, openly: bool = False) -> int:
        headers = [header(number) for number in periods]
        number = 0
        for table in metadata.sorted_tables:
            columns = [column for column in table.c if isinstance(column.type, Sealed)]
            if columns:
                number += await _reseal(self._database, table, columns, headers, openly=openly)
        return number


async def _reseal(
    database: Database, table: Table, columns: Sequence[Column[str]], headers: Sequence[bytes], *, openly: bool
) -> int:
    key, number = list(table.primary_key), 0
    stale = or_(*(_is_stale(column, headers, openly=openly) for column in columns))
    last: tuple[object, ...] | None = None
    while True:
        behind = () if last is None else (tuple_(*key) > tuple_(*last),)
        some = select(*key, *map(_raw, columns)).where(stale, *behind).order_by(*key).limit(BATCH)
        async with database.read() as connection:
            rows = (await connection.execute(some)).all()
        if not rows:
            return number
        last = tuple(rows[-1][: len(key)])
        if changed := _changes(database.sealing, rows, key, columns, headers, openly=openly):
            async with database.write(durable=False) as connection:
                for column, changes in changed.items():
                    await connection.execute(_writing(table, column), changes)
            number += len(rows)
        await asyncio.sleep(PAUSE)


def _changes(
    sealing: Sealing,
    rows: Sequence[AnyRow],
    key: Sequence[Column[object]],
    columns: Sequence[Column[str]],
    headers: Sequence[bytes],
    *,
    openly: bool,
) -> dict[Column[str], list[dict[str, object]]]:
    """Of each column the parameters of `_writing`."""
    changed: dict[Column[str], list[dict[str, object]]] = {}
    for row in rows:
        which = {f"its_{column.name}": value for column, value in zip(key, row, strict=False)}
        for column, old in zip(columns, row[len(key) :], strict=True):
            if old is None or old == NOTHING or not (old[:HEADER] in headers or (openly and old.startswith(OPEN))):
                continue
            text = sealing.unseal(old)
            if text is not None and isinstance(column.type, Sealed):
                new = sealing.seal(text, sealing.community_of(old), column.type.span)
                changed.setdefault(column, []).append(which | {"old": old, "new": new})
    return changed


def _writing(table: Table, column: Column[str]) -> Update:
    """Where nobody has written something else meanwhile."""
    this = [one == bindparam(f"its_{one.name}", type_=one.type) for one in table.primary_key]
    same = _raw(column) == bindparam("old", type_=LargeBinary)
    return update(table).where(*this, same).values({column: bindparam("new", type_=LargeBinary)})


def _raw(column: ColumnElement[str]) -> ColumnElement[bytes]:
    return type_coerce(column, LargeBinary)


def _is_stale(column: ColumnElement[str], headers: Sequence[bytes], *, openly: bool) -> ColumnElement[bool]:
    raw = _raw(column)
    stale = func.substr(raw, 1, HEADER, type_=LargeBinary).in_(headers)
    unsealed = and_(func.substr(raw, 1, 1, type_=LargeBinary) == OPEN, func.length(raw) > len(NOTHING))
    return or_(stale, unsealed) if openly else stale
