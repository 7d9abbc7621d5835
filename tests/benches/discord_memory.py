"""How much memory servers take: our Discord connection, a process of its own, in ever more servers of the test server.

python -m tests.benches.discord_memory [SERVERS]
"""

import asyncio
import sys
from pathlib import Path

CHANNELS, ROLES = 30, 20  # of each server


async def connection(api_url: str, gateway_url: str) -> None:
    """What `jikimi run` keeps in memory of Discord, without a guard and a database beside it."""
    from adapters.chat.discord.connection import DiscordChat
    from adapters.system_clock import SystemClock
    from bot.core.text.catalogue import texts
    from tests.fakes.chat import MemoryBookmarks
    from tests.fakes.moderators import ScriptedDesk
    from tests.servers.discord import TOKEN

    chat = DiscordChat(
        TOKEN, desk=ScriptedDesk(), bookmarks=MemoryBookmarks(), clock=SystemClock(),
        say=texts("ko"), api_url=api_url, gateway_url=gateway_url,
    )  # fmt: skip

    async def tell() -> None:
        await asyncio.sleep(1)
        while not chat.client.is_ready():  # discord.py
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        print(len(chat.client.guilds), _resident(), flush=True)

    telling = asyncio.create_task(tell())
    async for _ in chat.messages():
        pass
    await telling


def _resident() -> int:
    """Bytes of this process in memory (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


async def measure(servers: int) -> tuple[int, int]:
    """How many servers the process knew, and its memory in bytes."""
    from tests.servers.discord import DiscordWire

    async with DiscordWire() as wire:
        for number in range(servers):
            guild = wire.backend.create_guild(f"서버 {number}").id
            for nth in range(ROLES):
                wire.backend.create_role(guild, f"역할 {nth}")
            for nth in range(CHANNELS):
                wire.backend.create_channel(guild, f"채널 {nth}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "tests.benches.discord_memory", wire.api_url, wire.gateway_url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout
        known, memory = map(int, (await process.stdout.readline()).split())
        process.kill()
        await process.wait()
        return known, memory


async def both(servers: int) -> None:
    few, least = await measure(1)
    many, most = await measure(servers)
    each = (most - least) / (many - few)
    print(f"{few} server: {least / 2**20:.0f} MiB; {many} servers of {CHANNELS} channels and {ROLES} roles: ", end="")
    print(f"{most / 2**20:.0f} MiB; each further 1,000 servers: {each * 1000 / 2**20:.0f} MiB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [api_url, gateway_url]:
            asyncio.run(connection(api_url, gateway_url))
        case numbers:
            asyncio.run(both(int(numbers[0]) if numbers else 1000))
