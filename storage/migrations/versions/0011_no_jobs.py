"""Alarms are computed from settings: no pickled jobs in the database, which whoever can write a row could make run."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_table("jobs")
