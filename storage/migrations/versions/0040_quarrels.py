"""An incident says, as a keyed hash, who else was part of it."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("other_hash", sa.LargeBinary))
    named = sa.text("other_hash IS NOT NULL")
    op.create_index(
        "incidents_other", "incidents", ["community", "other_hash"], sqlite_where=named, postgresql_where=named
    )


def downgrade() -> None:
    op.drop_index("incidents_other", "incidents")
    op.drop_column("incidents", "other_hash")
