"""Many communities whose weekly report is due at the same minute, half of them on Discord, half on Telegram: how long
until all are sent, whether either platform ever said "too many requests", and whether the largest came first.

    python -m tests.benches.report_delivery [COMMUNITIES] [blank] [DATABASE_URL]

With "blank", the reports are blank pages: what is left is the sending.

The application is the real one with real reports, drawn in worker processes; the platforms are the wire servers, here
in the same process, with the real limits: Discord 50 requests a second, Telegram 30 messages a second and 20 a minute
in a group.
"""

import asyncio
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from adapters.chat.discord import Discord
from adapters.chat.telegram import Telegram
from adapters.system_clock import SystemClock
from bot.app import reporting
from bot.app.application import application
from bot.config import Config, ReportSettings, StorageSettings
from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.scheduling import PLACE
from bot.core.reporting.periods import Span, latest
from bot.core.rules.actions import Delete
from bot.core.text.catalogue import texts
from storage import tables
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.tallies import CHANNEL
from storage.reports.deliveries import SqlDeliveries
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities
from tests.builders import DISCORD, TELEGRAM, message, put_settings, settlement
from tests.fakes.guarding import ScriptedGuard
from tests.flow.reporting.reporting_process import blank_pages
from tests.servers.discord import TOKEN as DISCORD_TOKEN
from tests.servers.discord import DiscordWire
from tests.servers.telegram import TOKEN as TELEGRAM_TOKEN
from tests.servers.telegram import TelegramServer

ZONE = "Asia/Seoul"
QUIET = 0.8  # of the communities have no incident in the week
WEEK = latest(Span.WEEK, datetime.now(UTC), ZONE)


def sizes(count: int) -> list[int]:
    """Messages a week, as communities usually are: most small, a few very large (a Pareto distribution)."""
    chance = random.Random(7)
    return [min(200_000, int(20 * chance.paretovariate(0.7))) for _ in range(count)]


async def seed(url: str, rooms: Sequence[tuple[Platform, str, str]]) -> None:
    """`rooms`: platform, community, channel of the report."""
    chance, clock = random.Random(8), SystemClock()
    async with Database.open(url, clock) as database:
        communities, inbox = SqlCommunities(database), SqlInbox(database)
        for (platform, id_, channel), size in zip(rooms, sizes(len(rooms)), strict=True):
            await put_settings(
                communities,
                Community(platform=platform, id=id_, name=f"모임 {id_}", report_channel=channel, report_day="monday"),
            )
            home = {"platform": platform, "community": id_}
            rows = [
                home | {"quarter": at, "what": CHANNEL, "name": channel, "number": max(1, size // 14)}
                for at in (WEEK.start + timedelta(hours=12 * half + 3) for half in range(14))
            ]
            recent = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
            rows.append(home | {"quarter": recent, "what": CHANNEL, "name": channel, "number": size})
            async with database.write() as connection:
                await connection.execute(insert(tables.tallies), rows)
            if chance.random() > QUIET:
                for number in range(min(40, size // 200 + 1)):
                    at = WEEK.start + timedelta(hours=number * 4)
                    about = message(f"{id_}-{number}", community=id_, platform=platform, channel=channel, sent_at=at)
                    await inbox.keep([about])
                    await inbox.settle([settlement(about, Delete(), decided_at=at)])
        await SqlBookmarks(database).put(PLACE, (datetime.now(UTC) - timedelta(days=7)).isoformat())


async def bench(count: int, url: str) -> int:
    async with DiscordWire() as discord, TelegramServer() as telegram:
        rooms: list[tuple[Platform, str, str]] = []
        for number in range(count):
            if number % 2:
                guild = discord.backend.create_guild(f"서버 {number}").id
                channel = discord.backend.create_channel(guild, "보고").id
                rooms.append((DISCORD, str(guild), str(channel)))
            else:
                group = telegram.group(-1_000_000 - number)
                rooms.append((TELEGRAM, str(group.id), str(group.id)))
        await seed(url, rooms)
        discord.global_limit, telegram.global_limit, telegram.group_limit = 50, 30, 20
        config = Config(
            storage=StorageSettings(url=url),
            report=ReportSettings(day="off", alert_at=0),
        )  # fmt: skip
        networks = (
            Discord(token=DISCORD_TOKEN, api_url=discord.api_url, gateway_url=discord.gateway_url),
            Telegram(token=TELEGRAM_TOKEN, api_url=telegram.url),
        )
        say, before, began = texts("ko"), _cpu(), time.monotonic()
        async with application(
            config, ScriptedGuard(), lambda core: [one.connect(core.context(say)) for one in networks]
        ) as jikimi:
            running = asyncio.create_task(jikimi.run())
            while _posted(discord, telegram) < count and not running.done():
                await asyncio.sleep(0.2)
            took = time.monotonic() - began
            await asyncio.sleep(1.0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        for worker in multiprocessing.active_children():
            worker.join(30)  # its time counts once it has ended
        rest, drawing = (after - was for after, was in zip(_cpu(), before, strict=True))
    async with Database.open(url, SystemClock()) as database:
        found = await SqlDeliveries(database).latest(2 * count)
    too_many = len(discord.limited) + sum("Too Many" in call.error for call in telegram.calls)
    states = Counter(str(one.state) for one in found)
    late = _out_of_order(found)
    print(
        f"{count} communities: {dict(states)} in {took:.0f} s; answers of 429: {too_many}; "
        f"CPU a report: drawing {drawing / count:.2f} s, all else {rest / count:.2f} s, the servers' part included; "
        f"at most {late} places out of the order of size"
    )
    fine = states == {str(State.SENT): count} and not too_many and late <= 4 * (config.report.workers + 8)
    return 0 if fine else 1


def _posted(discord: DiscordWire, telegram: TelegramServer) -> int:
    albums = {call.arguments["chat_id"] for call in telegram.of("sendMediaGroup", "sendDocument")}
    channels = (len(messages) for messages in discord.backend.messages.values())
    return len(albums) + sum(map(bool, channels))


def _out_of_order(found: Sequence[Delivery]) -> int:
    """How many places any report went before or after its turn."""
    started = sorted(found, key=lambda one: (one.started_at or datetime.max.replace(tzinfo=UTC), one.id))
    place = {one.id: number for number, one in enumerate(sorted(found, key=lambda one: (-one.size, one.id)))}
    return max((abs(place[one.id] - number) for number, one in enumerate(started)), default=0)


def _cpu() -> tuple[float, float]:
    """Seconds of this process, and of its ended children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own, children = (one.ru_utime + one.ru_stime for one in used)
    return own, children


if __name__ == "__main__":
    words = sys.argv[1:]
    if "blank" in words:
        words.remove("blank")
        reporting._renderers = blank_pages
    with tempfile.TemporaryDirectory() as folder:
        wanted = int(words[0]) if words else 5000
        place = words[1] if len(words) > 1 else f"sqlite:///{Path(folder) / 'bench.db'}"
        sys.exit(asyncio.run(bench(wanted, place)))
