"""Processes with roles of their own over both networks: what one leaves undone when it is killed is done by another."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.chaos import audit
from tests.chaos.__main__ import done
from tests.chaos.world import World, world

ROLES = ["chat", "guard", "guard", "act", "act", "report"]
BURST = 60  # harmful messages at once, on each network


async def burst(here: World, begin: int) -> None:
    """Returns in the middle of what is done about it."""
    for number in range(begin, begin + BURST):
        for network in here.places:
            here.write(network, f"나쁜 말 {number}", number % 8)
    async with asyncio.timeout(60):
        while not await here.ask(f"SELECT 1 FROM actions WHERE finished_at IS NOT NULL OFFSET {begin * 2 + 5} LIMIT 1"):
            await asyncio.sleep(0.01)


@pytest.mark.long
def test_who_acts_is_killed_in_a_burst_of_deletions_and_all_is_done_once_within_what_networks_take(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with world(tmp_path, ROLES) as here:
            await here.crew.begin()
            try:
                for worker in here.crew.workers:
                    assert await here.crew.working(worker, 120.0), worker.log.read_text("utf-8")[-2000:]
                async with asyncio.timeout(60):
                    while len(await here.ask("SELECT DISTINCT holder FROM shares WHERE work = 'act/discord'")) < 3:
                        await asyncio.sleep(0.1)
                for number, role in enumerate(ROLES):
                    if role == "act":
                        await burst(here, (number - 3) * BURST)
                        here.crew.workers[number].send(signal.SIGKILL)
                assert await done(here)
            finally:
                codes = await here.crew.end()
            assert -signal.SIGKILL not in codes, "every process ends when it is asked to"
            for name, seen in (await audit.seen(here)).items():
                assert list(audit.problems(seen)) == [], name
                assert len(seen.written) == 2 * BURST and not set(seen.written) & set(seen.left)
            for place in here.places.values():
                twice = [one for one in place.deletions() if one.had_gone]
                assert len(twice) <= 2 * 16, "no more than was in hand when its process died"
            limited = [call for call in here.server.calls if "Too Many" in call.error]
            assert len(here.wire.limited) + len(limited) <= 4, (here.wire.limited, limited)

    asyncio.run(scenario())
