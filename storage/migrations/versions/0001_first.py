"""Messages, incidents, actions, and who holds them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "holders",
        sa.Column("id", Id, primary_key=True),
        sa.Column("alive_until", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "messages",
        sa.Column("id", Id, primary_key=True),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("community", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("kept_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("holder", sa.BigInteger),
        sa.Column("score", sa.Float),
        sa.Column("ms", sa.Float),
        sa.Column("body", sa.Text),
        sa.UniqueConstraint("platform", "channel", "message", "revision", name="messages_revision"),
    )
    op.create_index("messages_sent", "messages", ["sent_at", "community"])
    waiting = sa.text("settled_at IS NULL")
    op.create_index(
        "messages_waiting",
        "messages",
        ["community", "sent_at", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "incidents",
        sa.Column("id", Id, primary_key=True),
        sa.Column("message", sa.BigInteger, sa.ForeignKey("messages.id"), nullable=False),
        sa.Column("community", sa.Text, nullable=False),
        sa.Column("rule", sa.Text),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger),
        sa.UniqueConstraint("message", name="incidents_message"),
    )
    op.create_index("incidents_decided", "incidents", ["decided_at"])
    op.create_index("incidents_community", "incidents", ["community", "decided_at"])
    op.create_table(
        "actions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("args", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("holder", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.UniqueConstraint("incident", "position", name="actions_position"),
    )
    open_ = sa.text("finished_at IS NULL")
    op.create_index("actions_open", "actions", ["id"], sqlite_where=open_, postgresql_where=open_)
