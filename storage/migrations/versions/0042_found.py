"""What is looked up by what it belongs to is found there: no table that grows is walked over for one member, case or
incident."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"

_STANDING = sa.text("lifted_at IS NULL")
_KNOWN = sa.text("author_hash IS NOT NULL")
_ABOUT_ONE = sa.text('"case" IS NOT NULL')


def upgrade() -> None:
    _index("messages_author", "messages", ["community", "author_hash", "sent_at"], _KNOWN)
    _index("reviews_incident", "reviews", ["incident", "id"])
    _index("looks_case", "looks", ["case"], _ABOUT_ONE)
    for name, columns in _OF_SANCTIONS.items():
        op.drop_index(name, "sanctions")
        _index(name, "sanctions", columns)


def downgrade() -> None:
    for name, columns in _OF_SANCTIONS.items():
        op.drop_index(name, "sanctions")
        _index(name, "sanctions", columns, _STANDING)
    op.drop_index("looks_case", "looks")
    op.drop_index("reviews_incident", "reviews")
    op.drop_index("messages_author", "messages")


_OF_SANCTIONS = {"sanctions_case": ["case"], "sanctions_member": ["community", "member"]}


def _index(name: str, table: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
