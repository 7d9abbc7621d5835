"""How large communities are, which says whose report goes first, on both databases."""

import asyncio
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.reports.chronicle import SqlChronicle
from tests.builders import NOW, message, settlement
from tests.fakes import ManualClock

_numbers = count(1)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_settled_messages_of_the_time_are_counted(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jikimi.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").create(f"sizes_{next(_numbers)}")

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            inbox, chronicle = SqlInbox(database), SqlChronicle(database)
            said = [
                message(f"{community}-{n}", community=community) for community, n in zip("aab", range(3), strict=True)
            ]
            said.append(message("old", community="c", sent_at=NOW - timedelta(days=8)))
            await inbox.keep(said)
            await inbox.settle([settlement(one) for one in said])
            assert await chronicle.sizes(NOW - timedelta(days=7), NOW + timedelta(hours=1)) == {"a": 2, "b": 1}
            assert await chronicle.sizes(NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == {}

    asyncio.run(scenario())
