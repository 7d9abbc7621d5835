"""`jikimi bench api`: how fast the HTTP API answers, beside an empty answer of the same server in the same run: a
`jikimi run` of its own, requests that come at random and wait for nobody."""

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.chat.message import CommunityRef
from bot.core.operations.keys import API, ApiKey, digest, written
from bot.core.text.catalogue import Texts

ROUNDS = 2  # of each, in turn, so that what else the machine does hits both
WARM_UP = 2.0  # seconds


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("api", help=say["help.bench_api"])
    def command(
        rate: Annotated[float, typer.Option("--rate", min=1, help=say["help.bench_api_rate"])] = 200.0,
        seconds: Annotated[float, typer.Option("--seconds", min=1, help=say["help.bench_api_seconds"])] = 20.0,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(bench_api(rate, seconds, say, as_json=as_json))


async def bench_api(rate: float, seconds: float, say: Texts, *, as_json: bool) -> None:
    from bot.cli.bench.open_loop import OpenLoop, session, texts, up

    with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as folder:
        address, key, config = await _prepared(Path(folder))
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", "--config", str(config),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with session(address, key) as asking:
                await up(asking)
                asked = texts()
                await OpenLoop(asking, asked, "/v1/check").run(rate, WARM_UP)
                bare, check = OpenLoop(asking, asked, "/healthz"), OpenLoop(asking, asked, "/v1/check")
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


async def _prepared(folder: Path) -> tuple[str, str, Path]:
    """An address, a key for it, and the configuration of the server that will have both."""
    from bot.app import operations, tools
    from bot.config import Config, StorageSettings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"sqlite:///{(folder / 'jikimi.db').absolute()}"
    config = folder / "config.toml"
    config.write_text(f'[storage]\nurl = "{url}"\n[http]\nlisten = "{listen}"\nper_second = 100000\n', "utf-8")
    async with operations.api_keys(Config(storage=StorageSettings(url=url))) as (keys, _):
        now = tools.clock().now()
        await keys.add(
            ApiKey(id="bench", digest=digest("bench"), community=CommunityRef(API, "api"), name="", created_at=now)
        )
    return f"http://{listen}", written("bench", "bench"), config
