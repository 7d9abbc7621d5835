"""Members have pointed to a message, and moderators have looked at it -> a word to each in private about that."""

from telegram import Bot
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.receiving.reading import is_channel
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done, Inform, Outcome
from bot.core.text.catalogue import Texts
from bot.wording.cards import informed


async def inform(bot: Bot, limiter: Limiter, desk: Desk, planned: PlannedAction, given: Inform, say: Texts) -> Outcome:
    """Nobody can be written to who never wrote to the bot. Who was told is not told again, wherever this breaks off."""
    community = planned.message.community
    for flag, member in await desk.flagging.untold(community, planned.incident_id):
        if not is_channel(member):
            try:
                async with limiter.turn(int(member), Lane.NOTICE):
                    await bot.send_message(int(member), informed(desk.community(community), given, say))
            except (BadRequest, Forbidden):
                pass
        await desk.flagging.told(flag)
    return Done()
