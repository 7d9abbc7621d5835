"""A guard on trial leaves at an incident what would have become of it."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("trial", sa.Text))


def downgrade() -> None:
    op.drop_column("incidents", "trial")
