"""What bots' owners say of judgements is kept as hashes, to recognise the same again."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("code", sa.LargeBinary, primary_key=True),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("text_hash", sa.LargeBinary, nullable=False),
        sa.Column("near_hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("feedback_at", "feedback", ["at"])
    op.create_index("feedback_community", "feedback", ["community", "at"])
