"""How updates arrive, by long polling or by webhook: batches come out, and what is kept is confirmed to Telegram.

python-telegram-bot's own updater and webhook confirm what they have merely put into a queue (facts T3, T4), so both
are our own, on `telegram.Bot`.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from errno import EADDRINUSE
from typing import Any, Protocol

import structlog
from aiohttp import web
from telegram import Bot, Chat, Update
from telegram.error import BadRequest, Conflict, EndPointNotFound, InvalidToken

from adapters.chat.telegram.requests import OddAnswer
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable, reason
from bot.core.base.waiting import outlasting
from bot.core.text.catalogue import Texts

#: What we want to hear of. Always given, because Telegram remembers the last list (T9).
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "chat_member", "chat_join_request")

BATCH = 100  # updates, Telegram's most
WAIT = 25  # seconds that Telegram holds an empty poll
CONNECTIONS = 40  # that Telegram opens to a webhook at once
ANSWERS = 10.0  # seconds for the answer itself
RESOLVES = 5.0  # seconds until Telegram is asked again to look up where the webhook is
UNFINISHED = 15.0  # seconds that a connection to the webhook may stay without a whole request

_log = structlog.get_logger(__name__)


class Arrivals(Protocol):
    hears: bool  # whether what is said would arrive now, as far as we know

    async def open(self) -> None:
        """Tell Telegram where updates go from now on. Never throws away what waits (T13). May be called again."""
        ...

    async def next(self) -> Sequence[Update]:
        """What has come; nothing after a while of silence. What is not confirmed may come again."""
        ...

    def confirm(self, taken: Collection[int]) -> None:
        """All of `taken` (ids of updates) is kept."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Contest:
    """Another process asks for the same updates. Telegram ends whichever poll is older, so the two beat each other in
    turns. While an old process makes way for its successor that is over in moments; a stray copy stays: then people
    are told (`tell`), and who came last gives up first, because who had been alone for long is the one that is meant.
    All in seconds."""

    clock: Clock
    say: Texts
    tell: Callable[[], None]
    pause: float = 5.0
    told_after: float = 60.0
    newcomer_stays: float = 300.0
    incumbent_stays: float = 900.0
    settled_in: float = 600.0  # alone for so long makes an incumbent
    over_after: float = 180.0
    _alone_since: float | None = None
    _begun: float | None = None
    _last: float = 0.0
    _told: bool = False

    def begin(self) -> None:
        """From now on we ask for updates."""
        self._alone_since = self.clock.monotonic()

    def lost(self) -> BotError:
        """A poll was ended: how long to stay away, or that it is time to give up."""
        now = self.clock.monotonic()
        if self._begun is None or now - self._last > self.over_after:
            alone_since = self._last if self._begun is not None else self._alone_since
            self._alone_since, self._begun, self._told = alone_since, now, False
        self._last = now
        incumbent = self._alone_since is not None and self._begun - self._alone_since >= self.settled_in
        contested = now - self._begun
        if contested >= (self.incumbent_stays if incumbent else self.newcomer_stays):
            return Broken(self.say["telegram.conflict"])
        if contested >= self.told_after and not self._told:
            self._told = True
            self.tell()
        return Unavailable("another process asks for the same updates", retry_after=self.pause)


