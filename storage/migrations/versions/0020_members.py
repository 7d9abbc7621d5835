"""How much of each member was heard is counted, so that the first messages of a new one can be told."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "members",
        sa.Column("community", sa.BigInteger, primary_key=True),
        sa.Column("member_hash", sa.LargeBinary, primary_key=True),
        sa.Column("messages", sa.SmallInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_index("members_since", "members", ["community", "since"])


def downgrade() -> None:
    op.drop_table("members")
