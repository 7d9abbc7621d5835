"""What counts against a member has a table of its own, by the hash that stays when they are erased."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "strikes",
        sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id"), primary_key=True, autoincrement=False),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("member_hash", sa.LargeBinary, nullable=False),
        sa.Column("weight", sa.SmallInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("decays_at", sa.BigInteger, nullable=False),
    )
    op.create_index("strikes_member", "strikes", ["community", "member_hash", "decays_at"])
