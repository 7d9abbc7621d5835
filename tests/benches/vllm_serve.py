"""A real `vllm serve`: what an exchange costs the process in front of its engine, asked as before and as today.

    python -m tests.benches.vllm_serve [MODEL] [EXCHANGES]

Before: one prompt a request, three lines written out, with the 20 likeliest tokens of each place. Today: many prompts a
request, labels forced; of a second server that was started as a classifier, by /classify. All ask the same in turns,
256 exchanges at once as token ids; no text is asked twice. Printed are microseconds of processor time for an exchange,
the median of five rounds with the least and the most, and the ratio.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, TCPConnector

from adapters.guards.dialects import DIALECTS, Piece, Question
from adapters.guards.vllm_server import LIKELIEST, Encoding, VllmServers
from adapters.system_clock import SystemClock
from bot.cli.bench.guard import exchanges_of
from bot.core.guarding.verdict import Exchange
from tests.engine import checkpoints
from tests.engine.server import MODEL, TOKEN, Server, as_classifier

ROUNDS, TOGETHER = 5, 256
DIALECT = DIALECTS["wildguard-ko"]

Way = Callable[[Sequence[Exchange]], Awaitable[Any]]


async def measured(server: Server, classifier: Server, model: Path, exchanges: int) -> None:
    encoding = Encoding.read(model, DIALECT)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        ClientSession(headers=headers, connector=TCPConnector(limit=0, keepalive_timeout=4.0)) as session,
        _guard(server, encoding) as guard,
        _guard(classifier, encoding) as classifying,
    ):

        async def write(question: Question) -> None:
            address, body = f"{server.url}/v1/completions", _before(question, encoding)
            with suppress(ClientConnectionError):  # the server lets go of what was idle for a while
                async with session.post(address, json=body, raise_for_status=True) as answer:
                    await answer.read()
                    return
            await write(question)

        async def before(some: Sequence[Exchange]) -> None:
            await asyncio.gather(*(write(question) for one in some for question in DIALECT.questions(one)))

        texts_of = exchanges_of(None)
        for name in ("chat", "pairs"):
            texts = texts_of[name]
            ways: Mapping[str, tuple[Server, Way]] = {
                "before": (server, before),
                "today": (server, guard.judge),
                "/classify": (classifier, classifying.judge),
            }
            rounds = [[await _round(*way, texts, exchanges) for way in ways.values()] for _ in range(ROUNDS)]
            spent = dict(zip(ways, zip(*rounds, strict=True), strict=True))
            for way, us in spent.items():
                print(f"{name:8} {way:10} {_shown(us)}   {median(us) / median(spent['before']):.3f}", flush=True)


def _guard(server: Server, encoding: Encoding) -> VllmServers:
    return VllmServers(
        servers=[server.url], dialect=DIALECT, clock=SystemClock(), model=MODEL, token=TOKEN, timeout=600,
        encoding=encoding,
    )  # fmt: skip


async def _round(server: Server, way: Way, texts: Iterator[Exchange], exchanges: int) -> float:
    await way([next(texts) for _ in range(32)])
    began = server.spent
    for _ in range(0, exchanges, TOGETHER):
        await way([next(texts) for _ in range(TOGETHER)])
    return 1e6 * (server.spent - began) / (-(-exchanges // TOGETHER) * TOGETHER)


def _before(question: Question, encoding: Encoding) -> dict[str, Any]:
    form = question.form
    forced = question.forced() if len(form.fields) == 1 else ""
    length = {"max_tokens": 1} if forced else {"max_tokens": form.max_tokens, "stop": list(form.stop)}
    prompt = encoding.encode((*question.pieces(), Piece(forced, trusted=True)))
    asked = {"model": MODEL, "prompt": prompt, "temperature": 0, "logprobs": LIKELIEST, "add_special_tokens": False}
    return asked | length


def _shown(rounds: Sequence[float]) -> str:
    return f"{median(rounds):,.0f} us ({min(rounds):,.0f}-{max(rounds):,.0f})"


def main(model: str = "", exchanges: str = "1024") -> None:
    folder = Path(model) if model else checkpoints.wildguard_ko(checkpoints.kept())
    print(json.dumps({"load": os.getloadavg(), "model": folder.name}), flush=True)
    with tempfile.TemporaryDirectory() as logs, ExitStack() as running:
        writer, classifier = Server(folder, Path(logs, "1")), Server(folder, Path(logs, "2"), *as_classifier())
        for server in (writer, classifier):
            server.start()
            running.callback(server.kill)
            server.wait()
        asyncio.run(measured(writer, classifier, folder, int(exchanges)))


if __name__ == "__main__":
    main(*sys.argv[1:])
