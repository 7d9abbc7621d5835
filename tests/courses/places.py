"""The two chat networks of a fault course, each as the same few questions: what was written, done, and told to whom."""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from bot.core.communities.community import Community
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe
from tests.builders import DISCORD, TELEGRAM
from tests.courses.product import on_discord, on_telegram
from tests.servers.discord import DiscordWire
from tests.servers.fault_proxy import FaultProxy
from tests.servers.telegram import RIGHTS, Call, Refusal, TelegramServer, user

GROUP, MODERATORS = -1001, -1002
STORMY = 10**9  # more calls than any course makes

#: What moderators are told about an outage, by the sentences that say so.
ALARMS = {
    key: name
    for name in ("guard_away", "guard_back", "database_away", "database_back")
    for key in texts("ko").sentences
    if key.startswith(f"alarm.{name}")
}


def alarm(text: str) -> str | None:
    """Which it is, whatever numbers it names."""
    for key, name in ALARMS.items():
        sentence = "[0-9]+".join(map(re.escape, re.split(r"\{\w+\}", texts("ko")[key])))
        if re.match(sentence, text):
            return name
    return None


#: Something that is wrong for as long as the block lasts.
Fault = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Deletion:
    """One request to delete one message, alone or with others."""

    message: str
    at: float  # time.monotonic()
    had_gone: bool  # when it came, the message was no longer there


class Place(Protocol):
    """One community on one network, with its moderators' channel."""

    community: Community

    @property
    def faults(self) -> Mapping[str, Fault]: ...

    @property
    def config(self) -> str:
        """The part of config.toml that connects to it."""
        ...

    async def ready(self) -> None:
        """Return when the product is connected."""
        ...

    def write(self, text: str, author: int) -> str:
        """Somebody (a number) writes a message; its id. Empty where no bot could ever hear of it."""
        ...

    def left(self) -> Mapping[str, str]:
        """Messages that are still there: id -> text."""
        ...

    def deletions(self) -> list[Deletion]: ...

    def warnings(self) -> Counter[str]:
        """How often members were told of each incident."""
        ...

    def cards(self) -> dict[int, set[str]]:
        """On which cards each incident was ever named."""
        ...

    def alarms(self) -> list[str]:
        """What moderators were told of outages, in order."""
        ...


