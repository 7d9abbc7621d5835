"""Alarms are computed from settings: no pickled jobs in the database, which whoever can write a row could make run."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.drop_table("jobs")
