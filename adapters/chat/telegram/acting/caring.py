"""Somebody in despair -> a word to them in private, or not at all: in front of the others it would expose them."""

from telegram import Bot
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.receiving.reading import is_channel
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Outcome, Refused
from bot.core.text.catalogue import Texts
from bot.wording.cards import cared


async def care(bot: Bot, limiter: Limiter, planned: PlannedAction, say: Texts) -> Outcome:
    """Nobody can be written to who never wrote to the bot."""
    author_id = planned.message.author.id
    if is_channel(author_id):
        return Refused("telegram.channel")
    try:
        async with limiter.turn(int(author_id), Lane.NOTICE):
            await bot.send_message(int(author_id), cared(planned.message.channel_name, say))
    except (BadRequest, Forbidden):
        return Refused("care.not_reached")
    return Done()
