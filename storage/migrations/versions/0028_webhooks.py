"""Communities' own servers are told of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("url", sa.LargeBinary, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("tried_at", sa.BigInteger),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("stopped_at", sa.BigInteger),
        sa.Column("holder", sa.BigInteger),
    )
    op.create_index("webhooks_community", "webhooks", ["community"])
    op.create_table(
        "notices",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("webhook", sa.BigInteger, sa.ForeignKey("webhooks.id"), nullable=False),
        sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("planned_at", sa.BigInteger, nullable=False),
    )
    op.create_index("notices_webhook", "notices", ["webhook", "id"])
    op.create_index("notices_incident", "notices", ["incident"])
