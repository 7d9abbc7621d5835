"""What was said when something was done by hand <-> the sealed column in which it stands."""

from typing import Literal

from bot.core.incidents.case import Order
from storage.codec.stored import Stored, fitting
from storage.columns import writable


class StoredWords(Stored):
    """Everybody's words and names in it, and what only matters as long as they do."""

    v: Literal[1]
    words: str = ""
    member: str = ""  # what they were called
    moderator: str = ""
    language: str = "ko"
    channel: str = ""


def write_words(order: Order) -> str:
    with fitting("deed"):
        stored = StoredWords(
            v=1,
            words=writable(order.words),
            member=writable(order.member.name),
            moderator=writable(order.moderator.name),
            language=order.language,
            channel=writable(order.channel),
        )
    return stored.model_dump_json(exclude_defaults=True)


def read_words(stored: str | None) -> StoredWords:
    """Of what was erased nothing is left."""
    if stored is None:
        return StoredWords(v=1)
    with fitting("deed"):
        return StoredWords.model_validate_json(stored)


def without_moderator(stored: str) -> str:
    """What was said, without the name of who did it."""
    return read_words(stored).model_copy(update={"moderator": ""}).model_dump_json(exclude_defaults=True)
