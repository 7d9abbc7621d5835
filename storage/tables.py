"""The schema as SQLAlchemy Core tables; migrations/versions/ builds the same, step by step."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    text,
)

#: A row of any columns.
AnyRow = Row[*tuple[Any, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def writable(text: str) -> str:
    """No database takes half of a surrogate pair; one such character must not hold up everybody's messages."""
    return str(text) if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def plain(text: str) -> str:
    """For a column of its own, where PostgreSQL takes no NUL either; within JSON there may be one."""
    return writable(text).replace("\0", "")


class Words(TypeDecorator[str]):
    """What people and platforms say, stored as far as it can be (`plain`)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else plain(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as whole microseconds since 1970 UTC: exact, and sorts the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


#: SQLite counts rows by itself only in a column that is called INTEGER; its integers have 64 bits all the same.
Id = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

#: One row for each process that leases work. On PostgreSQL it must be renewed before `alive_until` (the database's
#: clock), or others take the work over; a SQLite file has one process at a time and no need for that.
holders = Table(
    "holders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alive_until", BigInteger),  # microseconds since 1970
    sqlite_autoincrement=True,  # a number is never given twice: the dead must not pass for the living
)


def _suspicion() -> tuple[Column[int], Column[int]]:
    """flow/suspects.py explains them. `circle`: how many were suspected with it when their process died; NULL: not
    suspected of that. `faults`: NULL where there was never a reason to suspect it."""
    return Column("circle", Integer), Column("faults", Integer)


_suspected = text("faults IS NOT NULL")

#: One row for each revision of a message. It waits until `settled_at`; while `holder` is set, somebody works on it.
messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("community", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("kept_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("holder", BigInteger),
    Column("aside_at", Instant),  # when it was looked at while the guard was away, to be looked at again
    Column("score", Float),  # the worst harm score, 0..1
    Column("ms", Float),  # from taking up to deciding, milliseconds
    Column("body", Text),  # the rest of the message (codec.write_body), erased when it settles without an incident
    *_suspicion(),
    UniqueConstraint("platform", "channel", "message", "revision", name="messages_revision"),
)
Index("messages_sent", messages.c.sent_at, messages.c.platform, messages.c.community)
Index("messages_suspects", messages.c.faults, sqlite_where=_suspected, postgresql_where=_suspected)
#: What names a revision, and what a message is read from (codec.read_ref, codec.read_message).
REF = (messages.c.platform, messages.c.channel, messages.c.message, messages.c.revision)
MESSAGE = (*REF, messages.c.community, messages.c.author, messages.c.kind, messages.c.sent_at, messages.c.body)

#: The condition that a revision is one of codec.write_refs (for Database.sql).
AMONG_REFS = """
    (messages.platform, messages.channel, messages.message, messages.revision) IN (
        SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2, CAST(given.value ->> 3 AS bigint) FROM {given}
    )
