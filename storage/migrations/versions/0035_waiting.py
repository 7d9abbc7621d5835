"""What waits for a call is found at once, the most severe first."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    waits = sa.text("state IN ('open', 'reopened', 'appealed')")
    op.create_index(
        "cases_waiting", "cases", ["community", "severity", "number"], sqlite_where=waits, postgresql_where=waits
    )
