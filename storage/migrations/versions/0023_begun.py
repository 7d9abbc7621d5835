"""What an attempt has begun, a card for instance, is known to the next one."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("actions", sa.Column("begun", sa.Text))
