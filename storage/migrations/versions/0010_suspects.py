"""Who was under way when a process died."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("messages", "actions"):
        op.add_column(table, sa.Column("circle", sa.Integer))
        op.add_column(table, sa.Column("faults", sa.Integer))
        suspected = sa.text("faults IS NOT NULL")
        op.create_index(f"{table}_suspects", table, ["faults"], sqlite_where=suspected, postgresql_where=suspected)
