"""Communities of one owner may share bans, and moderators link the accounts of one person."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "shared_bans",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("sanction", sa.BigInteger, sa.ForeignKey("sanctions.id"), nullable=False),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id")),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("sanction", "community", name="shared_bans_once"),
    )
    held = sa.text('"case" IS NOT NULL')
    op.create_index("shared_bans_case", "shared_bans", ["case"], sqlite_where=held, postgresql_where=held)
    op.create_index("shared_bans_at", "shared_bans", ["community", "at"])
    op.create_table(
        "links",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("person", sa.BigInteger, nullable=False),
        sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
        sa.Column("member", sa.Text),
        sa.Column("member_hash", sa.LargeBinary, nullable=False),
        sa.Column("moderator", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("community", "member_hash", name="links_once"),
    )
    op.create_index("links_person", "links", ["person"])


def downgrade() -> None:
    op.drop_table("links")
    op.drop_table("shared_bans")
