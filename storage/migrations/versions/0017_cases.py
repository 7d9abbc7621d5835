"""Everything that moderators count has a number of its community; what guards found in it stands in rows."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.migrations.rewriting import BATCH, count_on, step_aside

revision = "0017"
down_revision = "0016"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ALPHABET, _LENGTH = "23456789BCDFGHJKLMNPQRSTVWXZ", 10
_TABLES = sa.MetaData()

_COMMUNITIES = sa.Table("communities", _TABLES, sa.Column("key", _ID, primary_key=True))
_INCIDENTS = sa.Table(
    "incidents",
    _TABLES,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("community", sa.BigInteger),
    sa.Column("author", sa.Text),
    sa.Column("decided_at", sa.BigInteger),
    sa.Column("decision", sa.LargeBinary),
)
_CASES = sa.Table(
    "cases",
    _TABLES,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id")),
    sa.Column("deed", sa.Text),
    sa.Column("member", sa.Text),
    sa.Column("member_hash", sa.LargeBinary),
    sa.Column("moderator", sa.Text),
    sa.Column("words", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text),
    sa.Column("severity", sa.Integer),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    sa.Column("closed_at", sa.BigInteger),
    sa.Column("forget_at", sa.BigInteger),
    sa.Column("held_until", sa.BigInteger),
    sa.UniqueConstraint("community", "number", name="cases_number"),
    sa.UniqueConstraint("code", name="cases_code"),
    sa.UniqueConstraint("incident", name="cases_incident"),
)
_VERDICTS = sa.Table(
    "verdicts",
    _TABLES,
    sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("guard", sa.Text, primary_key=True),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("quotes", sa.Float),
    sqlite_with_rowid=False,
)
_APPEALS = sa.Table(
    "appeals",
    _TABLES,
    sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    sa.Column("words", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("forget_at", sa.BigInteger),
)
#: How a score of no kind is said in kinds.
_SCORES = {
    "prompt_harm": ("prompt", "unspecified"),
    "response_harm": ("response", "unspecified"),
    "response_refusal": ("response", "refusal"),
}


def upgrade() -> None:
    connection = op.get_bind()
    if not sa.inspect(connection).has_table("appeals_before"):
        step_aside(connection, "appeals")
        _TABLES.create_all(connection, [_CASES, _VERDICTS, _APPEALS])
        op.add_column("communities", sa.Column("next_case", sa.BigInteger, nullable=False, server_default="1"))
        connection.commit()
    for community in connection.execute(sa.select(_COMMUNITIES.c.key).order_by(_COMMUNITIES.c.key)).scalars().all():
        while _count(connection, community):
            connection.commit()
    op.execute("UPDATE communities SET next_case = 1 + (SELECT count(*) FROM cases WHERE community = communities.key)")
    op.execute(
        """
        INSERT INTO appeals ("case", words, at)
        SELECT cases.id, old.words, old.at FROM appeals_before AS old JOIN cases ON cases.incident = old.incident
        """
    )
    op.execute("UPDATE cases SET state = 'appealed' WHERE id IN (SELECT \"case\" FROM appeals)")
    op.execute(
        """
        UPDATE cases SET state = 'resolved', closed_at = reviews.at FROM reviews
        WHERE reviews.incident = cases.incident AND reviews.closes
        """
    )
    op.drop_table("appeals_before")
    count_on(connection, _CASES)


def _count(connection: sa.Connection, community: int) -> int:
    """Incidents of a community get numbers in the order of time. Returns how many have."""
    last = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(_CASES.c.number), 0)).where(_CASES.c.community == community)
    ).scalar_one()
    uncounted = (
        sa.select(_INCIDENTS)
        .outerjoin(_CASES, _CASES.c.incident == _INCIDENTS.c.id)
        .where(_INCIDENTS.c.community == community, _CASES.c.id.is_(None))
        .order_by(_INCIDENTS.c.decided_at, _INCIDENTS.c.id)
        .limit(BATCH)
    )
    rows = connection.execute(uncounted).all()
    if not rows:
        return 0
    connection.execute(
        _CASES.insert(),
        [
            {
                "community": community,
                "number": number,
                "code": "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)),
                "incident": row.id,
                "member": row.author,
                "state": "open",
                "opened_at": row.decided_at,
            }
            for number, row in enumerate(rows, last + 1)
        ],
    )
    if found := [verdict for row in rows for verdict in _verdicts(row.id, row.decision)]:
        connection.execute(_VERDICTS.insert(), found)
    return len(rows)


def _verdicts(incident: int, decision: bytes) -> Iterator[dict[str, Any]]:
    screening = json.loads(decision[1:]).get("screening", {})
    guard = screening.get("guard", {}).get("name", "")
    of_kinds = [(one["part"], one["kind"], one["guard"], one["p"]) for one in screening.get("found", ())]
    of_none = [(*_SCORES[task], guard, p) for task, p in screening.get("scores", {}).items() if task in _SCORES]
    if screening.get("refusal") is not None:
        of_kinds.append(("response", "refusal", guard, screening["refusal"]))
    for part, kind, name, p in of_kinds or of_none:
        yield {
            "incident": incident, "part": part, "kind": kind, "guard": name, "probability": p,
            "quotes": screening.get("quotes"),
        }  # fmt: skip
