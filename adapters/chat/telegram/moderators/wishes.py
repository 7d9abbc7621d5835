"""A button or a link in private -> what whoever pressed asks about themselves."""

import re
from dataclasses import dataclass

from telegram import CallbackQuery

from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.moderators.asking import Typed
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.refs import TELEGRAM
from bot.core.base.errors import Unavailable
from bot.core.moderators.answer import Lines, Wish, said
from bot.core.moderators.ports import Desk
from bot.core.moderators.wishes import granted
from bot.core.text.catalogue import Texts

PRESSED = re.compile(f"my:({'|'.join(Wish)})")
#: What a link may begin: nothing is erased by following one.
LINKED = {str(wish): wish for wish in (Wish.DATA, Wish.ERASE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    desk: Desk
    drawing: Drawing

    async def grant(self, typed: Typed, wish: Wish) -> None:
        """In a private chat, to the person whose that is."""
        if not typed.in_private or typed.user_id != typed.chat_id:
            return
        try:
            answer = await granted(wish, TELEGRAM, str(typed.user_id), self.desk.privacy)
        except Unavailable:
            answer = Lines.of(said("card.try_again"))
        await self.drawing.show(typed, answer, lane=Lane.NOTICE, quietly=False)


def pressed(query: CallbackQuery, say: Texts) -> tuple[Typed, Wish] | None:
    """None: it is no such button."""
    press, message = PRESSED.fullmatch(query.data or ""), query.message
    if press is None or message is None or not message.is_accessible:
        return None
    return Typed("privacy", press[1], message, say, query.from_user), Wish(press[1])  # type: ignore[arg-type]
