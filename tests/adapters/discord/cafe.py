"""A Discord server to moderate in tests: the wire, a guild with a few people in it, and a chat that listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import discord

from adapters.chat.discord.connection import DiscordChat
from adapters.system_clock import SystemClock
from bot.app.parts import Core
from bot.core.base.clock import Clock
from bot.core.chat.message import Message
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.moderation.ports import Inbox
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Action, Warn
from bot.core.rules.policy import Reason
from bot.core.text.catalogue import texts
from tests.builders import DISCORD, code_of, decision
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.moderators import ScriptedDesk
from tests.servers.discord import TOKEN, DiscordWire
from tests.servers.waiting import until

Permissions = discord.Permissions


@dataclass(kw_only=True)
class Cafe:
    """`general` and `mods` are channels; `minji` is a member, `dal` a moderator, `owner` the owner (user ids)."""

    wire: DiscordWire
    desk: ScriptedDesk = field(default_factory=ScriptedDesk)
    bookmarks: MemoryBookmarks = field(default_factory=MemoryBookmarks)

    def __post_init__(self) -> None:
        backend = self.wire.backend
        self.guild: int = backend.create_guild("카페").id
        self.owner: int = backend.guilds[self.guild].owner_id
        staff = Permissions(manage_messages=True, moderate_members=True)
        self.staff_role = backend.create_role(self.guild, "운영진", permissions=staff.value).id
        self.general: int = backend.create_channel(self.guild, "잡담").id
        self.mods: int = backend.create_channel(self.guild, "운영진").id
        self.minji, self.dal = self.join("민지"), self.join("달", self.staff_role)
        self.me: int = backend.bot_user.id
        self.desk.settings[str(self.guild)] = Community(
            platform=DISCORD, id=str(self.guild), moderators_channel=str(self.mods)
        )

    def join(self, name: str, *roles: int, bot: bool = False, announce: bool = False) -> int:
        user = self.wire.backend.make_user(name, bot=bot)
        self.wire.backend.add_member(self.guild, user.id, roles=roles, announce=announce)
        return int(user.id)

    def write(self, text: str = "안녕하세요", *, by: int | None = None, channel: int | None = None, **more: Any) -> Any:
        return self.wire.backend.create_message(channel or self.general, by or self.minji, text, **more)

    def chat(
        self, token: str = TOKEN, *, desk: Desk | None = None, bookmarks: Bookmarks | None = None,
        clock: Clock | None = None, inbox: Inbox | None = None, member_names: bool = False,
        shard_ids: Sequence[int] = (), shard_count: int | None = None, hears: bool = True,
    ) -> DiscordChat:  # fmt: skip
        chat = DiscordChat(
            token, desk=desk or self.desk, bookmarks=bookmarks or self.bookmarks, clock=clock or SystemClock(),
            say=texts("ko"), api_url=self.wire.api_url, gateway_url=self.wire.gateway_url, shard_ids=shard_ids,
            shard_count=shard_count, member_names=member_names, inbox=inbox, hears=hears,
        )  # fmt: skip
        self.desk.on_change = chat.incident_changed
        chat.client._connection.guild_ready_timeout = 0.05  # how long discord.py waits for one more server at start
        return chat

    def connect(self, core: Core, *, member_names: bool = False) -> list[DiscordChat]:
        """As the product would."""
        return [
            self.chat(
                desk=core.desk, bookmarks=core.bookmarks, clock=core.clock, inbox=core.inbox, member_names=member_names
            )
        ]

    def planned(self, action: Action, about: Message, *, incident: int = 1, rule: str = "insult") -> PlannedAction:
        """A notice is about an incident on record: one that says no more, where a test has opened none."""
        if isinstance(action, Warn):
            bare = Incident(
                id=incident,
                case=incident,
                code=code_of(incident),
                decision=decision(about, action),
                decided_at=about.sent_at,
                outcomes=(),
            )
            self.desk.incidents.setdefault(incident, bare)
        return PlannedAction(
            id=incident * 10,
            incident_id=incident,
            number=incident,
            code=code_of(incident),
            action=action,
            message=about,
            rule=rule,
            reason=Reason(ko="욕설", en="Insult"),
            language="ko",
        )


@dataclass(kw_only=True)
class Heard:
    """What a chat has delivered so far."""

    chat: DiscordChat
    messages: list[Message] = field(default_factory=list)
    batches: list[Sequence[Message]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    async def until(self, count: int = 1) -> list[Message]:
        await until(lambda: len(self.messages) >= count)
        return self.messages

    async def nothing_more(self) -> list[Message]:
        """A moment in which nothing else may come."""
        await asyncio.sleep(0.2)
        return self.messages


@asynccontextmanager
async def cafe() -> AsyncIterator[Cafe]:
    async with DiscordWire() as wire:
        yield Cafe(wire=wire)


@asynccontextmanager
async def listening(cafe: Cafe, chat: DiscordChat | None = None) -> AsyncIterator[Heard]:
    """A chat that is connected and caught up."""
    heard = Heard(chat=chat or cafe.chat())

    async def listen() -> None:
        async for batch in heard.chat.messages():
            heard.batches.append(batch)
            heard.messages += batch

    before = cafe.wire.identified
    task = asyncio.create_task(listen())
    await until(lambda: task.done() or (cafe.wire.identified > before and heard.chat.client.is_ready()))
    try:
        if task.done():
            task.result()
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


Scene = Callable[[Cafe, Heard], Awaitable[None]]


def play(scene: Scene, *, commands: bool = False, locale: str = "en-US", member_names: bool = False) -> None:
    """Run a scene in a café in which a chat listens; `commands`: after its slash commands are known there."""

    async def scenario() -> None:
        async with cafe() as place, listening(place, place.chat(member_names=member_names)) as heard:
            place.wire.locale = locale
            if commands:
                await until(lambda: place.wire.backend.commands.get(None))
            await scene(place, heard)

    asyncio.run(scenario())


def as_posted_before(notice: Any, now: str, then: str) -> None:
    """The notice as an earlier version posted it: its buttons carry something else."""
    notice.components = json.loads(json.dumps(notice.components).replace(now, then))
