"""Requests that come at random and wait for nobody -> their latencies; over HTTP, on a server of one's own."""

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import count

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from bot.cli.bench.shipped import shipped_messages
from bot.core.base.errors import Unavailable


def session(address: str, key: str) -> ClientSession:
    return ClientSession(
        address,
        headers={"Authorization": f"Bearer {key}"},
        timeout=ClientTimeout(total=30),
        connector=TCPConnector(limit=0, keepalive_timeout=3.0),
    )


async def up(session: ClientSession) -> None:
    for _ in range(300):
        try:
            async with session.get("/readyz") as answer:
                if answer.status == 200:
                    return
        except ClientError:
            pass
        await asyncio.sleep(0.1)
    raise Unavailable("The API did not come up within 30 seconds.")


class OpenLoop:
    """`latencies` in seconds, from when a request was due; `errors` are answers other than 200."""

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


def texts() -> Iterator[str]:
    """The shipped transcript's messages for ever, no two alike."""
    shipped = [row["text"] for row in shipped_messages()]
    return (f"{shipped[number % len(shipped)]} {number}" for number in count())
