"""From MESSAGE_CREATE to our DELETE, measured: our application with the shipped guard and with its n-grams alone, a
naive on_message bot with the shipped guard, each a process of its own over the same server and messages; then 60 of the
harmful ones in one channel at once.

    python -m tests.benches.discord [SECONDS] [MESSAGES A SECOND]
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benches.telegram import FINE, HARM, quantile
from tests.builders import DISCORD, put_settings

if TYPE_CHECKING:
    from tests.adapters.discord.cafe import Cafe

CHANNELS = 20
BURST = 60


async def jikimi(database: str, api_url: str, gateway_url: str, guild: str, mods: str, *, encoder: bool) -> None:
    from collections.abc import Sequence

    from adapters.chat.discord.connection import DiscordChat
    from adapters.guards.embedded import KindsGuard
    from bot.app.application import application
    from bot.app.parts import Core
    from bot.config import Config, StorageSettings
    from bot.core.communities.community import Community
    from bot.core.moderators.ports import Desk
    from bot.core.rules.policy import Watch
    from bot.core.text.catalogue import texts
    from tests.servers.discord import TOKEN

    desks: list[Desk] = []

    def connect(core: Core) -> Sequence[DiscordChat]:
        desks.append(core.desk)
        return [
            DiscordChat(
                TOKEN, desk=core.desk, bookmarks=core.bookmarks, clock=core.clock, say=texts("ko"),
                api_url=api_url, gateway_url=gateway_url,
            )
        ]  # fmt: skip

    config = Config(storage=StorageSettings(url=database))
    async with application(config, KindsGuard(encoder=encoder), connect, mode=Watch.LIVE) as jikimi:
        await put_settings(desks[0], Community(platform=DISCORD, id=guild, moderators_channel=mods))
        await jikimi.run()


def naive(api_url: str, gateway_url: str) -> None:
    import discord
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    from adapters.guards.embedded import KindsGuard
    from bot.core.guarding.verdict import Exchange, Verdict
    from tests.servers.discord import TOKEN

    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = api_url, yarl.URL(gateway_url)
    guard = KindsGuard()
    client = discord.Client(intents=discord.Intents(guilds=True, guild_messages=True, message_content=True))

    @client.event
    async def on_message(message: discord.Message) -> None:
        (verdict,) = await guard.judge([Exchange(prompt=message.content)])
        if isinstance(verdict, Verdict) and (verdict.harm or 0) >= 0.9:
            await message.delete()

    client.run(TOKEN, log_handler=None)


@dataclass(frozen=True, slots=True)
class Measured:
    p99: float  # milliseconds from message to DELETE
    burst: float  # seconds until BURST messages of one channel are gone


async def measure(name: str, seconds: int, rate: int) -> Measured:
    from tests.adapters.discord.cafe import cafe

    async with cafe() as place:
        wire, backend = place.wire, place.wire.backend
        channels = [backend.create_channel(place.guild, f"방 {number}").id for number in range(CHANNELS)]
        people = [place.join(f"회원 {number}") for number in range(200)]
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "ignore", "-m", "tests.benches.discord", name,
                f"sqlite:///{Path(folder) / 'b.db'}", wire.api_url, wire.gateway_url, str(place.guild), str(place.mods),
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            while not wire.identified:  # another process
                await asyncio.sleep(0.05)
            await asyncio.sleep(3)
            sent: dict[int, float] = {}
            began = time.monotonic()
            for number in range(seconds * rate):
                harmful = number % 10 == 0
                text = f"{(HARM if harmful else FINE)[number % 3]} {number}"
                # Whoever posts something harmful twice is on cooldown, not let off: the deletion comes every time.
                written = place.write(text, by=people[number % 200], channel=channels[number // 10 % CHANNELS])
                if harmful:
                    sent[written.id] = time.monotonic()
                await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
            took = time.monotonic() - began
            await asyncio.sleep(5)
            delays = []
            for call in [*wire.made("DELETE", "/messages/"), *wire.made("POST", "/bulk-delete")]:
                ids = call.body["messages"] if call.body else [call.path.rpartition("/")[2]]
                delays += [(call.at - sent.pop(int(id_))) * 1000 for id_ in ids if int(id_) in sent]
            delays.sort()
            burst = await _burst(place)
            process.kill()
            await process.wait()
    p99 = quantile(delays, 0.99)
    print(
        f"{name:7} {len(delays)} of {len(delays) + len(sent)} deleted, {seconds * rate / took:.0f} messages/s; "
        f"message to DELETE in ms: p50 {quantile(delays, 0.5):.0f}, p99 {p99:.0f}, "
        f"worst {delays[-1] if delays else 0:.0f}; {BURST} harmful ones in one channel gone after {burst:.1f} s",
        flush=True,
    )
    return Measured(p99, burst)


async def _burst(place: "Cafe") -> float:
    """Seconds from the first of them to the last one's end, with five single deletes a second as Discord sets them."""
    from tests.servers.discord import BUCKETS

    place.wire.buckets = BUCKETS
    began = time.monotonic()
    for number in range(BURST):
        place.write(f"{HARM[number % 3]} {number}", by=place.minji)
        await asyncio.sleep(1 / BURST)
    while place.wire.backend.messages[place.general] and time.monotonic() - began < 60:
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def both(seconds: int, rate: int) -> None:
    ours, _, theirs = [await measure(name, seconds, rate) for name in ("jikimi", "ngrams", "naive")]
    print(f"naive / jikimi: p99 {theirs.p99 / ours.p99:.2f}, burst {theirs.burst / ours.burst:.1f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [("jikimi" | "ngrams") as name, database, api_url, gateway_url, guild, mods]:
            asyncio.run(jikimi(database, api_url, gateway_url, guild, mods, encoder=name == "jikimi"))
        case ["naive", _, api_url, gateway_url, _, _]:
            naive(api_url, gateway_url)
        case numbers:
            seconds, rate, *_ = [*map(int, numbers), *(20, 200)[len(numbers) :]]
            asyncio.run(both(seconds, rate))
