"""What a community has set can name people and hold their words: it stands in a sealed column."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("communities", sa.Column("sealed", sa.LargeBinary))
    op.execute(f"UPDATE communities SET sealed = {_openly()} WHERE settings IS NOT NULL")
    op.execute("ALTER TABLE communities DROP COLUMN settings")
    op.execute("ALTER TABLE communities RENAME COLUMN sealed TO settings")


def _openly() -> str:
    """A byte that says that it is not sealed, and the text."""
    if op.get_bind().dialect.name == "postgresql":
        return "'\\x00'::bytea || convert_to(settings, 'UTF8')"
    return "CAST(x'00' || settings AS blob)"
