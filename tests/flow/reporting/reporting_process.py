"""The whole application as a process of its own, over a chat that writes down what is posted to it.

It can kill itself (SIGKILL) just before, or just after, its third post has reached the chat.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager

from bot.app import reporting
from bot.app.application import application
from bot.config import Config, StorageSettings
from bot.core.chat.message import Author, CommunityRef, Message
from bot.core.chat.ports import Connection
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.reporting.ports import ReportRenderer
from bot.core.rules.actions import Done, Outcome
from tests.builders import DISCORD
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.reporting import ScriptedRenderer

FATAL = 3


class JournallingChat:
    platform = DISCORD
    connection = Connection(is_up=True)

    def __init__(self, journal: str, dies: str) -> None:
        self._journal, self._dies, self._posts = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND), dies, 0

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        await asyncio.Event().wait()
        yield []

    async def perform(self, planned: PlannedAction) -> Outcome:
        return Done()

    async def meet(self, message: Message) -> Author:
        return message.author

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None: ...

    async def owner(self, community: CommunityRef) -> str | None:
        return None

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None: ...

    def taken_over(self) -> None: ...

    async def announce(self, channel_id: str, text: str) -> None: ...

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        self._posts += 1
        self._cross("before")
        os.write(self._journal, f"{channel_id} {post.text}\n".encode())
        self._cross("after")
        await asyncio.sleep(0.01)
        return Done(f"{channel_id}/{self._posts}")

    def _cross(self, step: str) -> None:
        if self._posts == FATAL and self._dies == step:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def blank_pages(workers: int) -> Iterator[Callable[..., ReportRenderer]]:
    yield ScriptedRenderer


async def report(url: str, journal: str, dies: str) -> None:
    """`dies`: "before", "after" or not at all."""
    reporting._renderers = blank_pages  # drawing is none of this test's business, and slow
    chat = JournallingChat(journal, dies)
    async with application(Config(storage=StorageSettings(url=url)), ScriptedGuard(), lambda core: [chat]) as jikimi:
        print("ready", flush=True)
        await jikimi.run()
