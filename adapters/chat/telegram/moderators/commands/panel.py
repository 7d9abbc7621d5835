"""The groups that somebody looks after, in private: a list of them, each leading to its set-up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from telegram import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup

from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, refused, spoken
from adapters.chat.telegram.moderators.rooms import looked_after
from adapters.chat.telegram.moderators.setup import Menu, Setup
from adapters.chat.telegram.refs import group_ref
from bot.core.moderators.commands import overview
from bot.core.moderators.permissions import may
from bot.core.text.catalogue import Texts, texts

MOST_SHOWN = 40  # groups

_PRESSED = re.compile(r"panel:(all|-[0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    members: Members
    setup: Setup

    async def open(self, typed: Typed) -> bool:
        """False: whoever asks looks after no group that we know."""
        groups = await self._known(typed.user_id)
        if groups:
            await self.setup.drawing.answers.say(typed, *await self._groups(typed.user_id, typed.say))
        return bool(groups)

    async def _known(self, user: int) -> Sequence[str]:
        return await looked_after(user, self.setup.desk, self.members)

    async def press(self, query: CallbackQuery) -> bool:
        """A group of the list, or the way back to it; False: it is neither. What somebody may do there is asked now."""
        if (choice := _PRESSED.fullmatch(query.data or "")) is None:
            return False
        say, user = texts(spoken(query.from_user.language_code)), query.from_user.id
        if choice[1] != "all":
            if not may(rights := await self.members.rights(int(choice[1]), user), overview.Setup.right):
                await self.setup.answer_press(query, refused(rights, say))
                return True
            say = texts(self.setup.desk.community(group_ref(choice[1])).language or say.language)
        await self.setup.answer_press(query, "")
        shown = await (self._groups(user, say) if choice[1] == "all" else self.setup.menu(choice[1], say))
        if query.message:
            await self.setup.rewrite(query.message.chat.id, query.message.message_id, shown)
        return True

    async def _groups(self, user: int, say: Texts) -> Menu:
        rows = []
        for group in (await self._known(user))[:MOST_SHOWN]:
            name = self.setup.desk.community(group_ref(group)).name or await self.setup.drawing.rooms.title(group)
            rows.append([InlineKeyboardButton(name, callback_data=f"panel:{group}")])
        return say["telegram.my_groups"], InlineKeyboardMarkup(rows)
