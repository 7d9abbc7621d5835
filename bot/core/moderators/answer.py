"""What a command is answered, as a value: sentences with their facts, an incident, a report. `bot.wording.answered`
puts it into words, each network draws it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.core.chat.post import Advised, Attachment
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a community, by the network's id; without a name the network looks it up."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of members; where only an id is at hand it may also be a member's."""

    id: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the community, or a chat of its own."""

    id: str


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule that there may be no more."""

    name: str


@dataclass(frozen=True, slots=True)
class File:
    """What somebody has handed over. None: it is larger than anybody reads."""

    content: bytes | None


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the catalogue. A fact may be any value that `bot.wording.answered` has words for: a moment, a
    member, a channel, actions, another sentence. `label`: the key of what it is called."""

    key: str
    facts: Mapping[str, object] = field(default_factory=dict)
    label: str = ""


def said(key: str, /, *, label: str = "", **facts: object) -> Said:
    return Said(key, facts, label)


@dataclass(frozen=True, slots=True)
class Lines:
    """One below the other: sentences, and whatever else may be a fact of one. Bare text is what a network said itself,
    in the asker's language."""

    lines: tuple[object, ...]

    @classmethod
    def of(cls, *lines: object) -> "Lines":
        return cls(tuple(line for line in lines if line is not None))


@dataclass(frozen=True, slots=True)
class Found:
    """An incident with what is on record about its author, as the network shows incidents to moderators."""

    incident: Incident
    history: History


class Wish(StrEnum):
    """What somebody may ask about themselves."""

    DATA = "data"
    ERASE = "erase"
    SURELY = "surely"  # to be erased, asked once more


@dataclass(frozen=True, slots=True)
class Offer:
    """Sentences, and below them what whoever reads them may ask about themselves."""

    said: Lines
    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """A file for whoever asked. `alone`: and for nobody else, wherever they asked."""

    said: Lines
    file: Attachment
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """Sentences, and a button that does what they say."""

    said: Lines
    advised: Advised
