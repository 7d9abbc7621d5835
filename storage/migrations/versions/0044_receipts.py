"""All that one card shows are found by its receipt, whenever they were decided and by whichever clock."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

_SAID = sa.text("reason IS NOT NULL")


def upgrade() -> None:
    op.create_index("actions_receipts", "actions", ["community", "reason"], sqlite_where=_SAID, postgresql_where=_SAID)


def downgrade() -> None:
    op.drop_index("actions_receipts", "actions")
