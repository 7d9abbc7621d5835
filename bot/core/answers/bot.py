"""What other bots in a community do -> whether what they say is judged as answers to people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.core.chat.message import Message

#: So many messages tell what kind of bot it is; until then whatever answers somebody is judged.
KNOWN_AFTER = 5

#: Of a bot that answers people in prose at least every third message is prose: streaming ones begin with a few words.
_PROSE_IN = 3

_LETTERS = re.compile(r"[^\W\d_]")
_ADDRESS = re.compile(r"https?://\S+")
_LEAST_LETTERS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """What a bot (or a webhook) has done in a community so far; never what it said."""

    id: str
    name: str = ""
    messages: int = 0
    answers: int = 0  # messages that answer somebody
    prose: int = 0  # answers that are prose

    @property
    def converses(self) -> bool | None:
        """Whether it answers people in prose; None while too little is known of it."""
        if self.messages < KNOWN_AFTER:
            return None
        return self.prose * _PROSE_IN >= self.messages

    def having_said(self, message: Message) -> "Bot":
        answers = message.pairing is not None
        return replace(
            self,
            name=message.author.name or self.name,
            messages=self.messages + 1,
            answers=self.answers + answers,
            prose=self.prose + (answers and is_prose(message.text)),
        )


def is_prose(text: str) -> bool:
    """More than a line about a song or a score: enough letters, and most of the signs are letters."""
    words = _ADDRESS.sub("", text)
    letters = len(_LETTERS.findall(words))
    return letters >= _LEAST_LETTERS and 2 * letters >= len("".join(words.split()))


def is_answer(message: Message, choices: Mapping[str, bool], bot: Bot | None) -> bool:
    """Whether a message is judged as a bot's answer: as the community chose, else as the bot has behaved so far."""
    if not message.author.bot or message.author.myself:
        return False
    chosen = choices.get(message.author.id)
    if chosen is not None:
        return chosen
    if message.author.no_account and message.pairing is None:
        return False  # a person may stand behind it
    known = bot.converses if bot else None
    return known is not False
