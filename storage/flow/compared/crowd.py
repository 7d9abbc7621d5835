"""Very many communities with settings of their own, as if each had been set up; for `jikimi bench growth`."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, update

from bot.core.communities.community import Community
from storage import codec
from storage.columns import SaidIn
from storage.database import Database
from storage.tables import communities

_TOGETHER = 5_000
_SETTLING_IN = update(communities).where(communities.c.key == bindparam("of")).values(settings=bindparam("set"))


async def settle_in(database: Database, crowd: Sequence[Community]) -> None:
    adding = insert(communities).returning(communities.c.key, sort_by_parameter_order=True)
    async with database.write() as connection:
        for begin in range(0, len(crowd), _TOGETHER):
            some = crowd[begin : begin + _TOGETHER]
            new = [{"platform": one.platform, "id": one.id, "version": one.version} for one in some]
            keys = (await connection.execute(adding, new)).scalars().all()
            said = [
                {"of": key, "set": SaidIn(key, codec.write_settings(one))} for key, one in zip(keys, some, strict=True)
            ]
            await connection.execute(_SETTLING_IN, said)
