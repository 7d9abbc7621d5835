"""How much was in a message is known after a restart, too, as long as by whom it was."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.add_column("messages", sa.Column("amounts", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("messages", "amounts")
