"""What a database driver raises -> the two exceptions that may cross a port."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from bot.core.base.errors import Broken, Unavailable

#: SQLSTATE classes and codes that pass by themselves: lost connections, a restarting or overloaded server, time-outs,
#: deadlocks, a reference to a community that has just become one with another, a standby or a full server that may only
#: be read for a while, a pooler that lost a prepared statement
#: (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_PASSING = ("08", "23503", "25006", "26000", "40", "53", "55P03", "57", "58")
_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}
#: The last is what a connection raises that broke in the middle of something, and is asked once more.
_OF_POSTGRESQL = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_FULL = "The disk that the database lies on is full."
_SENTENCES = {
    "28000": "The database refuses this user; check the user name in [storage] url.",
    "28P01": "The database refuses this password; check [storage] url.",
    "3D000": "The database named in [storage] url does not exist; create it first.",
    "42501": "The database user named in [storage] url lacks a permission that it needs.",
}
_SENTENCES_SQLITE = {
    sqlite3.SQLITE_CANTOPEN: "The database file cannot be opened; check the path in [storage] url.",
    sqlite3.SQLITE_CORRUPT: "The database file is damaged; restore it from a backup.",
    sqlite3.SQLITE_NOTADB: "The file named in [storage] url is not a database.",
    sqlite3.SQLITE_READONLY: "The database file may only be read; check its permissions.",
}


@contextmanager
def driver_errors() -> Iterator[None]:
    """PostgreSQL's own words stay behind: they may quote a message. SQLite's name tables and columns only."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(error.orig or error) from None
    except (sqlite3.Error, *_OF_POSTGRESQL, exc.TimeoutError, OSError) as error:
        raise _translated(error) from None
    except UnicodeEncodeError:
        raise Broken("An identifier holds half of a surrogate pair, which no database can store.") from None


def _translated(error: BaseException) -> Broken | Unavailable:
    name = type(error).__name__
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more than we ask
        if code == sqlite3.SQLITE_FULL:
            return Unavailable(_FULL)
        if code in _PASSING_SQLITE or error.sqlite_errorname == "SQLITE_CONSTRAINT_FOREIGNKEY":
            return Unavailable("The database is busy or out of reach ({why}).", why=error.sqlite_errorname)
        return Broken(_SENTENCES_SQLITE.get(code, "The database failed ({why})."), why=f"{name}: {error}")
    if state := getattr(error, "sqlstate", None):
        if state == "53100":
            return Unavailable(_FULL)
        if state.startswith(_PASSING):
            return Unavailable("The database is busy or out of reach (SQLSTATE {state}).", state=state)
        return Broken(_SENTENCES.get(state, "The database failed (SQLSTATE {state})."), state=state)
    return Unavailable("The database is out of reach ({name}).", name=name)