class Polling:
    """`getUpdates`: an offset confirms everything before it. It moves on with every batch: who asks twice for the same
    one gets a single update, and not before three seconds are over (T62)."""

    def __init__(self, bot: Bot, contest: Contest) -> None:
        self._bot = bot
        self._contest = contest
        self._offset = 0  # the first update that is not confirmed
        self._displaced = False
        self.hears = False

    async def open(self) -> None:
        await self._bot.delete_webhook(drop_pending_updates=False)
        self._contest.begin()
        self.hears = True

    async def next(self) -> Sequence[Update]:
        """A poll that is under way tells nothing for as long as nobody says anything: the last one's end counts."""
        try:
            updates = await self._poll()
        except BaseException:
            self.hears = False
            raise
        self.hears = True
        return updates

    async def _poll(self) -> Sequence[Update]:
        try:
            if self._displaced:  # by a webhook, maybe, that somebody else has set
                await self._bot.delete_webhook(drop_pending_updates=False)
            # `Bot.get_updates` gives up a whole batch for one update that it cannot read (T7). The Bot API does not
            # mind upper case, and `Bot` leaves what it does not know by that name unread.
            raw: Any = await self._bot.do_api_request(
                "GETUPDATES",
                {"offset": self._offset, "limit": BATCH, "allowed_updates": ALLOWED_UPDATES, "timeout": WAIT},
                read_timeout=WAIT + ANSWERS,
            )
        except EndPointNotFound as error:
            raise InvalidToken from error
        except Conflict:
            self._displaced = True
            raise self._contest.lost() from None
        self._displaced = False
        if not isinstance(raw, list):
            raise OddAnswer("not a list of updates")
        return [parsed(content, self._bot) for content in raw if _is_numbered(content)]

    def confirm(self, taken: Collection[int]) -> None:
        if taken:
            self._offset = max(taken) + 1

    async def close(self) -> None:
        self.hears = False


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
    hears: bool = False

    @property
    def secret(self) -> str:
        """What Telegram says to prove itself; made from the token, so that there is nothing more to configure."""
        return hashlib.sha256(f"webhook of {self.bot.token}".encode()).hexdigest()

    async def open(self) -> None:
        if self._runner is None:  # setWebhook is refused easily (T63), and asked again; the door stands open meanwhile
            await self._listen()
        try:
            await self.bot.set_webhook(
                self.url, secret_token=self.secret, allowed_updates=ALLOWED_UPDATES, max_connections=CONNECTIONS,
                drop_pending_updates=False,
            )  # fmt: skip
        except BadRequest as error:
            if "resolve" in error.message.lower():  # Telegram's look-up of the name may fail for a while
                raise Unavailable("[telegram] webhook_url: {why}", why=error.message, retry_after=RESOLVES) from None
            raise Broken("[telegram] webhook_url {url}: {why}", url=self.url, why=error.message) from None
        self.hears = True

    async def _listen(self) -> None:
        host, _, port = self.listen.rpartition(":")
        if not port.isdigit():
            raise Broken("[telegram] webhook_listen {listen}: host:port", listen=self.listen)
        application = web.Application()
        application.router.add_post("/{path:.*}", self._post)
        # `keepalive_timeout` also ends connections that never finish their first head.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.5, keepalive_timeout=UNFINISHED, lingering_time=0.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, int(port)).start()
        except OSError as error:
            await runner.cleanup()
            kind = Unavailable if error.errno == EADDRINUSE else Broken
            raise kind("[telegram] webhook_listen {listen}: {why}", listen=self.listen, why=reason(error)) from None
        self._runner = runner

    async def _post(self, request: web.Request) -> web.Response:
        said = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(said.encode("utf-8", "surrogateescape"), self.secret.encode()):
            return web.Response(status=403)
        try:
            content = json.loads(await request.read())
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not _is_numbered(content):
            return web.Response(status=400)
        update = parsed(content, self.bot)
        kept = self._pending.get(update.update_id)
        if kept is None:  # else it is posted again, because we are slow
            kept = self._pending[update.update_id] = asyncio.get_running_loop().create_future()
            self._arrived.append(update)
            self._news.set()
        await outlasting(kept)
        return web.Response()

    async def next(self) -> Sequence[Update]:
        try:
            async with asyncio.timeout(WAIT):
                await self._news.wait()
        except TimeoutError:
            return ()
        self._news.clear()
        updates, self._arrived = sorted(self._arrived, key=lambda update: update.update_id), []
        return updates

    def confirm(self, taken: Collection[int]) -> None:
        for id_ in taken:
            if (kept := self._pending.pop(id_, None)) and not kept.done():
                kept.set_result(None)

    async def close(self) -> None:
        self.hears = False
        for kept in self._pending.values():
            kept.cancel()
        if self._runner:
            await self._runner.cleanup()


def _is_numbered(content: Any) -> bool:
    """Whether it can be confirmed at all."""
    return isinstance(content, dict) and isinstance(content.get("update_id"), int)


def parsed(content: dict[str, Any], bot: Bot) -> Update:
    """An update; an empty one, to be confirmed with the rest, where its content cannot be read."""
    try:
        update = Update.de_json(content, bot)
        if not _is_placed(update):
            raise TypeError("nobody can say where and when that was")
        return update
    except Exception as error:
        _log.error("update left out", update=content["update_id"], error=type(error).__name__)
        return Update(content["update_id"])


def _is_placed(update: Update) -> bool:
    """Whether a message says where and when it was said; the library takes anything for that."""
    said = update.message or update.edited_message
    if (told := said or update.chat_member) is None:
        return True
    if not isinstance(told.chat, Chat) or not isinstance(told.chat.type, str) or not isinstance(told.date, datetime):
        return False
    return type(told.chat.id) is int and (said is None or type(said.message_id) is int)  # true is one, too