class DiscordPlace:
    """`wire` is reached through `proxy`."""

    def __init__(self, wire: DiscordWire, proxy: FaultProxy) -> None:
        self._wire, self._proxy = wire, proxy
        self._cafe = Cafe(wire=wire)
        self._authors: dict[int, int] = {}
        self._gone: dict[str, float] = {}
        self._edits: list[tuple[str, str]] = []
        wire.backend.subscribers.append(self._watch)
        self.community = Community(platform=DISCORD, id=str(self._cafe.guild), moderators_channel=str(self._cafe.mods))
        self.faults: dict[str, Fault] = {
            "gateway": self._gateway, "session": self._session, "429": self._limited, "500": self._failing,
            "network": lambda: away(proxy),
        }  # fmt: skip

    @property
    def config(self) -> str:
        port = self._proxy.port
        return on_discord(f"http://127.0.0.1:{port}/api/v10", f"ws://127.0.0.1:{port}/gateway")

    async def ready(self) -> None:
        known = self._wire.identified
        while self._wire.identified == known:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)  # reading back has begun

    def write(self, text: str, author: int) -> str:
        if author not in self._authors:
            self._authors[author] = self._cafe.join(f"회원 {author}")
        return str(self._cafe.write(text, by=self._authors[author]).id)

    def left(self) -> Mapping[str, str]:
        return {str(id_): m.content for id_, m in self._wire.backend.messages[self._cafe.general].items()}

    def deletions(self) -> list[Deletion]:
        asked = []
        for call in self._wire.calls:
            parts = call.path.split("/")
            if parts[1:3] != ["channels", str(self._cafe.general)] or "messages" not in parts:
                continue
            if call.method == "DELETE":
                asked.append((parts[-1], call.at))
            elif call.method == "POST" and parts[-1] == "bulk-delete":
                asked += [(str(id_), call.at) for id_ in call.body["messages"]]
        return [Deletion(id_, at, at > self._gone.get(id_, at)) for id_, at in asked]

    def warnings(self) -> Counter[str]:
        rooms = {room: kept for room, kept in self._wire.backend.messages.items() if room != self._cafe.mods}
        said = (m.content for kept in rooms.values() for m in kept.values() if m.author_id == self._cafe.me)
        return Counter(found[1] for text in said if (found := re.search(r"사건 코드: (\w+)", text)))

    def cards(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for id_, m in self._mine():
            for embed in m.embeds:
                for number in re.findall(r"#(\d+)", embed.get("footer", {}).get("text", "")):
                    found[int(number)].add(id_)
        return found

    def alarms(self) -> list[str]:
        return [name for _, m in self._mine() if (name := alarm(m.content))]

    def _mine(self) -> list[tuple[str, Any]]:
        kept = self._wire.backend.messages[self._cafe.mods]
        return [(str(id_), m) for id_, m in sorted(kept.items()) if m.author_id == self._cafe.me]

    def _watch(self, event: str, payload: Any) -> None:
        if event == "MESSAGE_DELETE":
            self._gone.setdefault(str(payload["id"]), time.monotonic())
        elif event == "MESSAGE_DELETE_BULK":
            for id_ in payload["ids"]:
                self._gone.setdefault(str(id_), time.monotonic())

    # ---- faults

    @asynccontextmanager
    async def _gateway(self) -> AsyncIterator[None]:
        """Dropped every second, and resumed each time."""
        async with repeatedly(self._wire.drop_gateway):
            yield

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[None]:
        """Dropped and not to be resumed."""
        await self._wire.drop_gateway(invalidate=True)
        yield

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Nine of ten requests."""
        async with self._storm(429):
            yield

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[None]:
        async with self._storm(500):
            yield

    @asynccontextmanager
    async def _storm(self, status: int) -> AsyncIterator[None]:
        self._wire.trouble("*", "/", status, STORMY, retry_after=1.0)
        yield
        self._wire.troubles.clear()


class TelegramPlace:
    """`server` is reached through `proxy`. Every member has talked to the bot before, so that it may warn them."""

    def __init__(self, server: TelegramServer, proxy: FaultProxy) -> None:
        self._server, self._proxy = server, proxy
        self._group = server.group(GROUP)
        self._room = server.group(MODERATORS, title="운영진 방")
        server.group_limit = 20
        self._hears = True
        self.community = Community(platform=TELEGRAM, id=str(GROUP), moderators_channel=str(MODERATORS))
        self.faults: dict[str, Fault] = {
            "429": self._limited, "500": self._failing, "network": lambda: away(proxy), "rights": self._without_rights,
            "removed": self._removed,
        }  # fmt: skip

    @property
    def config(self) -> str:
        return on_telegram(self._proxy.url)

    async def ready(self) -> None:
        polls = self._server.polls
        while self._server.polls == polls:
            await asyncio.sleep(0.05)

    @property
    def is_contested(self) -> bool:
        """Whether the poll of one process has ended that of another."""
        return any("terminated by other" in call.error for call in self._server.calls)

    def write(self, text: str, author: int) -> str:
        author += 1000
        if author not in self._server.chats:
            self._server.private(author)
        if not self._hears:
            self._server.message(self._group, user(author), text)
            return ""
        return str(self._server.post(self._group, user(author), text)["message_id"])

    def left(self) -> Mapping[str, str]:
        return {str(id_): m.get("text", "") for id_, m in self._group.messages.items()}

    def deletions(self) -> list[Deletion]:
        gone: set[str] = set()
        found = []
        for call in self._server.calls:
            if call.method not in ("deleteMessage", "deleteMessages") or call.arguments["chat_id"] != GROUP:
                continue
            ids = list(map(str, call.arguments.get("message_ids") or [call.arguments["message_id"]]))
            found += [Deletion(id_, call.at, id_ in gone) for id_ in ids]
            if not call.error:
                gone.update(ids)
        return found

    def warnings(self) -> Counter[str]:
        said = (m.get("text", "") for chat in self._server.chats.values() for m in chat.messages.values())
        return Counter(found[1] for text in said if (found := re.search(r"/appeal_(\w+)", text)))

    def cards(self) -> dict[int, set[str]]:
        versions = [(str(id_), m.get("text", "")) for id_, m in self._room.messages.items()]
        versions += [(str(c.arguments["message_id"]), c.arguments["text"]) for c in self._edits()]
        found: dict[int, set[str]] = defaultdict(set)
        for id_, text in versions:
            title, *lines = text.split("\n")
            more = " ".join(line for line in lines if line.startswith("#"))
            for number in re.findall(r"사건 #(\d+)", title) + re.findall(r"#(\d+)", more):
                found[int(number)].add(id_)
        return found

    def _edits(self) -> list[Call]:
        return [call for call in self._server.of("editMessageText") if call.arguments["chat_id"] == MODERATORS]

    def alarms(self) -> list[str]:
        said = (m.get("text", "") for _, m in sorted(self._room.messages.items()))
        return [name for text in said if (name := alarm(text))]

    # ---- faults

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        async with self._storm(429, "Too Many Requests: retry after 1", retry_after=1):
            yield

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[None]:
        async with self._storm(500, "Internal Server Error"):
            yield

    @asynccontextmanager
    async def _storm(self, code: int, description: str, **parameters: int) -> AsyncIterator[None]:
        self._server.faults = _Always(Refusal(code, description, **parameters))
        yield
        self._server.faults = {}

    @asynccontextmanager
    async def _without_rights(self) -> AsyncIterator[None]:
        """Still an admin, but one that may delete nothing."""
        self._server.set_member(self._group, 42, "administrator", ("can_manage_chat",))
        yield
        self._server.set_member(self._group, 42, "administrator", RIGHTS)

    @asynccontextmanager
    async def _removed(self) -> AsyncIterator[None]:
        """And added again. In between Telegram tells the bot of nothing."""
        self._server.set_member(self._group, 42, "kicked")
        self._hears = False
        yield
        self._hears = True
        self._server.set_member(self._group, 42, "administrator", RIGHTS)


class _Always(dict[str, Any]):
    """Faults without end, whatever is called."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self._refusal = refusal

    def get(self, method: str, default: Any = None) -> Any:
        return self

    def __missing__(self, method: str) -> Any:
        return self

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> Refusal:
        return self._refusal


@asynccontextmanager
async def away(proxy: FaultProxy) -> AsyncIterator[None]:
    """What is behind the proxy, for everybody: open connections end, new ones too."""
    proxy.mode = "reset"
    proxy.reset_all()
    yield
    proxy.mode = "pass"


@asynccontextmanager
async def repeatedly(happens: Callable[[], Any]) -> AsyncIterator[None]:
    async def again() -> None:
        while True:
            await happens()
            await asyncio.sleep(1.0)

    task = asyncio.create_task(again())
    yield
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def discord_place() -> AsyncIterator[Place]:
    async with DiscordWire() as wire, FaultProxy(wire.port) as proxy:
        yield DiscordPlace(wire, proxy)


@asynccontextmanager
async def telegram_place() -> AsyncIterator[Place]:
    async with TelegramServer() as server, FaultProxy(server.port) as proxy:
        yield TelegramPlace(server, proxy)


PLACES: Mapping[str, Callable[[], AbstractAsyncContextManager[Place]]] = {
    "discord": discord_place,
    "telegram": telegram_place,
}
