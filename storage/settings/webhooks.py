"""Webhooks, and what each has still to be told: planned with the incident, leased with the webhook, gone once told."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef
from bot.core.incidents.webhooks.webhook import MOST, Notice, Webhook
from storage.columns import AnyRow, Instant, SaidIn
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.flow.leases.leasing import leased
from storage.tables import actions, cases, communities, incidents, messages, notices, webhooks

AT_ONCE = 20  # notices of one webhook in one claim
MOST_WAITING = 1000  # of one webhook, where its server is away

Claimed = Sequence[tuple[Webhook, Sequence[Notice]]]

_WAITS = exists().where(notices.c.webhook == webhooks.c.id)
_OTHERS = (webhooks.c.id, webhooks.c.url, webhooks.c.secret, webhooks.c.created_at)
_STATE = (webhooks.c.failures, webhooks.c.reason, webhooks.c.stopped_at)
_WEBHOOK = (*community_of(webhooks), *_OTHERS, *_STATE)


async def plan(connection: AsyncConnection, opened: Sequence[int], now: datetime) -> None:
    """Whoever wants to hear of incidents is to be told of these, but not of what a rule on trial has found."""
    wanted = (
        select(webhooks.c.id, incidents.c.id, literal(now, Instant))
        .select_from(incidents.join(webhooks, webhooks.c.community == incidents.c.community))
        .where(incidents.c.id.in_(opened), incidents.c.rule.is_not(None), webhooks.c.stopped_at.is_(None))
        .order_by(incidents.c.id)
    )
    await connection.execute(insert(notices).from_select(["webhook", "incident", "planned_at"], wanted))


class SqlWebhooks:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Webhook]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(*_WEBHOOK).order_by(webhooks.c.created_at, webhooks.c.id))
            return [_read(row) for row in rows]

    async def add(self, webhook: Webhook) -> int | None:
        key = await self._database.keys.of(webhook.community)
        async with self._database.write() as connection:
            # Two that come at once must not both be the last one: whoever comes second waits here.
            await connection.execute(select(communities.c.key).where(communities.c.key == key).with_for_update())
            theirs = select(webhooks.c.id, webhooks.c.url).where(webhooks.c.community == key)
            held: dict[str, int] = {row.url: row.id for row in await connection.execute(theirs)}
            fresh = {"secret": SaidIn(key, webhook.secret), "failures": 0, "reason": "", "stopped_at": None}
            if (same := held.get(webhook.url)) is not None:
                again = update(webhooks).where(webhooks.c.id == same)
                await connection.execute(again.values(**fresh, not_before=None))
                return same
            if len(held) >= MOST:
                return None
            added = insert(webhooks).values(
                **fresh, community=key, url=SaidIn(key, webhook.url), created_at=webhook.created_at
            )
            new: int = (await connection.execute(added.returning(webhooks.c.id))).scalar_one()
            return new

    async def remove(self, community: CommunityRef, webhook_id: int) -> bool:
        theirs = select(webhooks.c.id).where(webhooks.c.id == webhook_id, of_community(webhooks, community))
        async with self._database.write() as connection:
            if (await connection.execute(theirs)).first() is None:
                return False
            await connection.execute(delete(notices).where(notices.c.webhook == webhook_id))
            await connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))
            return True

    async def claim(self, limit: int, *, now: datetime) -> Claimed:
        async def give_back(taken: Claimed) -> None:
            for webhook, _ in taken:
                await self.heard(webhook.id, ())

        return await leased(self._lease(limit, now), give_back)

    async def heard(self, webhook_id: int, told: Sequence[int]) -> None:
        async with self._database.write() as connection:
            await self._close(connection, webhook_id, told, failures=0, not_before=None)

    async def postpone(self, webhook_id: int, told: Sequence[int], *, until: datetime, reason: str) -> None:
        failures = 1 if told else webhooks.c.failures + 1
        theirs = notices.c.webhook == webhook_id
        newest = select(notices.c.id).where(theirs).order_by(notices.c.id.desc()).limit(MOST_WAITING)
        async with self._database.write() as connection:
            await self._close(connection, webhook_id, told, failures=failures, not_before=until, reason=reason)
            await connection.execute(delete(notices).where(theirs, notices.c.id.not_in(newest)))

    async def stop(self, webhook_id: int, told: Sequence[int], *, at: datetime, reason: str) -> int:
        async with self._database.write() as connection:
            await self._close(connection, webhook_id, told, stopped_at=at, reason=reason)
            return (await connection.execute(delete(notices).where(notices.c.webhook == webhook_id))).rowcount

    async def _lease(self, limit: int, now: datetime) -> Claimed:
        w = webhooks.c
        due = (w.holder.is_(None), w.stopped_at.is_(None), or_(w.not_before.is_(None), w.not_before <= now), _WAITS)
        free = select(w.id).where(*due).order_by(w.tried_at.nulls_first(), w.id).limit(limit)
        async with self._database.read() as connection:
            if (await connection.execute(free)).first() is None:
                return ()
        async with self._database.write() as connection:
            ids = (await connection.execute(free.with_for_update(skip_locked=True))).scalars().all()
            mine = update(webhooks).where(w.id.in_(ids)).values(holder=self._database.holder, tried_at=now)
            await connection.execute(mine)
            taken = [_read(row) for row in await connection.execute(select(*_WEBHOOK).where(w.id.in_(ids)))]
            return [(one, await _oldest(connection, one.id)) for one in taken]

    async def _close(self, connection: AsyncConnection, webhook_id: int, told: Sequence[int], **state: object) -> None:
        """Where somebody else has taken the webhook over, what was told is told all the same."""
        await connection.execute(delete(notices).where(notices.c.id.in_(told)))
        mine: tuple[ColumnElement[bool], ...] = (
            webhooks.c.id == webhook_id,
            webhooks.c.holder == self._database.holder,
        )
        await connection.execute(update(webhooks).where(*mine).values(holder=None, **state))


async def _oldest(connection: AsyncConnection, webhook_id: int) -> Sequence[Notice]:
    n, i, m, c = notices.c, incidents.c, messages.c, cases.c
    wanted = (
        select(
            *community_of(incidents), n.id, n.planned_at, n.incident, i.rule, i.decided_at, m.channel, m.message,
            c.number, c.code,
        )
        .select_from(notices.join(incidents).join(messages).join(cases, c.incident == i.id))
        .where(n.webhook == webhook_id)
        .order_by(n.id)
        .limit(AT_ONCE)
    )  # fmt: skip
    rows = (await connection.execute(wanted)).all()
    planned = select(actions.c.incident, actions.c.kind).where(actions.c.incident.in_([row.incident for row in rows]))
    kinds: dict[int, list[str]] = {}
    for row in await connection.execute(planned.order_by(actions.c.incident, actions.c.position)):
        kinds.setdefault(row.incident, []).append(row.kind)
    return [
        Notice(
            id=row.id,
            planned_at=row.planned_at,
            case=row.number,
            code=row.code,
            community=read_community(row),
            channel=row.channel,
            message=row.message,
            rule=row.rule,
            actions=tuple(kinds.get(row.incident, ())),
            decided_at=row.decided_at,
        )
        for row in rows
    ]


def _read(row: AnyRow) -> Webhook:
    return Webhook(
        id=row.id,
        community=read_community(row),
        url=row.url,
        secret=row.secret,
        created_at=row.created_at,
        failures=row.failures,
        reason=row.reason,
        stopped_at=row.stopped_at,
    )
