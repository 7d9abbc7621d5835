"""A message, and what moderators have called right or wrong -> what of that is a precedent for it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.core.chat.links import LinkKind
from bot.core.chat.message import Message
from bot.core.text.addresses import addresses
from bot.core.text.lately import remembered
from bot.core.text.views import unstyled, views

#: Keyed: a text, or a piece of one, -> what it is recognised by.
Mark = Callable[[str], bytes]

LONGEST = 400  # letters: of longer texts only the very same one is alike
SHORTEST = 10  # letters: so are shorter ones, where one syllable changes everything
OTHERWISE = 4  # pieces that one text has and the other not, at most: a typo, less than a word
_PIECE = 3  # jamo

_NO_LETTER = re.compile(r"[^가-힣ㄱ-ㅎㅏ-ㅣa-z]+")
#: Numbers however they are set, and names that one writes to: what an advertiser adds.
_NUMBER, _HANDLE = re.compile(r"\d(?:[\s.,\-()]*\d)*"), re.compile(r"@\s*[\w.]+")


class Ruling(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What a message is recognised by, in keyed hashes alone: its letters, read through disguises and spaces; what it
    carries beside them (addresses, numbers, names to write to, media); and the pieces that its letters are made of."""

    letters: bytes
    carries: bytes
    pieces: frozenset[int] = frozenset()

    def covers(self, other: "Likeness") -> bool:
        """Whether the other says the same: in the very same letters, or in some that differ by less than a word either
        way. What carries something else is something else."""
        if self.carries != other.carries:
            return False
        if self.letters == other.letters:
            return True
        if not self.pieces or abs(len(self.pieces) - len(other.pieces)) > OTHERWISE or not other.pieces:
            return False
        return max(len(self.pieces - other.pieces), len(other.pieces - self.pieces)) <= OTHERWISE


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """What moderators of this community have called right or wrong, and which rules had found it. `incident_id` None:
    it was said over HTTP, of a judgement that was given there. `case`: its number."""

    incident_id: int | None
    case: int = 0
    ruling: Ruling
    rules: frozenset[str]
    likeness: Likeness
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Which rules have found something when, and what it is recognised by."""

    rules: frozenset[str]
    likeness: Likeness
    at: datetime


def likeness(message: Message, mark: Mark) -> Likeness | None:
    """None where nothing is said that could be recognised: no letters, a bot's answer, more than is read."""
    if message.pairing or message.author.bot or not message.is_read_whole:
        return None
    seen = views(message.text)
    letters = _NO_LETTER.sub("", (seen.opened or seen.plain).lower())
    if len(letters) < 2:
        return None
    jamo = unicodedata.normalize("NFD", letters)
    near = SHORTEST <= len(letters) <= LONGEST
    pieces = {jamo[place : place + _PIECE] for place in range(len(jamo) - _PIECE + 1)} if near else set()
    return Likeness(
        letters=mark(f"letters {letters}"),
        carries=mark("carries " + "\n".join(sorted(_carried(message))).encode("utf-8", "replace").decode()),
        pieces=frozenset(_number(mark, piece) for piece in pieces),
    )


def _carried(message: Message) -> set[str]:
    text = unstyled(message.text).lower()
    numbers = {re.sub(r"\D", "", found) for found in _NUMBER.findall(text)}
    links = {link.target for link in message.links if link.kind is not LinkKind.MENTION}
    handles = {found.replace(" ", "") for found in _HANDLE.findall(text)}
    others = {*(f"media {one}" for one in message.media), *(["forwarded"] if message.forwarded else [])}
    return {*numbers, *handles, *links, *addresses(message.text), *others, *(["via"] if message.via_bot else [])}


def _numbered(mark: Mark, piece: str) -> int:
    return int.from_bytes(mark(f"piece {piece}")[:4], "big")


_number = remembered(_numbered, most=65_536)
