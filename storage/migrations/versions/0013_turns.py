"""Actions are claimed in turns: each knows its community, whether it protects, and when it was planned."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_FREE = sa.text("finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL")
_ASLEEP = sa.text("finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL")


def upgrade() -> None:
    op.add_column("actions", sa.Column("platform", sa.Text, nullable=False, server_default=""))
    op.add_column("actions", sa.Column("community", sa.Text, nullable=False, server_default=""))
    op.add_column("actions", sa.Column("protects", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("actions", sa.Column("planned_at", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("""
        UPDATE actions SET
            platform = (
                SELECT messages.platform FROM incidents JOIN messages ON messages.id = incidents.message
                WHERE incidents.id = actions.incident
            ),
            community = (SELECT incidents.community FROM incidents WHERE incidents.id = actions.incident),
            protects = (kind = 'delete'),
            planned_at = (SELECT incidents.decided_at FROM incidents WHERE incidents.id = actions.incident)
    """)
    columns = ["protects", "platform", "community", "attempts", "id"]
    op.create_index("actions_free", "actions", columns, sqlite_where=_FREE, postgresql_where=_FREE)
    op.create_index("actions_asleep", "actions", ["not_before"], sqlite_where=_ASLEEP, postgresql_where=_ASLEEP)
