"""Every change of settings has a number; Telegram groups that were exempt from all rules as a whole are so no more: any
member could bring that about, and which chat is a moderators' room is seen from who has it as theirs."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("communities", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("communities_version", "communities", ["version"])
    communities = sa.table(
        "communities", sa.column("platform"), sa.column("id"), sa.column("settings"), sa.column("version")
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(communities).order_by(communities.c.platform, communities.c.id)).all()
    for version, row in enumerate(rows, 1):
        settings = json.loads(row.settings)
        if row.platform == "telegram" and "exempt_channels" in settings:
            settings["exempt_channels"] = [id_ for id_ in settings["exempt_channels"] if id_ != row.id]
        connection.execute(
            communities.update()
            .where(communities.c.platform == row.platform, communities.c.id == row.id)
            .values(settings=json.dumps(settings, ensure_ascii=False), version=version)
        )
