"""Who takes part in a raid is on record, until they are dealt with."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "raiders",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("member", sa.Text),
        sa.Column("offended", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("remedy", sa.Text),
        sa.Column("moderator", sa.Text),
        sa.Column("moderator_name", sa.LargeBinary),
        sa.Column("due", sa.BigInteger),
        sa.Column("deed", sa.BigInteger, sa.ForeignKey("cases.id")),
        sa.UniqueConstraint("case", "member", name="raiders_member"),
    )
    due, dealt = sa.text("due IS NOT NULL"), sa.text("deed IS NOT NULL")
    op.create_index("raiders_due", "raiders", ["id"], sqlite_where=due, postgresql_where=due)
    op.create_index("raiders_at", "raiders", ["at"])
    op.create_index("raiders_deed", "raiders", ["deed"], sqlite_where=dealt, postgresql_where=dealt)
