"""How updates arrive, by long polling or by webhook: batches come out, and what is kept is confirmed to Telegram.

python-telegram-bot's own updater and webhook confirm what they have merely put into a queue (facts T3, T4), so both
are our own, on `telegram.Bot`.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from aiohttp import web
from telegram import Bot, Update
from telegram.error import BadRequest, TelegramError

from bot.errors import Broken

#: What we want to hear of. Always given, because Telegram remembers the last list (T9).
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "chat_member")

BATCH = 100  # updates, Telegram's most
WAIT = 25  # seconds that Telegram holds an empty poll
CONNECTIONS = 40  # that Telegram opens to a webhook at once
PAUSE = 0.1  # seconds between two looks while something that is held back would come again at once

_log = structlog.get_logger(__name__)


class Arrivals(Protocol):
    async def open(self) -> None:
        """Tell Telegram where updates go from now on. Never throws away what waits (T13)."""
        ...

    async def next(self, *, holding: bool) -> tuple[Sequence[Update], bool]:
        """What has come, and whether no more can come before something is confirmed. `holding`: something is held
        back, so do not wait long. What is not confirmed may come again."""
        ...

    def confirm(self, taken: Collection[int], held: Collection[int]) -> None:
        """All of `taken` is kept, except `held` (ids of updates)."""
        ...

    async def close(self) -> None: ...


class Polling:
    """`getUpdates`: an offset confirms everything before it."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._offset = 0  # the first update that is not confirmed

    async def open(self) -> None:
        await self._bot.delete_webhook(drop_pending_updates=False)

    async def next(self, *, holding: bool) -> tuple[Sequence[Update], bool]:
        if holding:
            await asyncio.sleep(PAUSE)
        try:
            updates: Sequence[Update] = await self._bot.get_updates(
                offset=self._offset or None, limit=BATCH, allowed_updates=ALLOWED_UPDATES,
                timeout=0 if holding else WAIT,
            )  # fmt: skip
        except TelegramError:
            raise
        except Exception as error:  # one of them cannot be parsed and would stop us for ever (T7)
            _log.error("an update cannot be read", error=type(error).__name__)
            updates = await self._readable()
        return updates, len(updates) >= BATCH

    async def _readable(self) -> Sequence[Update]:
        """The same batch, one by one."""
        raw: Any = await self._bot.do_api_request(  # the Bot API does not mind upper case, and this leaves them raw
            "GETUPDATES", {"offset": self._offset or None, "limit": BATCH, "allowed_updates": ALLOWED_UPDATES}
        )
        return [parsed(content, self._bot) for content in raw]

    def confirm(self, taken: Collection[int], held: Collection[int]) -> None:
        if taken:
            self._offset = min(held, default=max(taken) + 1)

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class Webhook:
    """Telegram posts to `url`, which leads to `listen` (host:port). 200 is answered only when the update is kept, so
    what a dead process had not kept is posted again (T8)."""

    bot: Bot
    url: str
    listen: str
    _pending: dict[int, "asyncio.Future[None]"] = field(default_factory=dict)
    _arrived: list[Update] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    @property
    def secret(self) -> str:
        """What Telegram says to prove itself; made from the token, so that there is nothing more to configure."""
        return hashlib.sha256(f"webhook of {self.bot.token}".encode()).hexdigest()

    async def open(self) -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        host, _, port = self.listen.rpartition(":")
        if not port.isdigit():
            raise Broken(f"[telegram] webhook_listen {self.listen}: host:port")
        try:
            await web.TCPSite(self._runner, host, int(port)).start()
        except OSError as error:
            raise Broken(f"[telegram] webhook_listen {self.listen}: {error.strerror}") from None
        try:
            await self.bot.set_webhook(
                self.url, secret_token=self.secret, allowed_updates=ALLOWED_UPDATES, max_connections=CONNECTIONS,
                drop_pending_updates=False,
            )  # fmt: skip
        except BadRequest as error:
            raise Broken(f"[telegram] webhook_url {self.url}: {error.message}") from None

    async def _post(self, request: web.Request) -> web.Response:
        said = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(said.encode(), self.secret.encode()):
            return web.Response(status=403)
        try:
            update = parsed(json.loads(await request.read()), self.bot)
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400)
        kept = self._pending.setdefault(update.update_id, asyncio.get_running_loop().create_future())
        self._arrived.append(update)
        self._news.set()
        await asyncio.shield(kept)
        return web.Response()

    async def next(self, *, holding: bool) -> tuple[Sequence[Update], bool]:
        try:
            async with asyncio.timeout(PAUSE if holding else WAIT):
                await self._news.wait()
        except TimeoutError:
            return (), False
        self._news.clear()
        updates, self._arrived = sorted(self._arrived, key=lambda update: update.update_id), []
        return updates, len(self._pending) >= CONNECTIONS

    def confirm(self, taken: Collection[int], held: Collection[int]) -> None:
        for id_ in set(taken) - set(held):
            if kept := self._pending.pop(id_, None):
                kept.set_result(None)

    async def close(self) -> None:
        for kept in self._pending.values():
            kept.cancel()
        if self._runner:
            await self._runner.cleanup()


def parsed(content: dict[str, Any], bot: Bot) -> Update:
    """An update; an empty one, to be confirmed with the rest, where its content cannot be read."""
    try:
        return Update.de_json(content, bot)
    except Exception as error:
        _log.error("update left out", update=content["update_id"], error=type(error).__name__)
        return Update(content["update_id"])
