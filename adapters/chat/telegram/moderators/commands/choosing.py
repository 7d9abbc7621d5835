"""Which group a command is about, where that is not clear: buttons, and the press of the person who asked."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from telegram import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup

from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Answers, Typed, refused, spoken
from adapters.chat.telegram.moderators.rooms import Rooms, looked_after
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts

IN_GROUP, IN_PRIVATE_CHAT = (1, 60.0), (20, 60.0)  # of each command of a member's, so many within so many seconds
REMEMBERED = 10_000  # members
WAITING = 500  # commands of which the group is still to be chosen
MOST_OFFERED = 20  # groups

CHOICE = re.compile(r"for:([0-9]{1,9}):(-[0-9]{1,18})")


@dataclass(slots=True, kw_only=True)
class Crowd:
    """Members' commands are served so often that nobody fills a chat by them."""

    clock: Clock
    _taken: Bounded[tuple[int, int, str], deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))

    def has_room(self, typed: Typed) -> bool:
        most, within = IN_PRIVATE_CHAT if typed.in_private else IN_GROUP
        key, now = (typed.chat_id, typed.speaker_id, typed.name), self.clock.monotonic()
        taken = self._taken.refresh(key, deque())
        while taken and taken[0] <= now - within:
            taken.popleft()
        if len(taken) >= most:
            return False
        taken.append(now)
        return True

    def forget(self) -> None:
        self._taken.clear()


@dataclass(slots=True, kw_only=True)
class Choosing:
    desk: Desk
    members: Members
    rooms: Rooms
    answers: Answers
    crowd: Crowd
    _waiting: Bounded[int, Typed] = field(default_factory=lambda: Bounded(WAITING))
    _number: int = 0

    async def groups(self, typed: Typed) -> Sequence[str]:
        """The communities that a command may be about."""
        if typed.in_group:
            return self._looked_after_here(typed) or [str(typed.chat_id)]
        return await looked_after(typed.user_id, self.desk, self.members)

    async def answer_unknown(self, typed: Typed, nearest: Callable[[str], str]) -> None:
        """Where moderators of another group sit they are told which was meant, in private what there is; elsewhere it
        may be another bot's."""
        told = ""
        if typed.in_private:
            told = typed.say["telegram.hello"]
        elif self._looked_after_here(typed) and (near := nearest(typed.name)):
            told = typed.say("telegram.no_command", given=typed.name, near=near)
        if told and self.crowd.has_room(typed):
            await self.answers.say(typed, told)

    def _looked_after_here(self, typed: Typed) -> Sequence[str]:
        here = str(typed.chat_id)
        return [one.id for one in self.desk.communities(TELEGRAM) if one.moderators_channel == here != one.id]

    async def ask(self, typed: Typed, groups: Sequence[str]) -> None:
        """Buttons, of which one is pressed by the person who asked; a press also tells who an anonymous admin is."""
        if typed.is_anonymous and not self.crowd.has_room(typed):
            return
        self._number += 1
        self._waiting[self._number] = typed
        keys = []
        for group in groups[:MOST_OFFERED]:
            name = self.desk.community(group_ref(group)).name or await self.rooms.title(group)
            keys.append([InlineKeyboardButton(name, callback_data=f"for:{self._number}:{group}")])
        text = typed.say["telegram.who_are_you" if typed.is_anonymous else "telegram.which_group"]
        await self.answers.say(typed, text, InlineKeyboardMarkup(keys))

    async def chosen(self, number: int, group: str, query: CallbackQuery) -> Typed | str:
        """The command, about that group; or why not."""
        typed = self._waiting.get(number)
        if typed is None:
            return texts(spoken(query.from_user.language_code))["telegram.ask_again"]
        if not typed.is_anonymous and typed.user_id != query.from_user.id:
            return typed.say["telegram.not_your_command"]
        if not (rights := await self.members.rights(int(group), query.from_user.id)):
            return refused(rights, typed.say)
        del self._waiting[number]
        return replace(typed, group=group, user=query.from_user)
