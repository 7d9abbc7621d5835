"""Keys to the HTTP API as a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Insert, case, insert, literal, or_, select, update

from bot.core.operations.keys import FORMERLY, ApiKey, Scope
from storage.columns import AnyRow, Instant
from storage.community_key import community_of, read_community
from storage.database import Database
from storage.tables import api_keys


class SqlApiKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[ApiKey]:
        c = api_keys.c
        others = (column for column in c if column is not c.community)
        known = select(*community_of(api_keys), *others).order_by(c.created_at, c.id)
        async with self._database.read() as connection:
            return [_read(row) for row in await connection.execute(known)]

    async def add(self, key: ApiKey) -> None:
        row = await self._row(key)
        async with self._database.write() as connection:
            await connection.execute(row)

    async def revoke(self, key_id: str, at: datetime) -> bool:
        valid = (api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._database.write() as connection:
            return (await connection.execute(update(api_keys).where(*valid).values(revoked_at=at))).rowcount > 0

    async def replace(self, key_id: str, successor: ApiKey, until: datetime) -> bool:
        row, c = await self._row(successor), api_keys.c
        ending = update(api_keys).where(c.id == key_id, c.revoked_at.is_(None))
        sooner = case((c.expires_at < until, c.expires_at), else_=literal(until, Instant))
        async with self._database.write() as connection:
            if not (await connection.execute(ending.values(expires_at=sooner))).rowcount:
                return False
            await connection.execute(row)
            return True

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        async with self._database.write() as connection:
            for key_id, at in sorted(uses.items()):  # in one order everywhere: processes never wait for each other
                older = or_(api_keys.c.used_at.is_(None), api_keys.c.used_at < at)
                await connection.execute(update(api_keys).where(api_keys.c.id == key_id, older).values(used_at=at))

    async def _row(self, key: ApiKey) -> Insert:
        community = await self._database.keys.of(key.community)
        return insert(api_keys).values(
            id=key.id,
            digest=key.digest,
            community=community,
            name=key.name,
            created_at=key.created_at,
            used_at=key.used_at,
            revoked_at=key.revoked_at,
            scope=" ".join(sorted(key.scope)),
            expires_at=key.expires_at,
        )


def _read(row: AnyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        digest=row.digest,
        community=read_community(row),
        name=row.name,
        created_at=row.created_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        scope=FORMERLY if row.scope is None else frozenset(map(Scope, row.scope.split())),
        expires_at=row.expires_at,
    )
