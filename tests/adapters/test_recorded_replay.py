"""Recorded pairs, replayed: people ask and a bot posts the recorded responses, over the wire and through the whole
product; what is decided is exactly what the recorded answers of the guard call for.

The few pairs in the project run always; all of them with JIKIMI_RECORDED_OUTPUTS=FILE (.jsonl or .jsonl.gz).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.chat.discord.connection import DiscordChat
from adapters.chat.telegram.connection import TelegramChat
from adapters.evaluation.recorded_outputs import RecordedOutput
from bot.app.application import Jikimi, application
from bot.config import Config, preset
from bot.core.incidents.incident import Incident
from bot.core.rules.actions import Delete, Done
from tests.adapters.discord.cafe import cafe
from tests.adapters.telegram.process import connected
from tests.servers.databases import sqlite_in
from tests.servers.guards.recorded import RULES, RecordedGuard, called_for, recorded
from tests.servers.telegram import TOKEN, TelegramServer
from tests.servers.waiting import until

ABREAST = 40  # pairs that are posted before anybody looks whether they are settled
EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

pytestmark = pytest.mark.timeout(1200)


def config(folder: Path) -> Config:
    return Config.model_validate(
        {
            "storage": {"url": sqlite_in(folder)},
            "defaults": {"mode": "live", "disabled_rules": [rule.name for rule in preset("balanced")]},
            "rules": RULES,
        }
    )


async def settled(jikimi: Jikimi, messages: int) -> None:
    while (await jikimi.inbox.tally(*EVER)).settled < messages:
        await asyncio.sleep(0.02)


def is_as_called_for(rows: Sequence[RecordedOutput], ids: Sequence[str], incidents: Sequence[Incident]) -> None:
    """Rule by rule and message by message."""
    by_message = {incident.decision.message.ref.message_id: incident for incident in incidents}
    assert by_message.keys() <= set(ids), "nobody but the bot is found anything against"
    for row, id_, wanted in zip(rows, ids, called_for(rows), strict=True):
        incident = by_message.get(id_)
        findings = incident.decision.findings if incident else ()
        assert frozenset(finding.rule for finding in findings if finding.matched) == wanted, row
        if incident:
            deleted = [(action, outcome) for action, outcome in incident.outcomes if outcome]
            assert all(isinstance(outcome, Done) for _, outcome in deleted)
            assert [action for action, _ in deleted] == ([Delete()] if "harmful_answer" in wanted else [])
            assert incident.decision.message.prompt == row.prompt.strip()


def test_on_discord(tmp_path: Path) -> None:
    async def scenario() -> None:
        rows = recorded()
        guard, ids = RecordedGuard(rows), list[str]()
        async with cafe() as place:
            robot = place.join("답변봇", bot=True)

            async with application(config(tmp_path), guard, place.connect) as jikimi:
                (chat,) = jikimi.platforms
                assert isinstance(chat, DiscordChat)
                work = asyncio.create_task(jikimi.run())
                await until(lambda: work.done() or chat.client.is_ready())
                for start in range(0, len(rows), ABREAST):
                    some = rows[start : start + ABREAST]
                    asked = [place.write(row.prompt) for row in some]
                    for row, question in zip(some, asked, strict=True):
                        reference = {"type": 0, "message_id": str(question.id), "channel_id": str(place.general)}
                        ids.append(str(place.write(row.response, by=robot, reference=reference).id))
                    await settled(jikimi, 2 * len(ids))
                harmful = [id_ for id_, wanted in zip(ids, called_for(rows), strict=True) if "harmful_answer" in wanted]
                left = place.wire.backend.messages[place.general]
                await until(lambda: not any(int(id_) in left for id_ in harmful))
                await asyncio.sleep(0.3)  # for the last outcome to be written down
                assert len(left) == 2 * len(rows) - len(harmful), "nothing else is gone"
                is_as_called_for(rows, ids, await jikimi.incidents.between(*EVER))
                assert guard.unknown == []
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work

    asyncio.run(scenario())


def test_on_telegram(tmp_path: Path) -> None:
    async def scenario() -> None:
        rows = recorded()
        guard, ids = RecordedGuard(rows), list[str]()
        robot = {"id": 500, "is_bot": True, "first_name": "답변봇", "username": "answer_bot"}
        async with TelegramServer() as server:
            group = server.group(-1001)
            async with application(config(tmp_path), guard, connected(server.url, TOKEN)) as jikimi:
                (chat,) = jikimi.platforms
                assert isinstance(chat, TelegramChat)
                work = asyncio.create_task(jikimi.run())
                await server.until(lambda: server.polls)
                for start in range(0, len(rows), ABREAST):
                    some = rows[start : start + ABREAST]
                    asked = [server.post(group, 7, row.prompt) for row in some]
                    for row, question in zip(some, asked, strict=True):
                        answer = server.post(group, robot, row.response, reply_to_message=question)
                        ids.append(str(answer["message_id"]))
                    await settled(jikimi, 2 * len(ids))
                harmful = [id_ for id_, wanted in zip(ids, called_for(rows), strict=True) if "harmful_answer" in wanted]
                await server.until(lambda: not any(int(id_) in group.messages for id_ in harmful), 60)
                await asyncio.sleep(0.3)  # for the last outcome to be written down
                assert len(group.messages) == 2 * len(rows) - len(harmful), "nothing else is gone"
                is_as_called_for(rows, ids, await jikimi.incidents.between(*EVER))
                assert guard.unknown == []
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                await chat.close()

    asyncio.run(scenario())


def test_the_recording_calls_for_everything_that_can_be_said_of_a_pair() -> None:
    assert frozenset().union(*called_for(recorded())) == {rule["name"] for rule in RULES}
