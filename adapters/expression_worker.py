"""A rule's words and a text -> what was found, by Python's own engine in a process that is killed when it takes long.

For expressions in configurations from before the linear engine: they look around or refer back.
"""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog

from bot.core.rules.conditions import Group, Sought, Words

PATIENCE = 1.0  # seconds for one search
IN_LINE = 5.0  # seconds until its turn comes, and the process has started

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class ExpressionWorker:
    """One search at a time. The process starts with the first one, and anew after one that it was killed for."""

    patience: float = PATIENCE
    in_line: float = IN_LINE
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
        asked = json.dumps([trusted.any_of, trusted.unless, content]).encode() + b"\n"
        async with asyncio.timeout(self.in_line):
            await self._turn.acquire()
        try:
            process = await self._started()
            async with asyncio.timeout(self.patience):
                found: dict[str, str] | None = json.loads(await _ask(process, asked))
                return found
        except TimeoutError:
            self.killed += 1
            _log.warning("a rule's expression took too long and was given up")
            await self._kill()
            raise
        except (OSError, ValueError, asyncio.CancelledError) as error:  # it has died, or its answer is somebody else's
            await self._kill()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise TimeoutError from None
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
            async with asyncio.timeout(self.in_line):
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
    """In the process: a line in, a line out, until nobody asks any more."""
    print(flush=True)  # ready
    for line in sys.stdin.buffer:
        any_of, unless, content = json.loads(line)
        sought: Any = Sought(group=Group(name="", any_of=tuple(any_of), unless=tuple(unless)))
        print(json.dumps(sought.find(content)), flush=True)


if __name__ == "__main__":
    _serve()
