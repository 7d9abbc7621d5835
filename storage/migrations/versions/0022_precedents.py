"""What moderators have called right or wrong is kept as hashes, to recognise the same again."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "precedents",
        sa.Column(
            "case", sa.BigInteger, sa.ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("text_hash", sa.LargeBinary, nullable=False),
        sa.Column("near_hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("precedents_at", "precedents", ["at"])
    op.create_index("precedents_community", "precedents", ["community", "at"])
