"""A SQLite database file -> the same file under another name, so that an empty one can take its place."""

from datetime import datetime
from pathlib import Path

from bot.errors import Broken
from storage.database import alone, parsed


def set_aside(url: str) -> Path | None:
    """Where the database has gone; None where there was none. Broken: not a SQLite file, or one in use."""
    place = parsed(url)
    if place.get_backend_name() != "sqlite" or not place.database:
        raise Broken("Only a SQLite database can be set aside; name another database in [storage] url instead.")
    path = Path(place.database)
    if not path.exists():
        return None
    new = path.with_name(f"{path.name}.before-{datetime.now():%Y%m%d-%H%M%S}")
    with alone(place):
        for ending in ("", "-wal", "-shm"):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(new.with_name(new.name + ending))
    return new
