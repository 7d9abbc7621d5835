"""Discord's limits at full length: a flood of deletions, and an hour to catch up on in many servers.

    python -m tests.courses.discord_limits deletes [SECONDS] [DELETIONS A SECOND]
    python -m tests.courses.discord_limits catch-up [SERVERS] [CHANNELS SPOKEN IN] [MESSAGES IN EACH]

Every request takes 50 ms, 50 a second are let through, and the buckets are those that people have observed.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.base.errors import Unavailable
from bot.core.rules.actions import Delete, Done
from tests.adapters.discord.cafe import Cafe, cafe, listening
from tests.builders import DISCORD
from tests.servers.discord import BUCKETS, DiscordWire

LATENCY, GLOBAL_LIMIT = 0.05, 50
CHANNELS, AT_ONCE = 200, 256
OF_A_SERVER, HARMFUL_EVERY = 30, 50
PATIENCE = 900.0  # seconds


def as_the_real_one(wire: DiscordWire) -> None:
    wire.buckets, wire.global_limit, wire.latency = BUCKETS, GLOBAL_LIMIT, LATENCY


async def deletes(seconds: int, rate: int) -> None:
    """Single deletions over many channels, asked for faster than Discord takes them."""
    async with cafe() as place, listening(place) as heard:
        channels = [place.wire.backend.create_channel(place.guild, f"방 {number}").id for number in range(CHANNELS)]
        for number in range(seconds * rate):
            place.write(f"나쁜 말 {number}", channel=channels[number % CHANNELS])
        messages = heard.messages
        while len(messages) < seconds * rate:
            await asyncio.sleep(0.1)
        as_the_real_one(place.wire)
        place.wire.calls.clear()
        slots, outcomes, done_at = asyncio.Semaphore(AT_ONCE), Counter[str](), list[float]()
        began = time.monotonic()

        async def ask(number: int) -> None:
            async with slots:
                try:
                    outcome = await heard.chat.perform(place.planned(Delete(), messages[number]))
                    outcomes[outcome.kind] += 1
                    if outcome == Done():
                        done_at.append(time.monotonic() - began)
                except Unavailable as error:
                    outcomes[str(error)] += 1

        asked = []
        for number in range(seconds * rate):
            asked.append(asyncio.create_task(ask(number)))
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        within = sum(at <= seconds for at in done_at)
        print(
            f"{rate} deletions a second asked for, {seconds} s long: {within / seconds:.1f} a second done, "
            f"{len(place.wire.limited)} answers of 429, {dict(outcomes)}",
            flush=True,
        )
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def catch_up(servers: int, spoken_in: int, said: int) -> None:
    """The product, a process of its own, comes back after an hour; every HARMFUL_EVERYth message is harmful."""
    async with cafe() as place:
        wire, backend = place.wire, place.wire.backend
        wire.clock.advance(-3000)
        rooms: list[tuple[int, int]] = []
        moderators = {place.guild: place.mods}  # by server
        for server in range(servers):
            guild = backend.create_guild(f"서버 {server}").id
            who = backend.make_user(f"회원 {server}").id
            backend.add_member(guild, who, announce=False)
            made = [backend.create_channel(guild, f"방 {number}").id for number in range(OF_A_SERVER)]
            rooms += [(channel, who) for channel in made[:spoken_in]]
            moderators[guild] = made[-1]
        harmful: set[int] = set()
        for number in range(said):
            for nth, (channel, who) in enumerate(rooms):
                bad = (7 * nth + 13 * number) % HARMFUL_EVERY == 0
                message = backend.create_message(channel, who, f"{'나쁜' if bad else '좋은'} 말 {number}")
                if bad:
                    harmful.add(message.id)
        wire.clock.elapsed = 0.0
        for one in backend.guilds.values():
            one.members[place.me].joined_at = "2020-01-01T00:00:00+00:00"
        as_the_real_one(wire)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "servers").write_text(json.dumps(moderators), "utf-8")
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "ignore", "-m", "tests.courses.discord_limits", "product",
                folder, wire.api_url, wire.gateway_url,
            )  # fmt: skip
            try:
                await _watch(place, harmful, len(rooms) * said)
            finally:
                process.kill()
                await process.wait()


async def _watch(place: Cafe, harmful: set[int], said: int) -> None:
    wire = place.wire
    while not wire.identified:  # another process
        await asyncio.sleep(0.05)
    began, left, live = time.monotonic(), set(harmful), list[tuple[int, float]]()
    gone: list[float] = []
    delays: list[float] = []
    looked_at = 0
    while left and time.monotonic() - began < PATIENCE:
        await asyncio.sleep(0.5)
        if len(live) < 200 and time.monotonic() - began > 5:  # somebody speaks while the rest is read
            live.append((place.write(f"나쁜 말 {len(live)}").id, time.monotonic()))
        for call in wire.calls[looked_at:]:
            ids = call.body["messages"] if call.path.endswith("/bulk-delete") else [call.path.rpartition("/")[2]]
            if call.method == "DELETE" or call.path.endswith("/bulk-delete"):
                for id_ in map(int, ids):
                    if id_ in left:
                        left.discard(id_)
                        gone.append(call.at - began)
                    delays += [call.at - at for message, at in live if message == id_]
        looked_at = len(wire.calls)
    cards = sum(call.method == "POST" and call.path.endswith("/messages") for call in wire.calls)
    pages = sum(call.method == "GET" and call.path.endswith("/messages") for call in wire.calls)
    members = sum(call.method == "GET" and "/members/" in call.path for call in wire.calls)
    gone.sort()
    delays.sort()
    print(
        f"{said} messages in {len(place.wire.backend.guilds)} servers, {len(harmful)} of them harmful: "
        f"{len(gone)} deleted after {gone[len(gone) // 2]:.0f} s (median) and {gone[-1]:.0f} s (last); "
        f"{pages} pages, {members} members, {cards} cards, {wire.members_asked} questions over the gateway, "
        f"{len(wire.limited)} answers of 429; {len(delays)} live ones deleted after "
        f"{[*delays, 0.0][len(delays) // 2]:.1f} s (median) and {max(delays, default=0.0):.1f} s (last)",
        flush=True,
    )


async def product(folder: str, api_url: str, gateway_url: str) -> None:
    from collections.abc import Sequence

    from adapters.chat.discord.connection import DiscordChat
    from bot.app.application import application
    from bot.app.parts import Core
    from bot.config import Config, preset
    from bot.core.communities.community import Community
    from bot.core.rules.policy import Watch
    from bot.core.text.catalogue import texts
    from tests.adapters.discord.test_flow import RULE, Ears
    from tests.builders import put_settings
    from tests.servers.discord import TOKEN

    cores: list[Core] = []

    def connect(core: Core) -> Sequence[DiscordChat]:
        cores.append(core)
        return [
            DiscordChat(
                TOKEN, desk=core.desk, bookmarks=core.bookmarks, clock=core.clock, say=texts("ko"),
                api_url=api_url, gateway_url=gateway_url,
            )
        ]  # fmt: skip

    config = Config.model_validate(
        {
            "storage": {"url": f"sqlite:///{Path(folder) / 'db'}"},
            "defaults": {"mode": "live", "disabled_rules": [rule.name for rule in preset("balanced")]},
            "rules": [RULE],
        }
    )
    async with application(config, Ears(), connect) as jikimi:
        for guild, mods in json.loads((Path(folder) / "servers").read_text("utf-8")).items():
            settings = Community(platform=DISCORD, id=guild, moderators_channel=str(mods), mode=Watch.LIVE)
            await put_settings(cores[0].desk, settings)
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        await cores[0].bookmarks.put("discord all", hour_ago.isoformat())
        await jikimi.run()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["deletes", *numbers]:
            seconds, rate = [*map(int, numbers), *(60, 100)[len(numbers) :]]
            asyncio.run(deletes(seconds, rate))
        case ["catch-up", *numbers]:
            servers, spoken_in, said = [*map(int, numbers), *(1000, 3, 20)[len(numbers) :]]
            asyncio.run(catch_up(servers, spoken_in, said))
        case ["product", *places]:
            asyncio.run(product(*places))
        case _:
            print(__doc__)
