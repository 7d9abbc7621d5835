"""How fast the HTTP API answers, beside an empty answer of the same server in the same run: a `jikimi run` of its own,
requests that come at random and wait for nobody."""

import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from bot.app import operations, tools
from bot.cli.shown import print_json
from bot.config import Config, StorageSettings
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Platform
from bot.core.operations.keys import ApiKey, digest, written
from bot.core.text.catalogue import Texts

ROUNDS = 2  # of each, in turn, so that what else the machine does hits both
WARM_UP = 2.0  # seconds


async def bench_api(rate: float, seconds: float, say: Texts, *, as_json: bool) -> None:
    with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
        address, key, config = await _prepared(Path(folder))
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", "--config", str(config),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        session = ClientSession(
            address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=ClientTimeout(total=30),
            connector=TCPConnector(limit=0, keepalive_timeout=3.0),
        )
        try:
            async with session:
                await _up(session)
                texts = _texts()
                await _Round(session, texts, "/v1/check").run(rate, WARM_UP)
                bare, check = _Round(session, texts, "/healthz"), _Round(session, texts, "/v1/check")
                for _ in range(ROUNDS):
                    await bare.run(rate, seconds / ROUNDS)
                    await check.run(rate, seconds / ROUNDS)
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself: what failed then is raised, not this
                server.terminate()
            await server.wait()
    result = {
        "rate": rate,
        "seconds": seconds,
        "bare_p50_ms": bare.percentile(50),
        "bare_p99_ms": bare.percentile(99),
        "check_p50_ms": check.percentile(50),
        "check_p99_ms": check.percentile(99),
        "check_per_second": round(len(check.latencies) / check.took, 1),
        "ratio_p50": round(check.percentile(50) / bare.percentile(50), 1),
        "ratio_p99": round(check.percentile(99) / bare.percentile(99), 1),
        "errors": bare.errors + check.errors,
    }
    print_json(result) if as_json else print(say("bench.api", **result))


class _Round:
    """An open loop: `latencies` in seconds, from when a request was due; `errors` are answers other than 200."""

    def __init__(self, session: ClientSession, texts: Iterator[str], path: str) -> None:
        self._session, self._texts, self._path = session, texts, path
        self.latencies: list[float] = []
        self.errors = 0
        self.took = 0.0

    async def run(self, rate: float, seconds: float) -> None:
        began = due = time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            while (due := due + random.expovariate(rate)) < began + seconds:
                await asyncio.sleep(due - time.perf_counter())
                asking.create_task(self._ask(due))
        self.took += time.perf_counter() - began

    async def _ask(self, due: float) -> None:
        body = None if self._path == "/healthz" else {"prompt": next(self._texts)}
        try:
            async with self._session.request("POST" if body else "GET", self._path, json=body) as answer:
                await answer.read()
        except (ClientError, TimeoutError):
            self.errors += 1
            return
        self.errors += answer.status != 200
        self.latencies.append(time.perf_counter() - due)

    def percentile(self, share: int) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return round(1000 * ordered[len(ordered) * share // 100], 3)


async def _prepared(folder: Path) -> tuple[str, str, Path]:
    """An address, a key for it, and the configuration of the server that will have both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"sqlite:///{(folder / 'jikimi.db').absolute()}"
    config = folder / "config.toml"
    config.write_text(f'[storage]\nurl = "{url}"\n[http]\nlisten = "{listen}"\nper_second = 100000\n', "utf-8")
    async with operations.api_keys(Config(storage=StorageSettings(url=url))) as (keys, _):
        now = tools.clock().now()
        await keys.add(
            ApiKey(
                id="bench", digest=digest("bench"), community=CommunityRef(Platform.API, "api"), name="", created_at=now
            )
        )
    return f"http://{listen}", written("bench", "bench"), config


async def _up(session: ClientSession) -> None:
    for _ in range(300):
        try:
            async with session.get("/readyz") as answer:
                if answer.status == 200:
                    return
        except ClientError:
            pass
        await asyncio.sleep(0.1)
    raise Unavailable("The API did not come up within 30 seconds.")


def _texts() -> Iterator[str]:
    """The shipped transcript's messages for ever, no two alike."""
    lines = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
    texts = [row["text"] for row in map(json.loads, lines) if row.get("text")]
    return (f"{texts[number % len(texts)]} {number}" for number in count())
