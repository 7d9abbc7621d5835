"""Whoever looks at what is on record is written down by name; and what was erased leaves a receipt."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("looks", sa.Column("moderator_name", sa.LargeBinary))
    op.create_index("looks_community", "looks", ["community", "at"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("community", sa.BigInteger, nullable=False),
        sa.Column("member_hash", sa.LargeBinary),
        sa.Column("member", sa.LargeBinary),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("receipt", sa.Text, nullable=False),
    )
    op.create_index("erasures_asked", "erasures", ["asked_at"])
    left = sa.text("done_at IS NULL")
    op.create_index("erasures_left", "erasures", ["community"], sqlite_where=left, postgresql_where=left)


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_index("looks_community", "looks")
    op.drop_column("looks", "moderator_name")
