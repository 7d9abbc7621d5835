"""Telegram as a chat platform: updates come in and are confirmed only once their messages are kept; actions go out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, TypeVar

import structlog
from telegram import Bot, CallbackQuery, Chat, Update
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.pacing import alone
from adapters.chat.server_time import NetworkClock
from adapters.chat.telegram.acting.executor import Executor
from adapters.chat.telegram.acting.warning import Warnings
from adapters.chat.telegram.errors import Lost, mapped
from adapters.chat.telegram.joining.door import Door
from adapters.chat.telegram.limits import Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.appeals import Appeals
from adapters.chat.telegram.moderators.asking import Answers
from adapters.chat.telegram.moderators.cards.board import CardBoard
from adapters.chat.telegram.moderators.cards.posted import PostedCards
from adapters.chat.telegram.moderators.cards.pressing import Presses
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.moderators.commands.serving import Commands
from adapters.chat.telegram.moderators.flags import Flags
from adapters.chat.telegram.moderators.greeting import Greeting
from adapters.chat.telegram.moderators.posting import Posting
from adapters.chat.telegram.moderators.problems import Complaints
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.moderators.setup import Setup
from adapters.chat.telegram.moderators.taking_in import TakingIn
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.receiving.albums import Albums
from adapters.chat.telegram.receiving.arrivals import Arrivals, Contest, Polling, Webhook
from adapters.chat.telegram.receiving.hearing import Hearing
from adapters.chat.telegram.receiving.pairing import Pairs
from adapters.chat.telegram.refs import TELEGRAM
from adapters.chat.telegram.requests import AiohttpRequest
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import Backoff, patiently
from bot.core.chat.message import Author, CommunityRef, Message
from bot.core.chat.ports import Bookmarks, Connection
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.moderation.ports import Inbox
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import OnCard, Outcome
from bot.core.text.catalogue import Texts, texts

AGAIN = Backoff(first=0.5, longest=15.0)  # while Telegram is away

_log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class TelegramChat:
    """One bot account. Updates are polled for, or posted to `webhook_url` where that is given. `say` speaks to whoever
    runs the bot; groups are spoken to in their own language. `inbox` tells at a start what was said just before. Not
    `hears`: no updates, calls alone. `among`: see `Context`."""

    platform = TELEGRAM

    def __init__(
        self, *, token: str, desk: Desk, clock: Clock, say: Texts,
        api_url: str = "https://api.telegram.org", webhook_url: str = "", webhook_listen: str = "",
        inbox: Inbox | None = None, bookmarks: Bookmarks | None = None, blocklist: str = "",
        hears: bool = True, among: Callable[[], int] = alone,
    ) -> None:  # fmt: skip
        number, colon, _ = token.partition(":")
        if not (number.isdigit() and colon):
            raise Broken(say["telegram.bad_token"])
        self._me, self._desk, self._clock, self._say, self._hears = int(number), desk, clock, say, hears
        # Polls have connections of their own, so that no crowd of calls keeps them waiting.
        self._requests = AiohttpRequest(clock := NetworkClock(clock)), AiohttpRequest(clock, connections=2)
        api, files = (f"{api_url.rstrip('/')}/{path}" for path in ("bot", "file/bot"))
        self._bot, poller = (
            Bot(token, base_url=api, base_file_url=files, request=request, get_updates_request=request)
            for request in self._requests
        )
        self._arrivals: Arrivals = (
            Webhook(self._bot, webhook_url, webhook_listen)
            if webhook_url
            else Polling(poller, Contest(clock=clock, say=say, tell=self._tell_of_a_contest))
        )
        self._limiter = limiter = Limiter(clock=clock, say=say, is_room=partial(_is_room, desk), among=among)
        self._moves = moves = Moves(desk=desk)
        self._members = Members(bot=self._bot, limiter=limiter, clock=clock, me=self._me, hears=hears)
        complaints = Complaints(bot=self._bot, limiter=limiter, desk=desk, clock=clock)
        self._posted = PostedCards(bot=self._bot, limiter=limiter, desk=desk, clock=clock)
        self._presses = Presses(bot=self._bot, limiter=limiter, members=self._members, desk=desk, posted=self._posted)
        self._cards = CardBoard(
            bot=self._bot, limiter=limiter, members=self._members, moves=moves, desk=desk, clock=clock,
            posted=self._posted, complaints=complaints,
        )  # fmt: skip
        rooms = Rooms(bot=self._bot, limiter=limiter, moves=moves)
        self._warnings = Warnings(bot=self._bot, limiter=limiter, rooms=rooms, desk=desk, clock=clock)
        self._executor = Executor(
            bot=self._bot, limiter=limiter, members=self._members, desk=desk, clock=clock,
            complain=complaints.tell, warnings=self._warnings,
        )  # fmt: skip
        self._door = Door(self._executor, rooms, blocklist, self.announce)
        self._posting = Posting(bot=self._bot, limiter=limiter, clock=clock, bookmarks=bookmarks)
        drawing = Drawing(
            bot=self._bot, limiter=limiter, desk=desk, clock=clock, rooms=rooms, cards=self._cards,
            posting=self._posting, answers=Answers(bot=self._bot, limiter=limiter),
        )  # fmt: skip
        self._greeting = Greeting(
            bot=self._bot, limiter=limiter, cards=self._cards, rooms=rooms, desk=desk, clock=clock
        )
        self._setup = Setup(bot=self._bot, limiter=limiter, members=self._members, drawing=drawing, desk=desk)
        flags = Flags(desk=desk, members=self._members, answers=drawing.answers)
        self._commands = Commands(
            bot=self._bot, limiter=limiter, members=self._members, desk=desk, clock=clock, drawing=drawing,
            setup=self._setup, flags=flags, me=self._me, bookmarks=bookmarks,
            appeals=Appeals(desk=desk, answers=drawing.answers, rooms=rooms, clock=clock, me=self._me),
        )  # fmt: skip
        moves.forget += [self._members.forget, self._posted.forget_chat]
        self._hearing = Hearing(
            members=self._members, pairs=Pairs(clock=clock, inbox=inbox), albums=Albums(clock=clock, inbox=inbox),
            notice=self._notice, me=self._me,
        )  # fmt: skip
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Cut all connections; what is under way is given up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in (self._posted.errands, self._posting.fleeting, self._door, self._members, self._arrivals):
            await one.close()
        for request in self._requests:
            await request.shutdown()

    @property
    def connection(self) -> Connection:
        return Connection(self._arrivals.hears)

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        """Without end; `Broken`: the token is refused (401), or for minutes another process asks for the same (409)."""
        await self._begin()
        while True:
            updates = await self._patiently(self._arrivals.next)
            if batch := await self._hearing.take(updates):
                yield batch
            self._arrivals.confirm([update.update_id for update in updates])

    async def _begin(self) -> None:
        me = await self._patiently(self._bot.get_me)
        self._commands.username = self._warnings.username = self._setup.username = me.username or ""
        if not self._hears:
            await asyncio.Event().wait()
        await self._hearing.begin()
        await self._patiently(self._arrivals.open)
        await self._patiently(self._commands.begin)
        self._aside(self._patiently(self._commands.announce))
        self._posting.fleeting.begin()
        self._door.gate.begin()

    async def _notice(self, update: Update) -> None:
        """Moves at once, because what follows in the batch depends on it; everything else beside the messages."""
        if query := update.callback_query:
            self._aside(self._press(query))
        for work in self._door.heard(update):
            self._aside(work)
        if change := update.chat_member:
            self._members.hear(change)
            self._aside(TakingIn(desk=self._desk, me=self._me).hear(change))
        if change := update.my_chat_member:
            self._members.forget(change.chat.id)
            self._aside(self._greeting.changed(change))
        if (message := update.message) is None:
            return
        if message.migrate_to_chat_id:
            await self._patiently(partial(self._moves.move, message.chat.id, message.migrate_to_chat_id))
        elif message.migrate_from_chat_id:
            await self._patiently(partial(self._moves.move, message.migrate_from_chat_id, message.chat.id))
        elif (message.text or "").startswith("/"):
            self._aside(self._door.after(self._commands.serve(message), message))
        elif message.reply_to_message or message.chat.type == Chat.PRIVATE:
            self._aside(self._commands.hear(message))

    async def _press(self, query: CallbackQuery) -> None:
        if not (
            await self._presses.press(query) or await self._door.gate.press(query) or await self._commands.press(query)
        ):
            await self._bot.answer_callback_query(query.id)

    def _aside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run without keeping messages waiting; whoever pressed or typed sees that it failed, and tries again."""

        async def run() -> None:
            try:
                with mapped(self._say):
                    await work
            except Exception as error:
                _log.warning("an answer could not be given", error=type(error).__name__)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell_of_a_contest(self) -> None:
        _log.error("another process asks for this bot's updates", platform="telegram")
        self._aside(_told_everywhere(self._desk, self.announce, self._say.language, "telegram.contested"))

    async def perform(self, planned: PlannedAction) -> Outcome:
        if isinstance(planned.action, OnCard):
            return await self._cards.show(planned)

        async def in_group(id_: int) -> Outcome:
            return await self._executor.perform(
                replace(planned, message=replace(planned.message, community_id=str(id_)))
            )

        return await self._moves.follow(int(planned.message.community_id), in_group)

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        self._posted.changed(community, incident_id, emptied=emptied)

    def taken_over(self) -> None:
        self._posted.begin()

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        self._hearing.pairs.forget(is_theirs)
        self._aside(self._posting.fleeting.forget(community))

    async def meet(self, message: Message) -> Author:
        return message.author  # every message says who its author is

    async def owner(self, community: CommunityRef) -> str | None:
        with mapped(self._say):
            found = await self._members.owner(int(community.id))
        return str(found.id) if found else None

    async def announce(self, channel_id: str, text: str) -> None:
        try:
            await self._moves.follow(int(channel_id), partial(self._posting.announce, text=text))
        except (BadRequest, Forbidden, ChatMigrated) as error:
            _log.warning("nowhere to announce", chat=channel_id, error=type(error).__name__)

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        return await self._moves.follow(int(channel_id), partial(self._posting.post, post=post))

    async def _patiently(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat what must succeed in the end while Telegram, or what stands behind the desk, is away."""

        @wraps(call)
        async def answered() -> Result:
            with mapped(self._say):
                try:
                    return await call()
                except (AttributeError, KeyError, TypeError, ValueError) as error:  # an answer of another shape
                    raise Lost("Telegram has answered oddly: {why}", why=type(error).__name__, answered=False) from None

        return await patiently(answered, self._clock, AGAIN)


def _is_room(desk: Desk, chat_id: int) -> bool:
    return any(one.moderators_channel == str(chat_id) for one in desk.communities(TELEGRAM))


async def _told_everywhere(
    desk: Desk, announce: Callable[[str, str], Awaitable[None]], language: str, key: str
) -> None:
    """The moderators of every community that has a room for them."""
    rooms = {
        community.moderators_channel: texts(community.language or language)[key]
        for community in desk.communities(TELEGRAM)
        if community.moderators_channel
    }
    for room, told in rooms.items():
        try:
            await announce(room, told)
        except Unavailable as error:
            _log.warning("moderators not told", chat=room, reason=error)
