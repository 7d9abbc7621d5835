"""How far each platform has been read, as a table."""

from sqlalchemy import delete, insert, select

from storage.database import Database
from storage.tables import bookmarks


class SqlBookmarks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, name: str) -> str | None:
        async with self._database.read() as connection:
            found = await connection.execute(select(bookmarks.c.place).where(bookmarks.c.name == name))
            place: str | None = found.scalar_one_or_none()
            return place

    async def put(self, name: str, place: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(bookmarks).where(bookmarks.c.name == name))
            await connection.execute(insert(bookmarks).values(name=name, place=place))
