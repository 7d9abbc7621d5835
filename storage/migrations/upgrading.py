"""A database as any earlier version left it -> as this version needs it; what was broken off goes on where it was."""

import sqlite3
from contextlib import closing
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy import inspect as look_into

from bot.core.base.errors import Broken
from storage.errors import driver_errors
from storage.opening.place import file_of, parsed

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_NEWER = "A newer version of Jikimi has changed this database; run that version, or name another database."
_LOCK = 0x6A696B696D69  # "jikimi", as PostgreSQL numbers its advisory locks


def newest_step() -> str:
    """The revision that versions/ ends with: its files are named for their revisions, in order."""
    return max(known_steps())


def known_steps() -> frozenset[str]:
    names = (path.name.partition("_")[0] for path in files("storage.migrations.versions").iterdir())
    return frozenset(name for name in names if name.isdigit())


def is_newest(connection: Connection) -> bool:
    """Whether the schema has all the steps that this version knows, and no other."""
    if not look_into(connection).has_table("alembic_version"):
        return False
    present = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return present == [newest_step()]


def look(url: str) -> None:
    """At a SQLite file, without changing it. Broken: it is damaged, or a newer version has changed it."""
    path = file_of(parsed(url))
    if not path or not path.exists():
        return
    with driver_errors(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return
        present = {str(step) for (step,) in connection.execute("SELECT version_num FROM alembic_version")}
    if not present <= known_steps():
        raise Broken(_NEWER)


def upgrade(connection: Connection, to: str = "head") -> None:
    """`connection`: of an engine for rewriting (opening.engine_of). Steps may commit what they have done so far.
    Broken: a newer version has changed the database."""
    # A third of a second to load, and needed once in a database's life and after updates.
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    if connection.dialect.name == "postgresql":  # of two processes that start together, the second finds it done
        connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
    config, steps = _steps()
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= {step.revision for step in steps.walk_revisions()}:
        raise Broken(_NEWER)
    if present != set(steps.get_heads()):
        config.attributes["connection"] = connection
        # As alembic.command.upgrade does, which would read all of them once more.
        with EnvironmentContext(config, steps, fn=lambda here, _: steps._upgrade_revs(to, here), destination_rev=to):
            steps.run_env()
    connection.commit()


@cache
def _steps() -> "tuple[Config, ScriptDirectory]":
    """Read once in a process."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)