"""

_waiting = text("settled_at IS NULL AND aside_at IS NULL")
_aside = text("settled_at IS NULL AND aside_at IS NOT NULL")
_once_aside = text("aside_at IS NOT NULL")
Index(
    "messages_waiting",
    messages.c.platform,
    messages.c.community,
    messages.c.sent_at,
    messages.c.id,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
Index("messages_aside", messages.c.sent_at, sqlite_where=_aside, postgresql_where=_aside)
Index("messages_once_aside", messages.c.aside_at, sqlite_where=_once_aside, postgresql_where=_once_aside)
#: What is not settled, in the two parts that an index knows each.
WAITING = (
    and_(messages.c.settled_at.is_(None), messages.c.aside_at.is_(None)),
    and_(messages.c.settled_at.is_(None), messages.c.aside_at.is_not(None)),
)

#: One row for each decision in which a rule matched.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", BigInteger, ForeignKey("messages.id"), nullable=False),
    Column("platform", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("author", Text),
    Column("rule", Text),
    Column("decided_at", Instant, nullable=False),
    Column("decision", Text, nullable=False),  # codec.write_decision
    Column("withdrawn_at", Instant),
    UniqueConstraint("message", name="incidents_message"),
)
Index("incidents_decided", incidents.c.decided_at)
Index("incidents_community", incidents.c.platform, incidents.c.community, incidents.c.decided_at)
Index("incidents_author", incidents.c.platform, incidents.c.community, incidents.c.author)

#: One row for each action of an incident. `state` goes planned -> started -> the kind of its outcome, and back to
#: planned when it is postponed: then it sleeps until `not_before`, and the next claim wakes it by erasing that.
actions = Table(
    "actions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident", BigInteger, ForeignKey("incidents.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("platform", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("protects", Boolean, nullable=False),
    Column("args", Text, nullable=False),  # codec.write_action
    Column("state", Text, nullable=False),
    Column("reason", Words),  # why the platform refused; of what is done, the receipt
    Column("not_before", Instant),
    Column("holder", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    *_suspicion(),
    UniqueConstraint("incident", "position", name="actions_position"),
)
_open = text("finished_at IS NULL")
Index("actions_open", actions.c.id, sqlite_where=_open, postgresql_where=_open)
#: In the words of flow/outbox.py: SQLite knows an index by no others.
_free = text("finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL")
Index(
    "actions_free",
    actions.c.protects,
    actions.c.platform,
    actions.c.community,
    actions.c.attempts,
    actions.c.id,
    sqlite_where=_free,
    postgresql_where=_free,
)
_asleep = text("finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL")
Index("actions_asleep", actions.c.not_before, sqlite_where=_asleep, postgresql_where=_asleep)
Index("actions_suspects", actions.c.faults, sqlite_where=_suspected, postgresql_where=_suspected)

#: One row for each call of a moderator. Of those that close the review, `closes` holds for the last one alone.
reviews = Table(
    "reviews",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident", BigInteger, ForeignKey("incidents.id"), nullable=False),
    Column("call", Text, nullable=False),
    Column("moderator", Text, nullable=False),
    Column("moderator_name", Words, nullable=False),
    Column("at", Instant, nullable=False),
    Column("closes", Boolean, nullable=False),
)
_closing = text("closes")
Index("reviews_closing", reviews.c.incident, unique=True, sqlite_where=_closing, postgresql_where=_closing)
Index("reviews_at", reviews.c.at)

#: One row for each incident whose author has objected to it.
appeals = Table(
    "appeals",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.id"), primary_key=True, autoincrement=False),
    Column("words", Words, nullable=False),
    Column("at", Instant, nullable=False),
)

#: One row for each community that has set something.
communities = Table(
    "communities",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("settings", Text, nullable=False),  # settings/communities.py
    Column("version", BigInteger, nullable=False),  # the number of the change that wrote this row
)
Index("communities_version", communities.c.version)

#: How many messages of a community were settled, by the quarter hour in which they were sent and by one property at a
#: time (flow/tallies.py says which): what a report counts stays small, however many messages there are.
tallies = Table(
    "tallies",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("community", Text, primary_key=True),
    Column("quarter", Instant, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: One row for each key to the HTTP API, the revoked ones too. The secret itself is with its holder alone.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # SHA-256 of the secret
    Column("platform", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
)

#: One row for each report that is or was to be sent. `state` goes planned -> started -> what came of it; while `holder`
#: is set, somebody works on it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("holder", BigInteger),
    Column("planned_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("receipt", Words, nullable=False),
    Column("reason", Words, nullable=False),
    UniqueConstraint("platform", "community", "kind", "period", name="deliveries_once"),
)
Index("deliveries_open", deliveries.c.size, sqlite_where=_open, postgresql_where=_open)

#: How far each platform has been read, in the platform's own words, and up to when reports are planned.
bookmarks = Table(
    "bookmarks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", Words, nullable=False),
)

#: One row for each time that the guard was away; the last one is open while it is. Overlapping rows are one outage.
outages = Table(
    "outages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

#: One row for each thing that people were told about such an outage, and where: whoever writes it down tells them.
tellings = Table(
    "tellings",
    metadata,
    Column("began_at", Instant, primary_key=True, autoincrement=False),
    Column("word", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
)

#: One row for each setting that somebody changed (bot.core.communities.journal.AuditEntry).
amendments = Table(
    "amendments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", Words, nullable=False),
    Column("setting", Text, nullable=False),
    Column("before", Words, nullable=False),
    Column("after", Words, nullable=False),
)
Index("amendments_community", amendments.c.community, amendments.c.at)

#: One row for each other bot of a community (records/bots.py): what it has done, never what it said.
bots = Table(
    "bots",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("community", Text, primary_key=True),
    Column("bot", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("answers", BigInteger, nullable=False),  # messages that answer somebody
    Column("prose", BigInteger, nullable=False),  # answers that are prose
)
