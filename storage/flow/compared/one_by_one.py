"""One decision, one transaction: how one writes it first. Only `jikimi bench flow` uses it, to have a measure."""

from sqlalchemy import func, insert, select

from bot.core.incidents.incident import Settlement
from storage import codec
from storage.database import Database
from storage.tables import actions, incidents, messages


class NaiveStore:
    """The same database, driver, tables and durability as the inbox, without its grouping."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, settlement: Settlement) -> None:
        """Write down a decided message with its incident and actions, and commit."""
        decision, now = settlement.decision, self._database.clock.now()
        message = decision.message
        community = await self._database.keys.of(message.community)
        async with self._database.write() as connection:
            last = select(func.coalesce(func.max(messages.c.id), 0) + 1)
            row = await connection.execute(
                insert(messages)
                .values(
                    id=last.scalar_subquery(),
                    platform=message.ref.platform,
                    community=community,
                    channel=message.ref.channel_id,
                    message=message.ref.message_id,
                    revision=message.ref.revision,
                    author_hash=self._database.sealing.member_hash(community, message.author.id),
                    kind=message.kind.value,
                    sent_at=message.sent_at,
                    settled_at=now,
                )
                .returning(messages.c.id)
            )
            if not decision.is_incident:
                return
            incident = await connection.execute(
                insert(incidents)
                .values(
                    message=row.scalar_one(),
                    community=community,
                    author=message.author.id,
                    body=codec.write_body(message),
                    rule=decision.rule,
                    decided_at=settlement.decided_at,
                    decision=codec.write_decision(decision),
                )
                .returning(incidents.c.id)
            )
            number = incident.scalar_one()
            for position, action in enumerate(decision.actions):
                await connection.execute(
                    insert(actions).values(
                        incident=number,
                        position=position,
                        platform=message.ref.platform,
                        community=community,
                        kind=action.kind,
                        protects=action.protects,
                        args=codec.write_action(action),
                        state="done",
                        attempts=1,
                        planned_at=now,
                        finished_at=now,
                    )
                )
