"""A community is a number in every table; what waits and what is settled are two tables; what people say is sealed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.migrations.rewriting import copy, count_on, step_aside

revision = "0016"
down_revision = "0015"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLES = sa.MetaData()


def _table(name: str, *columns: sa.schema.SchemaItem, **options: Any) -> None:
    sa.Table(name, _TABLES, *columns, **options)


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, primary_key=primary_key)


def _number(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def _id() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True)


def _community() -> sa.Column[int]:
    return sa.Column("community", sa.BigInteger, sa.ForeignKey("communities.key"), nullable=False)


def _incident(*, primary_key: bool = False) -> sa.Column[int]:
    to = sa.ForeignKey("incidents.id")
    return sa.Column("incident", sa.BigInteger, to, nullable=False, primary_key=primary_key, autoincrement=False)


_table(
    "communities",
    sa.Column("key", _ID, primary_key=True),
    _text("platform"),
    _text("id"),
    _text("settings", nullable=True),
    _number("version"),
    sa.UniqueConstraint("platform", "id", name="communities_place"),
    sqlite_autoincrement=True,
)
_table(
    "queue",
    _id(),
    *(_text(name) for name in ("platform", "channel", "message")),
    _number("revision"),
    _community(),
    _text("author"),
    _text("kind"),
    _number("sent_at"),
    _number("kept_at"),
    _bytes("body"),
    sa.Column("share", sa.SmallInteger, nullable=False),
    _number("holder", nullable=True),
    _number("aside_at", nullable=True),
    sa.Column("circle", sa.Integer),
    sa.Column("faults", sa.Integer),
    sa.UniqueConstraint("platform", "channel", "message", "revision", name="queue_revision"),
    sqlite_autoincrement=True,
    postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2000},
)
_table(
    "messages",
    _number("id", primary_key=True),
    *(_text(name) for name in ("platform", "channel", "message")),
    _number("revision"),
    _number("community"),
    _text("author", nullable=True),
    _bytes("author_hash", nullable=True),
    _bytes("text_hash", nullable=True),
    _text("kind"),
    _number("sent_at"),
    _number("settled_at"),
    _number("aside_at", nullable=True),
    sa.Column("score", sa.Float),
    sa.Column("ms", sa.Float),
    _number("forget_at", nullable=True),
    sa.UniqueConstraint("platform", "channel", "message", "revision", name="messages_revision"),
)
_table(
    "incidents",
    _id(),
    sa.Column("message", sa.BigInteger, sa.ForeignKey("messages.id"), nullable=False),
    _community(),
    _text("author", nullable=True),
    _bytes("author_hash", nullable=True),
    _text("rule", nullable=True),
    _number("decided_at"),
    _bytes("body", nullable=True),
    _bytes("decision"),
    _number("withdrawn_at", nullable=True),
    _number("forget_at", nullable=True),
    _number("held_until", nullable=True),
    _bytes("held_because", nullable=True),
    sa.UniqueConstraint("message", name="incidents_message"),
)
_table(
    "actions",
    _id(),
    _incident(),
    sa.Column("position", sa.Integer, nullable=False),
    _text("platform"),
    _number("community"),
    _text("kind"),
    sa.Column("protects", sa.Boolean, nullable=False),
    _bytes("args"),
    _text("state"),
    _text("reason", nullable=True),
    _number("not_before", nullable=True),
    _number("holder", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    _number("planned_at"),
    _number("started_at", nullable=True),
    _number("finished_at", nullable=True),
    _number("forget_at", nullable=True),
    sa.Column("circle", sa.Integer),
    sa.Column("faults", sa.Integer),
    sa.UniqueConstraint("incident", "position", name="actions_position"),
)
_table(
    "reviews",
    _id(),
    _incident(),
    _text("call"),
    _text("moderator"),
    _bytes("moderator_name"),
    _number("at"),
    sa.Column("closes", sa.Boolean, nullable=False),
)
_table("appeals", _incident(primary_key=True), _bytes("words"), _number("at"))
_table(
    "tallies",
    _number("community", primary_key=True),
    _number("quarter", primary_key=True),
    _text("what", primary_key=True),
    _text("name", primary_key=True),
    _number("number"),
    sqlite_with_rowid=False,
)
_table(
    "api_keys",
    _text("id", primary_key=True),
    _text("digest"),
    _community(),
    _bytes("name"),
    _number("created_at"),
    _number("used_at", nullable=True),
    _number("revoked_at", nullable=True),
)
_table(
    "deliveries",
    _id(),
    _community(),
    _text("kind"),
    _text("period"),
    _number("due"),
    _number("size"),
    _text("state"),
    sa.Column("attempts", sa.Integer, nullable=False),
    *(_number(name, nullable=True) for name in ("not_before", "holder")),
    _number("planned_at"),
    *(_number(name, nullable=True) for name in ("started_at", "finished_at")),
    _text("receipt"),
    _text("reason"),
    sa.UniqueConstraint("community", "kind", "period", name="deliveries_once"),
)
_table(
    "amendments", _id(), _community(), _number("at"), _bytes("by"), _text("setting"), _bytes("before"), _bytes("after")
)
_table(
    "bots",
    _number("community", primary_key=True),
    _text("bot", primary_key=True),
    _bytes("name"),
    _number("messages"),
    _number("answers"),
    _number("prose"),
)

#: name: table, columns, condition
_INDEXES: dict[str, tuple[str, list[str], str | None]] = {
    "communities_version": ("communities", ["version"], None),
    "queue_waiting": ("queue", ["community", "sent_at", "id"], "aside_at IS NULL"),
    "queue_aside": ("queue", ["sent_at"], "aside_at IS NOT NULL"),
    "queue_suspects": ("queue", ["faults"], "faults IS NOT NULL"),
    "messages_sent": ("messages", ["sent_at", "community"], None),
    "messages_once_aside": ("messages", ["aside_at"], "aside_at IS NOT NULL"),
    "incidents_decided": ("incidents", ["decided_at"], None),
    "incidents_community": ("incidents", ["community", "decided_at"], None),
    "incidents_author": ("incidents", ["community", "author"], None),
    "actions_open": ("actions", ["id"], "finished_at IS NULL"),
    "actions_free": (
        "actions",
        ["protects", "platform", "community", "attempts", "id"],
        "finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL",
    ),
    "actions_asleep": (
        "actions", ["not_before"], "finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL",
    ),
    "actions_suspects": ("actions", ["faults"], "faults IS NOT NULL"),
    "reviews_closing": ("reviews", ["incident"], "closes"),
    "reviews_at": ("reviews", ["at"], None),
    "deliveries_open": ("deliveries", ["size"], "finished_at IS NULL"),
    "amendments_community": ("amendments", ["community", "at"], None),
}  # fmt: skip
#: Everything that is laid anew, what refers to others first.
_BEFORE = (
    "reviews", "appeals", "actions", "incidents", "messages", "tallies", "api_keys", "deliveries", "amendments", "bots",
    "communities",
)  # fmt: skip


def upgrade() -> None:
    connection = op.get_bind()
    if not sa.inspect(connection).has_table("communities_before"):
        for name in _BEFORE:
            step_aside(connection, name)
        _TABLES.create_all(connection)
        _communities()
        connection.commit()
    _large_tables(connection)
    _small_tables()
    for name, (table, columns, condition) in _INDEXES.items():
        where = None if condition is None else sa.text(condition)
        unique = name == "reviews_closing"
        op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
    for name in _BEFORE:
        op.drop_table(f"{name}_before")
    for name in ("incidents", "actions", "reviews", "deliveries", "amendments"):
        count_on(connection, _TABLES.tables[name])
    count_on(connection, _TABLES.tables["queue"], "messages")


def _sealed(text: str) -> str:
    """A byte that says that it is not sealed, and the text."""
    if op.get_bind().dialect.name == "postgresql":
        return f"'\\x00'::bytea || convert_to({text}, 'UTF8')"
    return f"CAST(x'00' || {text} AS blob)"


def _same(*columns: str) -> dict[str, str]:
    return {column: f"old.{column}" for column in columns}


def _communities() -> None:
    """Every one that any table knows."""
    tables = (("messages", "community"), ("incidents", "community"), ("tallies", "community"), ("bots", "community"),
              ("api_keys", "community"), ("deliveries", "community"), ("amendments", "community"),
              ("communities", "id"))  # fmt: skip
    known = " UNION ".join(f"SELECT platform, {id_} AS id FROM {table}_before" for table, id_ in tables)
    op.execute(
        f"""
        INSERT INTO communities (platform, id, settings, version)
        SELECT known.platform, known.id, old.settings, coalesce(old.version, 0)
        FROM ({known}) AS known
        LEFT JOIN communities_before AS old ON old.platform = known.platform AND old.id = known.id
        ORDER BY known.platform, known.id
        """
    )


_HOME = "JOIN communities AS home ON home.platform = old.platform AND home.id = old.community"


def _large_tables(connection: sa.Connection) -> None:
    revision = _same("id", "platform", "channel", "message", "revision") | {"community": "home.key"}
    sent = _same("author", "kind", "sent_at", "aside_at")
    blank = "'{\"v\":1}'"
    waiting = _same("kept_at", "holder", "circle", "faults")
    waiting |= {"share": "home.key % 64", "body": _sealed(f"coalesce(old.body, {blank})")}
    copy(
        connection,
        "messages",
        {"queue": revision | sent | waiting, "messages": revision | sent | _same("settled_at", "score", "ms")},
        f"messages_before AS old {_HOME}",
        {"queue": "old.settled_at IS NULL", "messages": "old.settled_at IS NOT NULL"},
    )
    told = _same("id", "message", "author", "rule", "decided_at", "withdrawn_at")
    told |= {"community": "home.key", "body": _sealed("about.body"), "decision": _sealed("old.decision")}
    about = "JOIN messages_before AS about ON about.id = old.message"
    copy(connection, "incidents", {"incidents": told}, f"incidents_before AS old {_HOME} {about}")
    done = _same(
        "id", "incident", "position", "kind", "protects", "state", "reason", "not_before", "holder", "attempts",
        "planned_at", "started_at", "finished_at", "circle", "faults",
    )  # fmt: skip
    done |= {"platform": "home.platform", "community": "home.key", "args": _sealed("old.args")}
    whose = "JOIN incidents AS whose ON whose.id = old.incident JOIN communities AS home ON home.key = whose.community"
    copy(connection, "actions", {"actions": done}, f"actions_before AS old {whose}")
    called = _same("id", "incident", "call", "moderator", "at", "closes")
    called |= {"moderator_name": _sealed("old.moderator_name")}
    copy(connection, "reviews", {"reviews": called}, "reviews_before AS old")


def _small_tables() -> None:
    home = {"community": "home.key"}
    for table, columns, source in (
        ("appeals", _same("incident", "at") | {"words": _sealed("old.words")}, ""),
        ("tallies", _same("quarter", "what", "name", "number") | home, _HOME),
        (
            "api_keys",
            _same("id", "digest", "created_at", "used_at", "revoked_at") | {"name": _sealed("old.name")} | home,
            _HOME,
        ),
        (
            "deliveries",
            _same(
                "id", "kind", "period", "due", "size", "state", "attempts", "not_before", "holder", "planned_at",
                "started_at", "finished_at", "receipt", "reason",
            ) | home,
            _HOME,
        ),
        (
            "amendments",
            _same("id", "at", "setting") | {name: _sealed(f"old.{name}") for name in ("by", "before", "after")} | home,
            _HOME,
        ),
        ("bots", _same("bot", "messages", "answers", "prose") | {"name": _sealed("old.name")} | home, _HOME),
    ):  # fmt: skip
        op.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "
            f"FROM {table}_before AS old {source}"
        )
