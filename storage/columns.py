"""What a column holds: words, moments and numbers as Python has them <-> as both databases store them alike."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Row, Text, TypeDecorator

from bot.core.base.errors import Broken

#: A row of any columns.
AnyRow = Row[*tuple[Any, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: SQLite counts rows by itself only in a column that is called INTEGER; its integers have 64 bits all the same.
Id = BigInteger().with_variant(Integer, "sqlite")


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


#: The first byte says how the rest is sealed; so begins what is not sealed at all.
OPEN = b"\0"


def seal(text: str) -> bytes:
    return OPEN + writable(text).encode("utf-8")


def unseal(stored: bytes) -> str:
    """Broken: it was sealed by a newer version."""
    if not stored.startswith(OPEN):
        raise Broken("The database holds sealed text that this version cannot read.")
    return stored[1:].decode("utf-8")


class Sealed(TypeDecorator[str]):
    """What may hold anybody's words or name. Nothing is searched, counted or joined by it."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else seal(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else unseal(value)
