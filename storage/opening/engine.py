"""Where a database lies -> the engine that opens it."""

from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.core.operations.sealing import Openly, Sealing
from storage.columns import seal_with
from storage.opening import sqlite

#: How long a lock or a connection is waited for, in seconds, before it counts as out of reach.
PATIENCE = 10.0

_OPENLY = Openly()


def engine_of(place: URL, sealing: Sealing = _OPENLY, *, rewriting: bool = False) -> AsyncEngine:
    """`sealing`: of what people say. `rewriting`: to build tables anew, which takes as long as it takes; references are
    followed again afterwards."""
    engine = _engine(place, rewriting=rewriting)
    seal_with(engine.dialect, sealing)
    return engine


def _engine(place: URL, *, rewriting: bool) -> AsyncEngine:
    if place.get_backend_name() == "postgresql":
        settings = {"application_name": "jikimi", "lock_timeout": "0" if rewriting else f"{PATIENCE:g}s"}
        return create_async_engine(
            place,
            hide_parameters=True,
            connect_args={
                "timeout": PATIENCE,
                "command_timeout": None if rewriting else 60,
                "server_settings": settings,
            },
        )
    file = sqlite.connector(str(place.database), PATIENCE)
    engine = create_async_engine(place, hide_parameters=True, pool_use_lifo=True, async_creator=file)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # the platform is told that we have it: then we must have it
            f"foreign_keys = {'OFF' if rewriting else 'ON'}",
            "secure_delete = ON",  # erased text is gone from the file, too
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if writing := options.get("for_writing"):
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite.Connection)
            driver.make_durable(options["durable"])
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
