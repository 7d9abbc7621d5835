"""What moderators did by hand is found by its age, to be forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    by_hand = sa.text("incident IS NULL")
    op.create_index("cases_by_hand", "cases", ["opened_at"], sqlite_where=by_hand, postgresql_where=by_hand)
