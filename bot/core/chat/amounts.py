"""A message -> how much it holds of what rooms are flooded with."""

import re
from enum import StrEnum
from typing import NamedTuple, assert_never

from bot.core.chat.message import Media, Message
from bot.core.text.views import heaped

#: What takes a room's space; a poll or buttons come with a text, and are none.
_SHOWN = frozenset(Media) - {Media.POLL, Media.CHECKLIST, Media.BUTTONS, Media.INVOICE, Media.GIVEAWAY, Media.PLACE}

_PICTURE = "[\U0001f300-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*"
#: Discord's own, flags, pictures (those that are drawn as one are one), and signs that are drawn as pictures.
_EMOJI = re.compile(
    r"<a?:\w{2,32}:\d{15,20}>"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    f"|{_PICTURE}(?:\u200d(?:{_PICTURE}|[\u2600-\u27bf]\ufe0f?))*"
    "|[\u2190-\u2bff]\ufe0f"
)


class Amount(StrEnum):
    MESSAGES = "messages"
    MEDIA = "media"
    EMOJI = "emoji"
    MENTIONS = "mentions"
    LINES = "lines"
    MARKS = "marks"  # heaped upon letters until they cover their neighbours


class Amounts(NamedTuple):
    """By the values of `Amount`."""

    messages: int
    media: int
    emoji: int
    mentions: int
    lines: int
    marks: int

    def of(self, what: Amount) -> int:
        return int(getattr(self, what.value))


A_MESSAGE = Amounts(messages=1, media=0, emoji=0, mentions=0, lines=0, marks=0)  # of which nothing more is known


def amount(what: Amount, message: Message) -> int:
    """Linear in what is read of it. The lines of a file that comes along are nobody's flood: they stand behind a
    press."""
    match what:
        case Amount.MESSAGES:
            return 1
        case Amount.MEDIA:
            return int(not message.media.isdisjoint(_SHOWN))
        case Amount.EMOJI:
            return sum(1 for _ in _EMOJI.finditer(message.read))
        case Amount.MENTIONS:
            return message.mentions
        case Amount.LINES:
            return 0 if Media.FILE in message.media else len(message.read.splitlines())
        case Amount.MARKS:
            return heaped(message.read)
        case _:
            assert_never(what)


def amounts(message: Message) -> Amounts:
    return Amounts(*(amount(what, message) for what in Amount))
