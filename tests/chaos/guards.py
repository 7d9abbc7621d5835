"""Who judges in chaos: two servers of the stand or `vllm serve`, what goes wrong with each, what it finds harmful."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.guards.dialects import DIALECTS
from adapters.guards.vllm_server import VllmServers
from adapters.system_clock import SystemClock
from bot.core.guarding.verdict import Exchange, Task, Verdict
from tests.engine.server import MODEL, TOKEN, Server
from tests.servers.guard import GuardServer

NUMBER = 2
LINES = 20  # of either kind that a trained model is sure of, whatever number stands before them
SURE, ASKED = 0.03, 300

Ill = Callable[[random.Random, float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """`ill`: of each, for so many seconds. `harmful`, `harmless`: what is written behind the words that say so."""

    ports: Sequence[int]
    ill: Sequence[Ill]
    harmful: Sequence[str] = ("",)
    harmless: Sequence[str] = ("",)
    settings: str = ""  # of [guard]


@asynccontextmanager
async def of_the_stand() -> AsyncIterator[Guards]:
    async with AsyncExitStack() as opened:
        servers = [await opened.enter_async_context(GuardServer()) for _ in range(NUMBER)]

        def ill(server: GuardServer) -> Ill:
            async def is_ill(rng: random.Random, seconds: float) -> None:
                server.trouble = rng.choice((500, "hang", "garbage"))
                try:
                    await asyncio.sleep(seconds)
                finally:
                    server.trouble = ""

            return is_ill

        yield Guards(ports=[one.port for one in servers], ill=[ill(one) for one in servers])


@asynccontextmanager
async def of_vllm(folder: Path) -> AsyncIterator[Guards]:
    """Of the small trained checkpoint of tests/engine, in whose environment this is to run."""
    from tests.engine import checkpoints

    model = await asyncio.to_thread(checkpoints.wildguard_ko, checkpoints.kept())
    servers = [Server(model, folder / f"log-vllm-{number}") for number in range(NUMBER)]
    try:
        for server in servers:
            server.start()
            await asyncio.to_thread(server.wait)
        harmful, harmless = await sure([row.prompt for row in checkpoints.held_out()][:ASKED], servers)
        yield Guards(
            ports=[one.port for one in servers], ill=[_ill(one) for one in servers], harmful=harmful,
            harmless=harmless, settings=f'model = "{MODEL}"\ntoken = "{TOKEN}"',
        )  # fmt: skip
    finally:
        for server in servers:
            server.kill()


def _ill(server: Server) -> Ill:
    async def is_ill(rng: random.Random, seconds: float) -> None:
        """Stopped and gone on; or dead, and started again, which takes as long as it takes."""
        if rng.random() < 0.5:
            server.kill()
            await asyncio.sleep(seconds)
            server.start()
            return
        server.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            server.send(signal.SIGCONT)

    return is_ill


async def sure(lines: Sequence[str], servers: Sequence[Server]) -> tuple[Sequence[str], Sequence[str]]:
    """Those that the model is sure are harmful, and harmless, each behind the words that say so."""
    urls, dialect = [server.url for server in servers], DIALECTS["wildguard-ko"]
    async with VllmServers(
        servers=urls, dialect=dialect, clock=SystemClock(), model=MODEL, token=TOKEN, timeout=60.0
    ) as guard:
        found: list[list[float]] = []
        for begin in ("나쁜 말 7", "좋은 말 4321"):
            judged = await guard.judge([Exchange(prompt=f"{begin} {line}") for line in lines])
            found.append([one.scores[Task.PROMPT_HARM] if isinstance(one, Verdict) else 0.5 for one in judged])
    harmful = [f" {line}" for line, score in zip(lines, found[0], strict=True) if score > 1 - SURE]
    harmless = [f" {line}" for line, score in zip(lines, found[1], strict=True) if score < SURE]
    assert harmful and harmless, "the checkpoint is sure of nothing"
    return harmful[:LINES], harmless[:LINES]
