"""Flags as a table: who has pointed the moderators to which message, and with them to which incident."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Message
from bot.core.incidents.review import FLAGS_APART, MOST_FLAGGED, MOST_FLAGS_A_DAY, MOST_TOLD, Call, Filed
from bot.core.rules.actions import Inform
from storage.columns import AnyRow, plain
from storage.community_key import of_community
from storage.database import Database
from storage.flow.calls import add_actions
from storage.records import strikes
from storage.tables import flags, incidents, messages, reviews

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)

#: Which flags are about the message of which incident, whatever revision of it that is about.
ABOUT: ColumnElement[bool] = and_(
    flags.c.community == incidents.c.community,
    flags.c.channel == messages.c.channel,
    flags.c.message == messages.c.message,
)


class SqlFlags:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, message: Message, by: str, *, at: datetime) -> tuple[Filed, int | None]:
        key, ref = await self._database.keys.of(message.community), message.ref
        hashed = self._database.sealing.member_hash(key, plain(by))
        here, theirs = flags.c.community == key, flags.c.member_hash == hashed
        this = and_(here, flags.c.channel == plain(ref.channel_id), flags.c.message == plain(ref.message_id))
        about = (
            select(incidents.c.id)
            .select_from(incidents.join(messages))
            .where(
                messages.c.platform == ref.platform,
                messages.c.channel == plain(ref.channel_id),
                messages.c.message == plain(ref.message_id),
                incidents.c.community == key,
            )
            .order_by(incidents.c.id.desc())
            .limit(1)
        )
        async with self._database.write() as connection:
            await strikes.lock(connection, [key])  # who points to something at this moment is counted
            incident = (await connection.execute(about)).scalar_one_or_none()
            if await _number(connection, this, theirs):
                return Filed.HEARD_BEFORE, incident
            if await _number(connection, here, theirs, flags.c.at > at - _DAY) >= MOST_FLAGS_A_DAY:
                return Filed.TOO_MANY_TODAY, incident
            lately = await _number(connection, here, theirs, flags.c.at > at - FLAGS_APART)
            if lately or await _is_crowded(connection, here, this, at):
                return Filed.TOO_MANY, incident
            row = {"channel": plain(ref.channel_id), "message": plain(ref.message_id), "member": plain(by)}
            await connection.execute(insert(flags).values(community=key, member_hash=hashed, at=at, **row))
            if incident is not None:
                await _tell_the_late(connection, incident, at)
            return Filed.HEARD, incident

    async def untold(self, community: CommunityRef, incident_id: int) -> Sequence[tuple[int, str]]:
        theirs = untold(incidents.c.id == incident_id, of_community(incidents, community))
        async with self._database.read() as connection:
            return [(row.id, row.member) for row in await connection.execute(theirs)]

    async def told(self, flag: int, *, at: datetime) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(flags).where(flags.c.id == flag).values(member=None))


def untold(*incident: ColumnElement[bool]) -> Select[AnyRow]:
    """The first who pointed to the message of this incident, as far as they were not told what came of it."""
    first: Select[AnyRow] = (
        select(flags.c.id, flags.c.member)
        .select_from(incidents.join(messages).join(flags, ABOUT))
        .where(*incident, flags.c.member.is_not(None))
        .order_by(flags.c.id)
        .limit(MOST_TOLD)
    )
    return first


async def _tell_the_late(connection: AsyncConnection, incident: int, at: datetime) -> None:
    """Moderators have looked at it already."""
    called = select(reviews.c.call).where(reviews.c.incident == incident, reviews.c.closes)
    if call := (await connection.execute(called)).scalar_one_or_none():
        await add_actions(connection, incident, (Inform(acted=call != Call.WRONG),), due=at, now=at)


async def _is_crowded(
    connection: AsyncConnection, here: ColumnElement[bool], this: ColumnElement[bool], at: datetime
) -> bool:
    """So that members cannot fill the moderators' room: what was pointed to before takes no more of that."""
    if await _number(connection, this):
        return False
    lately = select(flags.c.channel, flags.c.message).where(here, flags.c.at > at - _MINUTE).distinct().subquery()
    return int((await connection.execute(select(func.count()).select_from(lately))).scalar_one()) >= MOST_FLAGGED


async def _number(connection: AsyncConnection, *which: ColumnElement[bool]) -> int:
    counted = select(func.count()).select_from(flags).where(*which)
    return int((await connection.execute(counted)).scalar_one())
