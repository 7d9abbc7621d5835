"""What is on record of the last minutes -> the turns by which answers are paired, so that a start forgets little."""

from datetime import timedelta

from bot.core.answers.pairing import Turn, Turns
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message, Platform
from bot.core.moderation.ports import Inbox

KNOWN = timedelta(minutes=10)  # how far back the record is read
PIECES = "pieces"  # in `Message.extra`: the earlier messages of the same answer


async def recall(turns: Turns, platform: Platform, inbox: Inbox, clock: Clock) -> None:
    try:
        recent = await inbox.recent(clock.now() - KNOWN)
    except Unavailable:
        return  # only guesses are the worse for it
    for message in recent:
        if message.ref.platform == platform and message.text:
            turns.hear(message.ref.channel_id, _turn(message))


def _turn(message: Message) -> Turn:
    return Turn(
        id=message.ref.message_id, author=message.author.id, at=message.sent_at, text=message.text,
        bot=message.author.bot, prompt=message.prompt, pairing=message.pairing, asked=message.reply_to,
        lead=message.lead, pieces=tuple(filter(None, message.extra.get(PIECES, "").split(","))),
    )  # fmt: skip
