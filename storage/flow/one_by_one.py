"""One decision, one transaction: how one writes it first. Only `jikimi bench flow` uses it, to have a measure."""

from sqlalchemy import insert

from bot.core.incidents.incident import Settlement
from storage import codec
from storage.community_key import community_columns
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
        async with self._database.write() as connection:
            row = await connection.execute(
                insert(messages)
                .values(
                    **community_columns(message.community),
                    channel=message.ref.channel_id,
                    message=message.ref.message_id,
                    revision=message.ref.revision,
                    author=message.author.id,
                    kind=message.kind.value,
                    sent_at=message.sent_at,
                    kept_at=now,
                    settled_at=now,
                    body=codec.write_body(message) if decision.is_incident else None,
                )
                .returning(messages.c.id)
            )
            if not decision.is_incident:
                return
            incident = await connection.execute(
                insert(incidents)
                .values(
                    message=row.scalar_one(),
                    **community_columns(message.community),
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
                        **community_columns(message.community),
                        kind=action.kind,
                        protects=action.protects,
                        args=codec.write_action(action),
                        state="done",
                        attempts=1,
                        planned_at=now,
                        finished_at=now,
                    )
                )
