"""A key to the HTTP API may do some things and not others, and ends by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as table:
        table.add_column(sa.Column("scope", sa.Text))
        table.add_column(sa.Column("expires_at", sa.BigInteger))
