"""A rule's words and a text -> what was found, by Python's own engine in a process that is killed when it takes long.

For expressions in configurations from before the linear engine: they look around or refer back.
"""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog

from bot.core.rules.conditions import Group, Sought, Words

PATIENCE = 1.0  # seconds of processor time for one search: on a busy machine it takes what it takes
IN_LINE = 5.0  # seconds until its turn comes; and for its answer, where the machine is so busy
START = 30.0  # seconds until the process has read its program

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class ExpressionWorker:
    """One search at a time. The process starts with the first one, and anew after one that it was killed for."""

    patience: float = PATIENCE
    in_line: float = IN_LINE
    start: float = START
    killed: int = 0
    _process: asyncio.subprocess.Process | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._kill()

    async def find(self, text: Sought, content: str) -> Words:
        """Raises TimeoutError."""
        trusted = text.trusted().group
        assert trusted
        asked = json.dumps([self.patience, trusted.any_of, trusted.unless, content]).encode() + b"\n"
        async with asyncio.timeout(self.in_line):
            await self._turn.acquire()
        try:
            process = await self._started()
            async with asyncio.timeout(self.in_line):
                found: dict[str, str] | None = json.loads(await _ask(process, asked))
                return found
        except (OSError, ValueError):  # too late, or it has died: of its own clock
            self.killed += 1
            _log.warning("a rule's expression took too long and was given up")
            await self._kill()
            raise TimeoutError from None
        except asyncio.CancelledError:  # its answer would be somebody else's
            await self._kill()
            raise
        finally:
            self._turn.release()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                __name__,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C is for us
            )
            async with asyncio.timeout(self.start):
                await _ask(self._process, b"")
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _ask(process: asyncio.subprocess.Process, asked: bytes) -> bytes:
    assert process.stdin and process.stdout
    process.stdin.write(asked)
    await process.stdin.drain()
    return await process.stdout.readline()


def _serve() -> None:
    """In the process: a line in, a line out, until nobody asks any more, or a search has had its time."""
    print(flush=True)  # ready
    for line in sys.stdin.buffer:
        patience, any_of, unless, content = json.loads(line)
        _end_after(patience)
        sought: Any = Sought(group=Group(name="", any_of=tuple(any_of), unless=tuple(unless)))
        found = sought.find(content)
        _end_after(0)
        print(json.dumps(found), flush=True)


def _end_after(seconds: float) -> None:
    """This process, once it has had so much more of the processor; 0: never. Windows has no such clock."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    _serve()
