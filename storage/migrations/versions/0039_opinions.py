"""What a guard says of an incident that has read its community's own rules is on record, and that it was asked."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.create_table(
        "opinions",
        sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id"), primary_key=True, autoincrement=False),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("words", sa.LargeBinary),
    )
    op.create_index("opinions_asked", "opinions", ["community", "asked_at"])


def downgrade() -> None:
    op.drop_table("opinions")
