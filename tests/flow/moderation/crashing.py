"""A rehearsal for a process of its own that writes down what it does and can kill itself at any step boundary.

A step boundary is just before and after every transaction, just before every commit, and just before and after
every action.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.chat import rehearsal as rehearsal_chat
from adapters.chat.rehearsal import RehearsalChat
from adapters.system_clock import SystemClock
from bot.app.application import application
from bot.config import Config, StorageSettings
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Outcome
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from storage.database import Database


class Boundaries:
    def __init__(self, fatal: int) -> None:
        self.passed = 0
        self._fatal = fatal

    def cross(self) -> None:
        self.passed += 1
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class JournallingChat(RehearsalChat):
    """Writes every action it performs to a file that outlives the process."""

    def __init__(self, path: str, journal: Path, boundaries: Boundaries) -> None:
        super().__init__(path, texts("en"), SystemClock())
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._boundaries = boundaries

    async def perform(self, planned: PlannedAction) -> Outcome:
        self._boundaries.cross()
        ref = planned.message.ref
        os.write(self._journal, f"{ref.channel_id} {ref.message_id} {ref.revision} {planned.action.kind}\n".encode())
        self._boundaries.cross()
        return await super().perform(planned)


class HarmInBrackets:
    """Judges a message by what it says of itself: "[0.98] …" scores 0.98."""

    version = GuardVersion(name="brackets", calibration="platt")
    tasks = frozenset({Task.PROMPT_HARM})

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        await asyncio.sleep(0)
        return [Verdict.of_scores({Task.PROMPT_HARM: _harm(x.prompt or "")}, guard=self.version) for x in exchanges]


def _harm(text: str) -> float:
    return float(text[1 : text.index("]")]) if text.startswith("[") else 0.0


async def _rehearsed(url: str, transcript: str, journal: Path, boundaries: Boundaries) -> None:
    config = Config(storage=StorageSettings(url=url))
    async with application(
        config,
        HarmInBrackets(),
        lambda core: [JournallingChat(transcript, journal, boundaries)],
        mode=Watch.LIVE,
        moment=lambda message: message.sent_at,
    ) as jikimi:
        boundaries.cross()
        await jikimi.run()


def _watch_transactions(boundaries: Boundaries) -> None:
    write = Database.write

    @asynccontextmanager
    async def watched(self: Database, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        boundaries.cross()
        async with write(self, durable=durable) as connection:
            yield connection
            boundaries.cross()  # everything is written, nothing is committed
        boundaries.cross()

    Database.write = watched  # type: ignore[method-assign]  # in a process that is there for this


def rehearse(url: str, transcript: Path, journal: Path, passed: Path, fatal: int) -> None:
    """Kills the process (SIGKILL) at the boundary `fatal`, 0: at none; else `passed` tells how many it passed."""
    rehearsal_chat.BATCH = 5
    counted = Boundaries(fatal)
    _watch_transactions(counted)
    asyncio.run(_rehearsed(url, str(transcript), journal, counted))
    passed.write_text(str(counted.passed))
