"""Processes of their own for tests: each is a fork of one that has read the program already, for reading it takes
longest."""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.servers.waiting import until

#: What the program imports where it needs it, and what is run of the tests. None of it starts a thread, as onnxruntime
#: would.
READ = (
    "alembic.command",
    "adapters.chat.discord.connection",
    "adapters.chat.telegram.connection",
    "adapters.guards.embedded.kinds_guard",
    "adapters.http_api.server",
    "adapters.reports.alarm_clock",
    "adapters.reports.pages",
    "bot.app.application",
    "bot.cli.app",
    "tests.adapters.storage.keeping.killed_rewrap",
    "tests.adapters.storage.process",
    "tests.adapters.telegram.process",
    "tests.flow.moderation.crashing",
    "tests.flow.reporting.reporting_process",
    __name__,
)
#: A process has one server of forks, whose list is the last that was set: all tests fork here.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(list(READ))


class Fork:
    """`what(*given)`, in that folder and with that environment; it begins at once, and as a context it does not outlive
    the block. What it says is UTF-8, and can be read while it runs."""

    def __init__(
        self,
        what: Callable[..., Any],
        *given: object,
        folder: Path | None = None,
        stdin: bytes = b"",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._kept = TemporaryDirectory()
        self._streams = [Path(self._kept.name, stream) for stream in ("stdin", "stdout", "stderr")]
        for path, content in zip(self._streams, (stdin, b"", b""), strict=True):
            path.write_bytes(content)
        there = (folder or Path.cwd(), dict(environment), self._streams)
        self._process = _PROCESSES.Process(target=_run, args=(what, given, *there))
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.send(signal.SIGKILL)
        self._process.join()
        self._process.close()
        self._kept.cleanup()

    @property
    def stdout(self) -> str:
        return self._streams[1].read_text("utf-8")

    @property
    def stderr(self) -> str:
        return self._streams[2].read_text("utf-8")

    @property
    def returncode(self) -> int | None:
        """None: it runs."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        if self.returncode is None and self._process.pid:
            with suppress(ProcessLookupError):  # it ends by itself
                os.kill(self._process.pid, number)

    def hear(self, lines: int = 1) -> None:
        """Wait until it has said so many."""
        while self.stdout.count("\n") < lines:
            assert self.returncode is None, self.stderr
            time.sleep(0.005)

    def wait(self) -> int:
        """How it ended."""
        self._process.join()
        assert self.returncode is not None
        return self.returncode

    async def ended(self) -> int:
        await until(lambda: self.returncode is not None, None)
        return self.wait()


def _run(
    what: Callable[..., Any], given: tuple[object, ...], folder: Path, environment: dict[str, str], streams: list[Path]
) -> None:
    gc.freeze()  # or collecting garbage would copy whatever was read
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    if iscoroutinefunction(what):
        asyncio.run(what(*given))
    else:
        what(*given)
