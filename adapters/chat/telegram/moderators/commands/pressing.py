"""A press on a button that sets a threshold -> the command that does so, for whoever may."""

from dataclasses import dataclass

from telegram import CallbackQuery

from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, refused, spoken
from adapters.chat.telegram.moderators.commands.advised import PRESSED
from adapters.chat.telegram.moderators.commands.arguments import Arguments
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from bot.core.moderators.advised import meant
from bot.core.moderators.commands.settings import Threshold
from bot.core.moderators.permissions import may
from bot.core.text.catalogue import texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Advising:
    members: Members
    arguments: Arguments
    drawing: Drawing

    async def press(self, query: CallbackQuery) -> str | None:
        """What only the presser is told, who may set it or not as Telegram says now; None: it is no such button."""
        press, message = PRESSED.fullmatch(query.data or ""), query.message
        if press is None or message is None or not message.is_accessible:
            return None
        say = texts(spoken(query.from_user.language_code))
        typed = Typed(Threshold.name, "", message, say, query.from_user, group=press[1])  # type: ignore[arg-type]
        rights = await self.members.rights(int(press[1]), query.from_user.id)
        if not may(rights, Threshold.right):
            return refused(rights, say)
        asked, desk = await self.arguments.asked(typed, rights), self.arguments.desk
        if (found := meant(press[2], press[3], desk.policy(asked.message("")).rules)) is None:
            return say["what_if.gone"]
        answer = await Threshold(found[0].name, found[1]).run(asked, desk)
        await self.drawing.show(typed, answer, lane=Lane.ANSWER, quietly=False)
        return ""
