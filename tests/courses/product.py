"""`jikimi run` as a process of its own in a course: what it is configured with, how it starts and stops."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapters.system_clock import SystemClock
from bot.config import preset
from bot.core.communities.community import Community
from storage.database import Database
from storage.settings.communities import SqlCommunities
from tests.builders import put_settings
from tests.servers.discord import TOKEN as DISCORD_TOKEN
from tests.servers.telegram import TOKEN as TELEGRAM_TOKEN


def on_discord(api_url: str, gateway_url: str) -> str:
    """The part of config.toml that connects to it."""
    return f"""
    [discord]
    token = "{DISCORD_TOKEN}"
    api_url = "{api_url}"
    gateway_url = "{gateway_url}"
    """


def on_telegram(api_url: str) -> str:
    """The part of config.toml that connects to it."""
    return f"""
    [telegram]
    token = "{TELEGRAM_TOKEN}"
    api_url = "{api_url}"
    """


@dataclass(slots=True, kw_only=True)
class Product:
    """`folder` keeps the configuration and, in `log`, what every process said. `process` is the latest."""

    folder: Path
    entry: str = "bot"  # the module that is run
    log: str = "log"
    roles: Sequence[str] = ()  # of `jikimi run`; none: all of them
    environment: Mapping[str, str] = field(default_factory=dict)  # beside what this process has
    process: asyncio.subprocess.Process = field(init=False)

    def configure(
        self,
        *,
        database: str,
        guards: Sequence[str],
        networks: Iterable[str],
        then: Sequence[str] = ("delete", "flag"),
        alarm_after: float | None = None,
        more: str = "",
        guarding_more: str = "",
    ) -> None:
        """Warns of what is harmful and says "경고감", and does `then` about what is harmful otherwise. `alarm_after`:
        seconds; `more`: further rules; `guarding_more`: further settings of the guard."""
        off = [rule.name for rule in preset("balanced")]
        (self.folder / "config.toml").write_text(
            f"""
            [storage]
            url = "{database}"
            [guard]
            name = "wildguard-ko"
            servers = {list(guards)}
            {guarding_more}
            [defaults]
            mode = "live"
            disabled_rules = {off}
            {"" if alarm_after is None else f'alarm_after = "{max(1, round(alarm_after))}s"'}
            [report]
            day = "off"
            {"".join(networks)}
            [[rules]]
            name = "warned"
            when.score = {{ at_least = 0.9 }}
            when.text = {{ any_of = ["경고감"] }}
            then = ["delete", "warn", "flag"]
            [[rules]]
            name = "harmful"
            when.score = {{ at_least = 0.9 }}
            then = {list(then)}
            {more}
            """,
            "utf-8",
        )

    async def begin(self) -> asyncio.subprocess.Process:
        roles = [word for role in self.roles for word in ("--role", role)]
        with (self.folder / self.log).open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.entry, "run", "--config", str(self.folder / "config.toml"), *roles,
                stdout=log, stderr=log, env={**os.environ, **self.environment},
            )  # fmt: skip
        return self.process


async def stopped(process: asyncio.subprocess.Process, patience: float = 60.0) -> tuple[int, float]:
    """The exit code (-9: it had to be killed) and the seconds that it took."""
    began = time.monotonic()
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(patience):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        code = -signal.SIGKILL
    return code, time.monotonic() - began


async def settled_in(url: str, communities: Iterable[Community]) -> None:
    """A database at `url` in which these communities are set up."""
    async with Database.open(url, SystemClock()) as database:
        for community in communities:
            await put_settings(SqlCommunities(database), community)
