"""Requests to join -> a question in private -> let in, or turned away for now; whoever cannot be asked waits for the
moderators, in Telegram's own list.

Nothing is stored of who only knocks. What a process that dies had asked is answered all the same: the question follows
from the request. What nobody answers then waits for the moderators, too.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from telegram import Bot, CallbackQuery, ChatJoinRequest, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, TelegramError

from adapters.chat.telegram.joining.question import THINGS, Request, pressed
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.moderators.asking import spoken
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.refs import group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.incidents.raids.locks import standing
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts, texts

ANSWERS = 600  # seconds in which a question is to be answered
LOOK = 15.0  # seconds between two looks at who has not
MOST_TRIES, TRIES_WITHIN = 3, 3600.0  # wrong answers of one person for one group, within so many seconds
ASKED_PER_MINUTE = 120  # people, over all groups: Telegram's limits are for all that is written
REMEMBERED = 10_000  # people

_log = structlog.get_logger(__name__)

Person = tuple[int, int]  # group and person


@dataclass(slots=True, kw_only=True)
class Gate:
    bot: Bot
    limiter: Limiter
    rooms: Rooms
    desk: Desk
    clock: Clock
    complain: Callable[[str, str, Texts], Awaitable[None]]  # of a community, what is the matter
    _waiting: Bounded[Request, int] = field(default_factory=lambda: Bounded(REMEMBERED))  # the message that asks
    _wrong: Bounded[Person, deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))
    _asked: deque[float] = field(default_factory=deque)
    _work: "asyncio.Task[None] | None" = None

    async def ask(self, given: ChatJoinRequest) -> None:
        """Once for each request; delivered again, it is the same question."""
        request = Request(given.chat.id, given.from_user.id, int(given.date.timestamp()))
        if not self._is_open(request) or request in self._waiting or self._has_tried(request) or self._is_busy():
            return
        say, token = texts(spoken(given.from_user.language_code)), self.bot.token
        offered = request.offered(token)
        keys = [InlineKeyboardButton(THINGS[one], callback_data=request.carried(n)) for n, one in enumerate(offered)]
        asked = say(
            "gate.question",
            group=given.chat.title or "",
            thing=say[f"gate.thing.{offered[request.wanted(token)]}"],
            minutes=ANSWERS // 60,
        )
        self._waiting[request] = 0
        try:
            if await self._is_locked(request):
                await self._send_away(given, request, say)
                return
            # Telegram lets us write to them for some minutes, though they have never pressed Start.
            async with self.limiter.turn(given.user_chat_id, Lane.NOTICE):
                sent = await self.bot.send_message(
                    given.user_chat_id, asked, reply_markup=InlineKeyboardMarkup([keys[:3], keys[3:]])
                )
        except (TelegramError, BotError) as error:
            self._waiting.pop(request, None)
            _log.info("a request to join is left to the moderators", chat=request.chat_id, why=type(error).__name__)
            return
        if request in self._waiting:
            self._waiting[request] = sent.message_id

    async def _send_away(self, given: ChatJoinRequest, request: Request, say: Texts) -> None:
        """While the group is locked nobody is asked: they may knock again later."""
        async with self.limiter.turn(given.user_chat_id, Lane.NOTICE):
            await self.bot.send_message(given.user_chat_id, say("gate.locked", group=given.chat.title or ""))
        await self._answer(request, say, let_in=False)
        self._waiting.pop(request, None)

    async def press(self, query: CallbackQuery) -> bool:
        """Let in or turned away; False: it is no button of ours."""
        if (found := pressed(query.data or "", query.from_user.id)) is None:
            return False
        (request, choice), say = found, texts(spoken(query.from_user.language_code))
        age = self.clock.now().timestamp() - request.at
        if not self._is_open(request) or self._has_tried(request):
            told = say["gate.for_moderators"]
        elif not 0 <= age + 60 <= ANSWERS + 60:  # clocks differ
            told = say["gate.too_late" if await self._answer(request, say, let_in=False) else "gate.gone"]
        elif await self._is_locked(request):
            group = await self.rooms.title(str(request.chat_id))
            away = await self._answer(request, say, let_in=False)
            told = say("gate.locked", group=group) if away else say["gate.gone"]
        elif choice == request.wanted(self.bot.token):
            told = say["gate.welcome" if await self._answer(request, say, let_in=True) else "gate.gone"]
        else:
            self._wrong.refresh((request.chat_id, request.user_id), deque(maxlen=MOST_TRIES)).append(self._now())
            told = say["gate.wrong" if await self._answer(request, say, let_in=False) else "gate.gone"]
        self._waiting.pop(request, None)
        if query.message:
            await self._retell(query.message.chat.id, query.message.message_id, told)
        await self.bot.answer_callback_query(query.id, told)
        return True

    def begin(self) -> None:
        """Look after who does not answer, until closed."""
        self._work = self._work or asyncio.create_task(self.run())

    async def close(self) -> None:
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def run(self) -> None:
        """Without end: who has not answered in time may ask again."""
        while True:
            await self.clock.sleep(LOOK)
            await self.turn_away()

    async def turn_away(self) -> None:
        now = self.clock.now().timestamp()
        for request, message in [(one, sent) for one, sent in self._waiting.items() if now - one.at > ANSWERS]:
            say = texts(self.desk.community(group_ref(request.chat_id)).language or "ko")
            try:
                await self._answer(request, say, let_in=False)
            except BotError:
                continue  # at the next look
            except TelegramError as error:
                _log.info("a request to join is left to the moderators", why=type(error).__name__)
            if message:
                await self._retell(request.user_id, message, say["gate.too_late"])
            self._waiting.pop(request, None)

    async def _answer(self, request: Request, say: Texts, *, let_in: bool) -> bool:
        """Whether the request was still open. Raises `Unavailable`: whoever presses, presses again."""
        answer = self.bot.approve_chat_join_request if let_in else self.bot.decline_chat_join_request
        try:
            async with self.limiter.turn(request.chat_id, Lane.MODERATION):
                await answer(request.chat_id, request.user_id)
        except (BadRequest, Forbidden) as error:
            if "rights" in error.message.lower() or "admin" in error.message.lower():
                await self.complain(str(request.chat_id), say["telegram.missing.can_invite_users"], say)
            return False
        return True

    async def _retell(self, chat_id: int, message_id: int, told: str) -> None:
        """The question becomes its answer, so that nobody presses again."""
        try:
            async with self.limiter.turn(chat_id, Lane.NOTICE):
                await self.bot.edit_message_text(told, chat_id, message_id)
        except (TelegramError, BotError) as error:
            _log.info("a question stands as it was", why=type(error).__name__)

    # ---- bounds -----------------------------------------------------------------------------------------------------

    def _is_open(self, request: Request) -> bool:
        community = self.desk.community(group_ref(request.chat_id))
        return community.gate and community.left_at is None

    async def _is_locked(self, request: Request) -> bool:
        """Raises `Unavailable`."""
        return bool(await standing(self.desk.deeds.cases, group_ref(request.chat_id)))

    def _has_tried(self, request: Request) -> bool:
        """So often that people are to look at them."""
        wrong = self._wrong.get((request.chat_id, request.user_id), ())
        return sum(self._now() - at < TRIES_WITHIN for at in wrong) >= MOST_TRIES

    def _is_busy(self) -> bool:
        """Whether so many were asked in the last minute that this one waits for the moderators."""
        while self._asked and self._asked[0] <= self._now() - 60:
            self._asked.popleft()
        if len(self._asked) >= ASKED_PER_MINUTE:
            return True
        self._asked.append(self._now())
        return False

    def _now(self) -> float:
        return self.clock.monotonic()
