"""`jikimi run` as a process of its own on Discord: killed at any moment, it leaves nothing unjudged."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.keyring import Keyring, master_key
from adapters.system_clock import SystemClock
from bot.core.communities.community import Community
from storage.database import Database
from storage.records.incidents import SqlIncidents
from storage.settings.communities import SqlCommunities
from tests.adapters.discord.cafe import Cafe, cafe
from tests.adapters.discord.test_flow import EVER
from tests.builders import DISCORD, put_settings
from tests.servers.command import typed
from tests.servers.databases import sqlite_in
from tests.servers.discord import TOKEN
from tests.servers.forks import Fork
from tests.servers.waiting import until

pytestmark = pytest.mark.course


async def prepared(place: Cafe, folder: Path) -> Path:
    """A configuration file, and a database in which the server has its moderators' channel."""
    async with Database.open(sqlite_in(folder), SystemClock()) as database:
        await put_settings(
            SqlCommunities(database),
            Community(
                platform=DISCORD,
                id=str(place.guild),
                moderators_channel=str(place.mods),
                shadow=frozenset({"flood-messages"}),  # the load is one
            ),
        )
    config = folder / "config.toml"
    config.write_text(
        f"""
        [storage]
        url = "{sqlite_in(folder)}"
        [defaults]
        mode = "live"
        [discord]
        token = "{TOKEN}"
        api_url = "{place.wire.api_url}"
        gateway_url = "{place.wire.gateway_url}"
        [[rules]]
        name = "banned-word"
        when.text = {{ any_of = ["금지어"] }}
        then = ["delete", "flag"]
        """
    )
    return config


def begin(config: Path) -> Fork:
    return Fork(typed, "run", "--config", str(config))


def test_killed_twice_under_load_nothing_is_missed_and_moderators_are_told_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, AsyncExitStack() as processes:
            config = await prepared(place, tmp_path)
            authors = [place.join(f"회원 {number}") for number in range(5)]
            process = processes.enter_context(begin(config))
            await until(lambda: place.wire.identified == 1, 60)
            await asyncio.sleep(3)
            for number in range(600):  # a hundred a second, every tenth harmful
                text = f"금지어 {number}" if number % 10 == 0 else f"좋은 말 {number}"
                place.write(text, by=authors[number // 10 % 5])
                if number in (150, 350):
                    process.send(signal.SIGKILL)
                    await process.ended()
                if number in (200, 400):
                    process = processes.enter_context(begin(config))
                await asyncio.sleep(0.01)
            written = place.wire.backend.messages[place.general]
            await until(lambda: not any("금지어" in m.content for m in written.values()), 60)
            assert len(written) == 540
            folded = await told(place, 60)
            process.send(signal.SIGTERM)
            assert await process.ended() in (0, -signal.SIGALRM)  # a machine may be busy: then it ends itself
            keys = tmp_path / "jikimi-keys"  # beside the configuration
            keyring = Keyring(keys, master_key(keys, {}), SystemClock())
            async with Database.open(sqlite_in(tmp_path), SystemClock(), keyring) as database:
                found = await SqlIncidents(database).between(*EVER)
            harm = [one for one in found if "금지어" in one.decision.message.text]
            assert len(harm) == 60
            assert sorted(folded) == sorted(one.case for one in harm)

    asyncio.run(scenario())


async def told(place: Cafe, count: int) -> list[int]:
    """The incidents that the cards in the moderators' channel name, once there are so many."""

    def named() -> list[int]:
        posted = place.wire.backend.messages[place.mods].values()  # cards, and the alert that so many are a burst
        footers = [card.embeds[0]["footer"]["text"] for card in posted if card.embeds]
        return [int(word.removeprefix("#")) for footer in footers for word in footer.split(" · ")]

    await until(lambda: len(named()) >= count, 90)
    await asyncio.sleep(2)
    return named()
