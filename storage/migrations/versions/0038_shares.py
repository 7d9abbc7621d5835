"""Work is divided into shares, which the processes that take part in it hold."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("work", sa.Text, primary_key=True),
        sa.Column("holder", _ID, sa.ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_table(
        "shares",
        sa.Column("work", sa.Text, primary_key=True),
        sa.Column("share", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.BigInteger),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("shares")
    op.drop_table("workers")
