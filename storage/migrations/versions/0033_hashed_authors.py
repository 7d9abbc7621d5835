"""Who has said what is on record by a hash alone; those of before, which were to go within two days, go at once."""

import sqlalchemy as sa
from alembic import op

from storage.migrations import rewriting

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    connection = op.get_bind()
    if "author" not in {column["name"] for column in sa.inspect(connection).get_columns("messages")}:
        return  # broken off behind the last line
    # Emptied before the column goes: PostgreSQL leaves what was in it where it is.
    span = "SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM messages WHERE author IS NOT NULL"
    first, newest = connection.exec_driver_sql(span).one()
    for begin in range(first, newest + 1, rewriting.BATCH):
        some = f"id >= {begin} AND id < {begin + rewriting.BATCH} AND author IS NOT NULL"
        connection.exec_driver_sql(f"UPDATE messages SET author = NULL WHERE {some}")
        connection.commit()
    op.drop_column("messages", "author")
