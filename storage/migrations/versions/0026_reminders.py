"""What people are reminded of is found by its time."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    urgent = sa.text("kind = 'escalate'")
    op.create_index("actions_urgent", "actions", ["finished_at"], sqlite_where=urgent, postgresql_where=urgent)
    op.create_index("appeals_at", "appeals", ["at"])
