"""Warnings -> a word to the member: in private where they have ever talked to the bot, else on a short notice in the
group, which many share and which takes itself away."""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, User
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.acting.notices import masked_name, measures, notice, notice_by_hand, unpinged
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.receiving.reading import is_channel
from adapters.chat.telegram.refs import TELEGRAM
from adapters.chat.telegram.text import LONGEST, Place, cut, place_of, units
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import outlasting
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import Case, CaseKind
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import CalledOff, Done, Outcome, Refused, Unconfirmed
from bot.core.text.catalogue import Texts

ONE_WARNING = timedelta(minutes=1)  # a member who floods is told once
SOON = 20.0  # seconds after which nobody in the group knows any more what a notice is about
APART = 4.0  # seconds between two notices in a chat: what comes meanwhile goes onto the next one
ON_ONE_NOTICE = 10  # members
RAID, RAID_WITHIN = 10, 30.0  # so many warnings in a chat within so many seconds
PRIVATE_PER_MINUTE = 120  # warnings in private, to everybody
REMEMBERED = 10_000  # warnings that wait to be tried again


@dataclass(slots=True, eq=False)
class _Wanted:
    """A member who is to be named on a notice."""

    planned: PlannedAction
    line: str  # what is said of them, with _WHO where they are named
    say: Texts
    told: "asyncio.Future[Outcome]"


