"""What a column holds: words, moments and numbers as Python has them <-> as both databases store them alike."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Integer,
    LargeBinary,
    Row,
    Text,
    TypeDecorator,
    literal_column,
)

from bot.core.operations.sealing import Sealing, Span

#: A row of any columns.
AnyRow = Row[*tuple[Any, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: SQLite counts rows by itself only in a column that is called INTEGER; its integers have 64 bits all the same.
Id = BigInteger().with_variant(Integer, "sqlite")


def in_words(condition: str) -> ColumnElement[bool]:
    """A condition as a partial index has it: SQLite knows the index by no other words. It has no type, for behind a
    Boolean `= 1` would be written there."""
    return literal_column(condition)


def unordered(column: ColumnElement[int]) -> ColumnElement[int]:
    """The same number as an expression, which no index has: SQLite would walk over a whole one to have it in order,
    instead of beginning where another condition says."""
    return column + 0


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(since: int) -> datetime:
    """So many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=since)


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
        return None if value is None else instant(value)


class SaidIn(str):
    """A text for a `Sealed` column: with the number of the community whose key it is sealed with."""

    community: int

    def __new__(cls, community: int, text: str) -> "SaidIn":
        said = super().__new__(cls, text)
        said.community = community
        return said


class Sealed(TypeDecorator[str]):
    """What may hold anybody's words or name. Nothing is searched, counted or joined by it. `lost`: what is read where
    its key is gone. Whoever makes the engine says what seals (`seal_with`)."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, span: Span = Span.KEPT, lost: str | None = "") -> None:
        super().__init__()
        self.span, self.lost = span, lost

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        community = value.community if isinstance(value, SaidIn) else 0
        return sealing_of(dialect).seal(writable(value), community, self.span)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = sealing_of(dialect).unseal(value)
        return self.lost if text is None else text


def seal_with(dialect: Dialect, sealing: Sealing) -> None:
    """An engine has one dialect: what it writes and reads in columns of type `Sealed` is sealed so."""
    setattr(dialect, _SEALING, sealing)


def sealing_of(dialect: Dialect) -> Sealing:
    found: Sealing = getattr(dialect, _SEALING)
    return found


_SEALING = "jikimi_sealing"
