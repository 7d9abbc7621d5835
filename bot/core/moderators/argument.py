"""What a command may be given: the type of a field -> its kind, which each network asks for in its own way."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from bot.core.chat.message import Message
from bot.core.incidents.case import CODE
from bot.core.moderators.answer import Channel, File, Member, Role, Said
from bot.core.moderators.ports import Desk

if TYPE_CHECKING:
    from bot.core.moderators.command import Asked, Command

LONGEST_SPAN = timedelta(days=30)
LARGEST_FILE = 512 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Text:
    """Words of one's own; what is left when everything else has been read. `lines`: a window for several lines opens
    where it is left out and the network has windows."""

    lines: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """`off`: may be written as such, and is 0 then. `of`: what it is the number of. `by_name`: see `Switch`."""

    least: float
    most: float
    off: bool = False
    of: str = ""
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A time such as 30m, 2h, 1d; `off` is none at all."""

    most: timedelta = LONGEST_SPAN
    off: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off; its own name alone means on. `by_name`: where it is typed, only behind its name."""

    by_name: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words, called `family` and the word in the texts. `or_like`: what else may be typed."""

    words: tuple[str, ...]
    family: str
    or_like: str = ""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Something that a community has: what `of` tells by value, and as what it is shown, is offered; by number where it
    is typed."""

    of: Callable[["Asked", Desk], Mapping[str, Said | str]]


@dataclass(frozen=True, slots=True)
class Like:
    """What fits an expression, such as a day."""

    expression: str


@dataclass(frozen=True, slots=True)
class Someone:
    """A member: chosen, mentioned, or the author of the message that is answered."""


@dataclass(frozen=True, slots=True)
class ARole:
    """Where a network has them."""


@dataclass(frozen=True, slots=True)
class AChannel:
    """A part of the community where it has any; `to_write`: a place to send messages to, on every network."""

    to_write: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The message that is answered, or under which the command was chosen."""


@dataclass(frozen=True, slots=True)
class AFile:
    """A file that is sent along, or the one in the message that is answered."""


Kind: TypeAlias = (
    Text | Number | Span | Switch | OneOf | Suggested | Like | Someone | ARole | AChannel | Target | AFile
)  # fmt: skip

#: Of what its type says all.
_PLAIN: dict[type, Kind] = {
    str: Text(), bool: Switch(), timedelta: Span(), Member: Someone(), Role: ARole(), Channel: AChannel(),
    Message: Target(), File: AFile(),
}  # fmt: skip
#: The number of an incident's case, as it stands on cards.
_INCIDENT = Number(1, 2**53 - 1, of="incident")
IncidentNumber: TypeAlias = Annotated[int, _INCIDENT]
#: The number of a case, which is its community's own.
CaseNumber: TypeAlias = Annotated[int, Number(1, 2**53 - 1, of="case")]
#: As members call a case.
CaseCode: TypeAlias = Annotated[str, Like(CODE)]
Day: TypeAlias = Annotated[str, Like(r"\d{4}-\d{2}-\d{2}")]


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    kind: Kind
    is_needed: bool


def arguments(command: "type[Command]") -> tuple[Argument, ...]:
    """In the order in which they are declared."""
    hashed: Any = command  # mypy takes the hash of the class for that of its values
    return _declared(hashed)


@cache
def _declared(command: Any) -> tuple[Argument, ...]:
    hints = get_type_hints(command, include_extras=True)
    return tuple(
        Argument(one.name, _kind(hints[one.name]), one.default is MISSING and one.default_factory is MISSING)
        for one in fields(command)
    )


def is_about_incident(command: "type[Command]") -> bool:
    """Whether it is given an incident's number."""
    return any(one.kind is _INCIDENT for one in arguments(command))


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Annotated:
        kind: Kind = hint.__metadata__[0]
        return kind
    if NoneType in (of := get_args(hint)):
        (hint,) = (one for one in of if one is not NoneType)
        return _kind(hint)
    return _PLAIN[hint]
