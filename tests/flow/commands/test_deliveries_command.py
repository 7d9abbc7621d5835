"""`jikimi deliveries`: what came of every report, for whoever runs the bot."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.system_clock import SystemClock
from bot.cli.reporting.deliveries import deliveries
from bot.config import Config, StorageSettings
from bot.core.chat.message import CommunityRef
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.reports.deliveries import SqlDeliveries
from tests.builders import DISCORD
from tests.servers.databases import sqlite_in

DUE = datetime(2026, 11, 23, tzinfo=UTC)


def test_what_was_sent_failed_and_skipped_is_listed_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)))

    async def scenario() -> None:
        await deliveries(config, texts("ko"), community=None, limit=9, as_json=False)
        assert "아직 보낸 보고서가 없습니다" in capsys.readouterr().out
        async with Database.open(config.storage.url, SystemClock()) as database:
            store = SqlDeliveries(database)
            planned = [
                Delivery(community=CommunityRef(DISCORD, id_), kind=Kind.WEEK, period="2026-W47", due=DUE)
                for id_ in ("1", "2", "3")
            ]
            await store.plan(planned)
            first, second, _ = await store.claim(3, now=DUE, platforms=[DISCORD])
            await store.record(first.id, State.SENT, receipt="5/6")
            await store.record(second.id, State.SKIPPED, reason="nowhere")
        await deliveries(config, texts("ko"), community=None, limit=9, as_json=False)
        third, skipped, sent = capsys.readouterr().out.splitlines()
        assert "예정" in third and "건너뜀" in skipped and "채널도 정해지지 않음" in skipped and "보냄" in sent
        await deliveries(config, texts("en"), community="1", limit=9, as_json=True)
        (row,) = json.loads(capsys.readouterr().out)["deliveries"]
        assert (row["period"], row["state"], row["receipt"], row["kind"]) == ("2026-W47", "sent", "5/6", "week")

    asyncio.run(scenario())
