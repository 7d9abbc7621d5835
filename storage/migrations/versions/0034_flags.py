"""Who has pointed the moderators to which message is on record, so that all of it is one case and they can be told."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("member", sa.Text),
        sa.Column("member_hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("community", "channel", "message", "member_hash", name="flags_once"),
    )
    op.create_index("flags_at", "flags", ["community", "at"])
    op.create_index("flags_old", "flags", ["at"])