@dataclass(slots=True, kw_only=True)
class Warnings:
    bot: Bot
    limiter: Limiter
    rooms: Rooms
    desk: Desk
    clock: Clock
    username: str = ""  # the bot's, for the button that leads to an appeal
    _warned: OrderedDict[tuple[int, str], datetime] = field(default_factory=OrderedDict)
    _first_asked: Bounded[int, float] = field(default_factory=lambda: Bounded(REMEMBERED))  # planned action -> when
    _lately: defaultdict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))  # warnings of a chat
    _in_private: deque[float] = field(default_factory=deque)
    _waiting: dict[tuple[int, Place], deque[_Wanted]] = field(default_factory=dict)  # present while being served
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def warn(self, planned: PlannedAction, chat_id: int, say: Texts) -> Outcome:
        key = (chat_id, planned.message.author.id)
        asked_at = self._asked(planned.id, chat_id)
        if planned.case is None and not self._first_in_a_while(key):
            return Done()
        try:
            return await self._tell(planned, chat_id, say, asked_at)
        except Unavailable:
            self._warned.pop(key, None)
            raise

    async def _tell(self, planned: PlannedAction, chat_id: int, say: Texts, asked_at: float) -> Outcome:
        author = planned.message.author
        if planned.case:
            if (case := await self._done(planned.message.community, planned.case)) is None:
                return CalledOff()
            done, group = say[f"case_kind.{case.kind}"], await self.rooms.title(str(chat_id))
            reason, timezone = planned.reason.in_(say.language), self._timezone(planned)
            told_in_private = notice_by_hand(case, reason, group, timezone, say)
            told_in_private += "\n" + say("case.told_how", code=case.code)
        else:
            done = measures(await self.desk.mine(TELEGRAM, author.id, planned.code), say)
            told_in_private = notice(planned, done, self._timezone(planned), self.clock.now(), say)
        if not is_channel(author.id):
            self._hold_back(chat_id)
            try:
                async with self.limiter.turn(int(author.id), Lane.NOTICE):
                    await self.bot.send_message(
                        int(author.id),
                        told_in_private,
                        reply_markup=self._appeal((planned, say)),
                    )
                return Done()
            except (BadRequest, Forbidden):
                pass  # they have never pressed Start
        if self.clock.monotonic() - asked_at > SOON:
            return Refused("telegram.too_late_to_tell")
        kind = "name_noticed" if planned.message.is_name else "noticed"
        if planned.case:
            kind = "noticed_by_hand"
        line = say(f"telegram.{kind}", who=_WHO, deeds=done, reason=unpinged(planned.reason.in_(say.language)) or "-")
        told = asyncio.ensure_future(self._notice(planned, chat_id, line, say))
        try:
            return await outlasting(told)
        except asyncio.CancelledError:  # we are stopping, but what is posted goes on record, to be taken away again
            (outcome,) = await asyncio.gather(told, return_exceptions=True)
            if isinstance(outcome, Done):
                return outcome
            raise

    async def _done(self, community: CommunityRef, case: Case) -> Case | None:
        """A deed with what came of it: whoever is put out here can still be told afterwards. None: it was not done.
        Raises `Unavailable` as long as nobody knows."""
        case = await self.desk.deeds.cases.get(community, case.number) or case
        if case.kind is CaseKind.WARN:
            return case
        outcome = case.deed[1] if case.deed else None
        if outcome is None:
            raise Unavailable("what they are to be told of is not done yet")
        return case if isinstance(outcome, Done | Unconfirmed) else None

    def _asked(self, planned_id: int, chat_id: int) -> float:
        """When this warning was asked for the first time."""
        now = self.clock.monotonic()
        if planned_id not in self._first_asked:
            self._first_asked[planned_id] = now
            self._lately[chat_id].append(now)
        return self._first_asked[planned_id]

    def _first_in_a_while(self, key: tuple[int, str]) -> bool:
        now = self.clock.now()
        while self._warned and next(iter(self._warned.values())) <= now - ONE_WARNING:
            self._warned.popitem(last=False)
        if key in self._warned:
            return False
        self._warned[key] = now
        return True

    # ---- in private -------------------------------------------------------------------------------------------------

    def _hold_back(self, chat_id: int) -> None:
        """Raises `Unavailable` while that chat is raided, and where too much is said in private already: whether
        somebody can be reached shows only when it is tried."""
        now, lately = self.clock.monotonic(), self._lately[chat_id]
        while lately and lately[0] <= now - RAID_WITHIN:
            lately.popleft()
        if len(lately) > RAID:
            raise Unavailable("a raid is on", retry_after=lately[-1] + RAID_WITHIN - now)
        while self._in_private and self._in_private[0] <= now - 60:
            self._in_private.popleft()
        if len(self._in_private) >= max(1, PRIVATE_PER_MINUTE // self.limiter.among()):
            raise Unavailable("too many private messages", retry_after=self._in_private[0] + 60 - now)
        self._in_private.append(now)

    def _timezone(self, planned: PlannedAction) -> str:
        return self.desk.policy(planned.message).timezone

    def _appeal(self, *told: tuple[PlannedAction, Texts]) -> InlineKeyboardMarkup | None:
        """Buttons that open the private chat, where everybody may write who may not write in the group."""
        told = tuple(one for one in told if one[0].case is None or one[0].case.kind.strikes)
        if not self.username or not told:
            return None
        keys = []
        for planned, say in told:
            key = "telegram.appeal_button" if len(told) == 1 else "telegram.appeal_button_of"
            about, code = planned.message, planned.code
            label = say(key, who="" if about.is_name else masked_name(about), code=code)
            url = f"https://t.me/{self.username}?start=appeal_{code}"
            keys.append(InlineKeyboardButton(label, url=url))
        return InlineKeyboardMarkup([keys[place : place + 2] for place in range(0, len(keys), 2)])

    # ---- in the group -----------------------------------------------------------------------------------------------

    async def _notice(self, planned: PlannedAction, chat_id: int, line: str, say: Texts) -> Outcome:
        key = (chat_id, place_of(planned))
        wanted = _Wanted(planned, line, say, asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(key)) is not None:
            waiting.append(wanted)
        else:
            self._waiting[key] = deque([wanted])
            task = asyncio.create_task(self._serve(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await wanted.told

    async def _serve(self, key: tuple[int, Place]) -> None:
        """The first goes at once, what comes meanwhile goes together."""
        waiting = self._waiting[key]
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(ON_ONE_NOTICE, len(waiting)))]
                try:
                    outcome: Outcome | Exception = await self._post(key, batch)
                except (BadRequest, Forbidden, ChatMigrated, Unavailable) as error:
                    outcome = error
                for wanted in batch:
                    _settle(wanted.told, outcome)
                    if isinstance(outcome, Done):
                        outcome = replace(outcome, brief=False)  # whoever is named first takes it away
                if isinstance(outcome, Done):
                    await self.clock.sleep(APART)
        finally:
            del self._waiting[key]
            for wanted in waiting:
                wanted.told.cancel()

    async def _post(self, key: tuple[int, Place], batch: Sequence[_Wanted]) -> Outcome:
        chat_id, place = key
        text, entities = _named(batch)
        async with self.limiter.turn(chat_id, Lane.NOTICE):
            sent = await self.bot.send_message(
                chat_id, text, entities=entities, **place.arguments, disable_notification=True,
                reply_markup=self._appeal(*((one.planned, one.say) for one in batch)),
            )  # fmt: skip
        return Done(f"{chat_id}/{sent.message_id}", brief=True)


_WHO = "\x00"  # no text holds it


def _named(batch: Sequence[_Wanted]) -> tuple[str, list[MessageEntity]]:
    """Lines that tell everybody on them what was done; Telegram shows a person that they are meant."""
    text, entities = "", []
    for wanted in batch:
        author, name = wanted.planned.message.author, masked_name(wanted.planned.message)
        before, is_named, after = wanted.line.partition(_WHO)
        if is_named and not is_channel(author.id):
            bearer = User(int(author.id), name, is_bot=False)
            start = units(text + before)
            entities.append(MessageEntity(MessageEntity.TEXT_MENTION, start, units(name), user=bearer))
        text += before + (name if is_named else "") + after + "\n"
    return cut(text.rstrip("\n"), LONGEST), entities


def _settle(told: "asyncio.Future[Outcome]", outcome: Outcome | Exception) -> None:
    if told.done():
        return
    if isinstance(outcome, Exception):
        told.set_exception(outcome)
    else:
        told.set_result(outcome)
