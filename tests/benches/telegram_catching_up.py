"""Catching up, measured: what waits at Telegram is taken in by our application, beside a bare getUpdates loop that only
reads it, in the same run over the same wire server, which throttles as the real one does.

    python -m tests.benches.telegram_catching_up [UPDATES] [ROUND TRIP, MILLISECONDS]

2 % of the updates are items of albums (the aim: at least 0.8 of the bare loop for 100,000). The embedded guard judges
meanwhile; what is measured is until the last update is confirmed.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.telegram import TOKEN, TelegramServer

ALBUM, ALBUMS_IN = 4, 200  # items in an album; one of them in so many updates: 2 %
CHATS = 20
FINE = ("오늘 점심 뭐 먹을까요?", "내일 모임 몇 시에 시작해요", "사진 감사합니다 😊")


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    polls: int
    repeated: int  # polls that asked for an offset a second time
    updates: int

    @property
    def rate(self) -> float:
        """Updates a second."""
        return self.updates / self.seconds

    def __str__(self) -> str:
        return f"{self.rate:.0f} updates/s, {self.polls} polls, {self.repeated} of them for the same offset"


def fill(server: TelegramServer, count: int) -> None:
    """Messages of many chats that have waited for a while, some of them albums."""
    groups = [server.group(-1001 - number) for number in range(CHATS)]
    sent = time.time() - 3600
    server.allowed_updates = ("message",)
    while len(server.updates) < count:
        number = len(server.updates)
        group = groups[number // 7 % CHATS]
        if number % ALBUMS_IN == 0:
            server.album(group, 7, f"앨범 {number}", *[None] * (ALBUM - 1), group=f"a{number}", date=sent)
        else:
            server.post(group, 100 + number % 300, f"{FINE[number % 3]} {number}", date=sent)


async def bare(api_url: str) -> None:
    """As the documentation of python-telegram-bot begins."""
    from telegram import Bot
    from telegram.request import HTTPXRequest

    bot = Bot(TOKEN, base_url=f"{api_url}/bot", get_updates_request=HTTPXRequest(read_timeout=10.0))
    async with bot:
        offset = 0
        while True:
            updates = await bot.get_updates(offset=offset, limit=100, timeout=5)
            if updates:
                offset = updates[-1].update_id + 1


async def ours(api_url: str, database: str) -> None:
    from tests.benches.telegram import jikimi

    await jikimi(database, api_url, TOKEN, encoder=True)


async def measure(name: str, count: int, round_trip: float) -> Run:
    async with TelegramServer() as server:
        server.round_trip = round_trip
        server.unchecked = {"getUpdates"}  # the server's own work is none of theirs
        fill(server, count)
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.benches.telegram_catching_up", name, server.url,
                f"sqlite:///{Path(folder) / 'b.db'}", stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                await server.until(lambda: server.polls, patience=60)
                began = time.monotonic()
                await server.until(lambda: not server.updates, patience=3600)
                took = time.monotonic() - began
            finally:
                process.kill()
                await process.wait()
        offsets = [call.arguments.get("offset") for call in server.calls if call.method == "getUpdates"]
        busy = offsets[: max(1, len(offsets) - 1)]  # the last ones wait for what is new
        return Run(took, len(busy), len(busy) - len(set(busy)), count)


async def both(count: int, round_trip: float) -> None:
    """In turns, twice, and the better of two: others may be at work on the machine."""
    best: dict[str, Run] = {}
    for name in ("bare", "jikimi") * 2:
        run = await measure(name, count, round_trip)
        print(f"{name:7} {run}", flush=True)
        best[name] = max(run, best.get(name, run), key=lambda run: run.rate)
    print(f"ratio   {best['jikimi'].rate / best['bare'].rate:.2f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", api_url, _]:
            asyncio.run(bare(api_url))
        case ["jikimi", api_url, database]:
            asyncio.run(ours(api_url, database))
        case numbers:
            count, milliseconds = [*map(int, numbers), *(100_000, 100)[len(numbers) :]]
            asyncio.run(both(count, milliseconds / 1000))
