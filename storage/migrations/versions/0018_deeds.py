"""An action belongs to an incident or to a deed by hand; what runs, and who looked, have tables of their own."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.rewriting import copy, count_on, step_aside

revision = "0018"
down_revision = "0017"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLES = sa.MetaData()
for _name in ("communities", "incidents", "cases"):
    sa.Table(_name, _TABLES, sa.Column("key" if _name == "communities" else "id", _ID, primary_key=True))

_ACTIONS = sa.Table(
    "actions",
    _TABLES,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("incident", sa.BigInteger, sa.ForeignKey("incidents.id")),
    sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id")),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("community", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("protects", sa.Boolean, nullable=False),
    sa.Column("args", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("not_before", sa.BigInteger),
    sa.Column("holder", sa.BigInteger),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("planned_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("forget_at", sa.BigInteger),
    sa.Column("circle", sa.Integer),
    sa.Column("faults", sa.Integer),
    sa.UniqueConstraint("incident", "position", name="actions_position"),
    sa.UniqueConstraint("case", "position", name="actions_place"),
)
_SANCTIONS = sa.Table(
    "sanctions",
    _TABLES,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
    sa.Column("member", sa.Text),
    sa.Column("member_hash", sa.LargeBinary),
    sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("begins_at", sa.BigInteger, nullable=False),
    sa.Column("ends_at", sa.BigInteger),
    sa.Column("lifted_at", sa.BigInteger),
    sa.Column("imposed_by", sa.Text),
)
_LOOKS = sa.Table(
    "looks",
    _TABLES,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False),
    sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id")),
    sa.Column("moderator", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
_FREE = "finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL"
_OF_ACTIONS = {
    "actions_open": (["id"], "finished_at IS NULL"),
    "actions_free": (["protects", "platform", "community", "attempts", "id"], _FREE),
    "actions_asleep": (["not_before"], "finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL"),
    "actions_suspects": (["faults"], "faults IS NOT NULL"),
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.alter_column("actions", "incident", nullable=True)
        op.add_column("actions", sa.Column("case", sa.BigInteger, sa.ForeignKey("cases.id")))
        op.create_unique_constraint("actions_place", "actions", ["case", "position"])
    else:
        _lay_anew(connection)
    _TABLES.create_all(connection, [_SANCTIONS, _LOOKS])
    running = sa.text("lifted_at IS NULL")
    for name, columns in {
        "sanctions_running": ["community", "id"],
        "sanctions_ending": ["ends_at"],
        "sanctions_case": ["case"],
        "sanctions_member": ["community", "member"],
    }.items():
        op.create_index(name, "sanctions", columns, sqlite_where=running, postgresql_where=running)
    op.create_index("looks_at", "looks", ["at"])
    op.create_index("cases_opened", "cases", ["community", "opened_at"])
    op.create_index("cases_member", "cases", ["community", "member", "number"])
    op.create_index("cases_moderator", "cases", ["community", "moderator", "number"])
    op.create_index("cases_deed", "cases", ["community", "deed", "number"])
    op.create_index("cases_state", "cases", ["community", "state", "number"])


def _lay_anew(connection: sa.Connection) -> None:
    """SQLite takes no condition away from a column that stands."""
    if not sa.inspect(connection).has_table("actions_before"):
        step_aside(connection, "actions")
        _TABLES.create_all(connection, [_ACTIONS])
        connection.commit()
    same = {one.name: f"old.{one.name}" for one in _ACTIONS.c if one.name != "case"}
    copy(connection, "actions", {"actions": same}, "actions_before AS old")
    for name, (columns, condition) in _OF_ACTIONS.items():
        op.create_index(name, "actions", columns, sqlite_where=sa.text(condition))
    op.drop_table("actions_before")
    count_on(connection, _ACTIONS)
