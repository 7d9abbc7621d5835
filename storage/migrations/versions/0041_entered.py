"""The queue is read as a log: what comes in says when, and no claim looks a community up in an index any more."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

_WAITS = sa.text("aside_at IS NULL")


def upgrade() -> None:
    op.add_column("queue", sa.Column("entered", sa.BigInteger))
    _index("queue_entered", ["entered", "id"])
    op.drop_index("queue_waiting", "queue")


def downgrade() -> None:
    _index("queue_waiting", ["community", "sent_at", "id"])
    op.drop_index("queue_entered", "queue")
    op.drop_column("queue", "entered")


def _index(name: str, columns: list[str]) -> None:
    op.create_index(name, "queue", columns, sqlite_where=_WAITS, postgresql_where=_WAITS)
