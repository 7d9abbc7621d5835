"""The chat networks that the contract suite runs over, each behind the same door."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from adapters.chat.rehearsal import RehearsalChat
from adapters.chat.telegram.connection import TelegramChat
from adapters.system_clock import SystemClock
from bot.core.moderators.ports import ChatPlatform
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, cafe
from tests.adapters.telegram import stage as telegram_stage
from tests.adapters.telegram.stage import Stage
from tests.servers.waiting import until


class Place(Protocol):
    """A room with one member in it who is no staff."""

    def connect(self, said: Sequence[str] = (), *, edited: str = "") -> ChatPlatform:
        """A new process of ours. Once it listens, the member says these things, one after the other, and then
        changes the last of them to `edited`. What was said to an earlier process is still there."""
        ...


Opens = Callable[[Path], AbstractAsyncContextManager[Place]]


@dataclass
class Transcript:
    path: Path
    lines: int = 0

    def connect(self, said: Sequence[str] = (), *, edited: str = "") -> ChatPlatform:
        with self.path.open("a", encoding="utf-8") as file:
            for text in said:
                self.lines += 1
                self._write(file, text, "new")
            if edited:
                self._write(file, edited, "edit")
        return RehearsalChat(str(self.path), texts("ko"), SystemClock())

    def _write(self, file: TextIO, text: str, kind: str) -> None:
        row = {
            "at": f"2026-05-15T12:00:{self.lines:02}+09:00",
            "community": "카페",
            "channel": "잡담",
            "author": "민지",
            "message": str(self.lines),
            "text": text,
            "kind": kind,
        }
        print(json.dumps(row), file=file)


@asynccontextmanager
async def rehearsal(folder: Path) -> AsyncIterator[Place]:
    (path := folder / "transcript.jsonl").touch()
    yield Transcript(path)


@dataclass
class DiscordPlace:
    cafe: Cafe
    tasks: "set[asyncio.Task[None]]"

    def connect(self, said: Sequence[str] = (), *, edited: str = "") -> ChatPlatform:
        chat = self.cafe.chat()

        async def talk() -> None:
            await until(chat.client.is_ready)
            written = [self.cafe.write(text) for text in said]
            if edited:
                await asyncio.sleep(0.05)
                self.cafe.wire.backend.edit_message(self.cafe.general, written[-1].id, {"content": edited})

        self.tasks.add(asyncio.create_task(talk()))
        return chat


@asynccontextmanager
async def discord(_: Path) -> AsyncIterator[Place]:
    async with cafe() as place:
        tasks: set[asyncio.Task[None]] = set()
        yield DiscordPlace(place, tasks)
        await asyncio.gather(*tasks)


@dataclass
class TelegramPlace:
    stage: Stage
    chats: list[TelegramChat]

    def connect(self, said: Sequence[str] = (), *, edited: str = "") -> ChatPlatform:
        written = [self.stage.server.post(self.stage.group, 7, text) for text in said]
        if edited:
            self.stage.server.edit(written[-1], text=edited)
        self.chats.append(telegram_stage.connect(self.stage.server.url, self.stage.desk))
        return self.chats[-1]


@asynccontextmanager
async def telegram(_: Path) -> AsyncIterator[Place]:
    async with telegram_stage.stage() as here:
        place = TelegramPlace(here, [])
        yield place
        for chat in place.chats:
            await chat.close()


#: A network is under contract once it stands here.
PLACES: dict[str, Opens] = {"rehearsal": rehearsal, "discord": discord, "telegram": telegram}
