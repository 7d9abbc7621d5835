"""Moderators' calls, communities' settings, and whose each incident is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("incidents", sa.Column("author", sa.Text))
    op.execute("UPDATE incidents SET author = (SELECT author FROM messages WHERE messages.id = incidents.message)")
    op.create_index("incidents_author", "incidents", ["community", "author"])
    op.create_table(
        "reviews",
        sa.Column("id", Id, primary_key=True),
        sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("moderator", sa.Text, nullable=False),
        sa.Column("moderator_name", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("closes", sa.Boolean, nullable=False),
    )
    closing = sa.text("closes")
    op.create_index(
        "reviews_closing", "reviews", ["incident"], unique=True, sqlite_where=closing, postgresql_where=closing
    )
    op.create_index("reviews_at", "reviews", ["at"])
    op.create_table(
        "communities",
        sa.Column("platform", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("settings", sa.Text, nullable=False),
    )
