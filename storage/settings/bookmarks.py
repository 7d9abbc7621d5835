"""How far each platform has been read, as a table."""

from collections.abc import Mapping

from sqlalchemy import delete, select

from storage.database import Database
from storage.tables import bookmarks

AT_ONCE = 500  # names in one statement


class SqlBookmarks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, name: str) -> str | None:
        async with self._database.read() as connection:
            found = await connection.execute(select(bookmarks.c.place).where(bookmarks.c.name == name))
            place: str | None = found.scalar_one_or_none()
            return place

    async def within(self, name: str) -> Mapping[str, str]:
        begins = bookmarks.c.name.startswith(f"{name}/", autoescape=True)
        async with self._database.read() as connection:
            found = await connection.execute(select(bookmarks.c.name, bookmarks.c.place).where(begins))
            return {row.name[len(name) + 1 :]: row.place for row in found}

    async def put(self, name: str, place: str) -> None:
        await self.put_all({name: place})

    async def put_all(self, places: Mapping[str, str | None]) -> None:
        kept = [{"name": name, "place": place} for name, place in places.items() if place is not None]
        gone = [name for name, place in places.items() if place is None]
        put = self._database.insert(bookmarks)
        put = put.on_conflict_do_update(index_elements=[bookmarks.c.name], set_={"place": put.excluded.place})
        async with self._database.write() as connection:
            for first in range(0, len(gone), AT_ONCE):
                theirs = bookmarks.c.name.in_(gone[first : first + AT_ONCE])
                await connection.execute(delete(bookmarks).where(theirs))
            if kept:
                await connection.execute(put, sorted(kept, key=lambda row: row["name"]))
