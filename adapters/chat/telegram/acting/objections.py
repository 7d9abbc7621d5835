"""What somebody has to say to a deed by hand, of which there is no card -> a message in the moderators' chat."""

from telegram import Bot
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.text import LONGEST, GroupManner, cut
from bot.core.incidents.case import Case
from bot.core.rules.actions import NO_ROOM, Done, Outcome, Refused
from bot.wording.answered import objected


async def pass_on(bot: Bot, limiter: Limiter, room: str | None, case: Case, manner: GroupManner) -> Outcome:
    if room is None:
        return Refused(NO_ROOM)
    try:
        async with limiter.turn(int(room), Lane.CARD):
            sent = await bot.send_message(int(room), cut(objected(case, manner), LONGEST))
    except (BadRequest, Forbidden):
        return Refused(NO_ROOM)
    return Done(f"{room}/{sent.message_id}")
