"""Messages that were looked at while the guard was away, and who tells people of it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("messages", sa.Column("aside_at", sa.BigInteger))
    op.drop_index("messages_waiting", "messages")
    for name, columns, condition in (
        ("messages_waiting", ["community", "sent_at", "id"], "settled_at IS NULL AND aside_at IS NULL"),
        ("messages_aside", ["sent_at"], "settled_at IS NULL AND aside_at IS NOT NULL"),
        ("messages_once_aside", ["aside_at"], "aside_at IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "messages", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "tellings",
        sa.Column("began_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("word", sa.Text, primary_key=True),
        sa.Column("platform", sa.Text, primary_key=True),
    )
