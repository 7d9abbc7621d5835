"""A table of an earlier version -> the same rows in another shape, in batches: after kill -9 it goes on where it was.

The old table steps aside first, so that an older version that still runs stops at once and changes nothing behind us.
"""

from sqlalchemy import Connection, Table
from sqlalchemy import inspect as look_into

#: Rows in one transaction.
BATCH = 20_000


def step_aside(connection: Connection, name: str) -> None:
    """The table becomes `{name}_before`, and all names that go with it are free."""
    known = look_into(connection)
    for index in known.get_indexes(name):
        if not index.get("duplicates_constraint"):
            connection.exec_driver_sql(f"DROP INDEX {index['name']}")
    if connection.dialect.name == "postgresql":
        for unique in known.get_unique_constraints(name):
            connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT {unique['name']}")
        key = known.get_pk_constraint(name)["name"]
        connection.exec_driver_sql(f"ALTER INDEX {key} RENAME TO {name}_before_pkey")
        connection.exec_driver_sql(f"ALTER SEQUENCE IF EXISTS {name}_id_seq RENAME TO {name}_before_id_seq")
    connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_before")


def copy(
    connection: Connection, name: str, into: dict[str, dict[str, str]], source: str, where: dict[str, str] | None = None
) -> None:
    """`into`: of each new table its columns and what they become; `source`: where they are from, beginning with the
    old table AS old, which has an `id`. Of several new tables each takes the rows that its `where` says."""
    last = max(_one(connection, f"SELECT coalesce(max(id), 0) FROM {table}") for table in into)
    while True:
        batch = f"SELECT id FROM {name}_before WHERE id > {last} ORDER BY id LIMIT {BATCH}"
        upper = _one(connection, f"SELECT coalesce(max(id), 0) FROM ({batch}) AS batch")
        if not upper:
            return
        for table, columns in into.items():
            mine = (where or {}).get(table, "true")
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {source} "
                f"WHERE old.id > {last} AND old.id <= {upper} AND {mine}"
            )
        connection.commit()
        last = upper


def count_on(connection: Connection, table: Table, *others: str) -> None:
    """New ids come after all that there are, in this table and in `others`."""
    newest = max(_one(connection, f"SELECT coalesce(max(id), 0) FROM {name}") for name in (table.name, *others))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {max(newest, 1)}, {newest > 0})"
        )
    elif table.dialect_options["sqlite"]["autoincrement"]:
        connection.exec_driver_sql(f"DELETE FROM sqlite_sequence WHERE name = '{table.name}'")
        connection.exec_driver_sql(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table.name}', {newest})")


def _one(connection: Connection, question: str) -> int:
    answer: int = connection.exec_driver_sql(question).scalar_one()
    return answer
