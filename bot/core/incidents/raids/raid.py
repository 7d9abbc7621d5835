"""A raid as moderators see it: how it was noticed, how many take part, and what was done about them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.chat.message import CommunityRef

#: A raid is over when nobody has joined it for so long.
CALM = timedelta(minutes=5)

#: Members of one raid that are kept: who comes after them is dealt with alone.
MOST = 5_000


class Sign(StrEnum):
    """By what a raid is noticed."""

    JOINS = "joins"  # many came at once
    OFFENCES = "offences"  # many broke rules at once


class Whom(StrEnum):
    """Of those who take part."""

    OFFENDERS = "offenders"  # who broke a rule
    ALL = "all"  # those who only came, too


class Remedy(StrEnum):
    BAN = "ban"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raider:
    """By the network's id. `offended`: broke a rule; the others have only come."""

    id: str
    at: datetime
    offended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Raid:
    """A case whose members are many. `left`: of how many a moderator has ordered nothing yet; of the others so many are
    `banned`, could not be (`refused`), or are free again (`freed`). `receipt`: the card on which moderators see it."""

    id: int
    community: CommunityRef
    number: int
    sign: Sign
    began_at: datetime
    last_at: datetime
    is_over: bool
    members: int
    offenders: int
    left: Mapping[Whom, int]
    banned: int = 0
    refused: int = 0
    freed: int = 0
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """What a button of a raid's card carries: what it was pressed for is what it said."""

    remedy: Remedy
    whom: Whom
    raid_id: int
    count: int

    def __str__(self) -> str:
        return f"jikimi:raid:{self.remedy}:{self.whom}:{self.raid_id}:{self.count}"


PRESS = re.compile(
    rf"jikimi:raid:(?P<remedy>{'|'.join(Remedy)}):(?P<whom>{'|'.join(Whom)}):(?P<raid>\d{{1,18}}):(?P<count>\d{{1,6}})"
)


def pressed(carried: str) -> Press | None:
    """None: not a button of ours."""
    found = PRESS.fullmatch(carried)
    return found and Press(Remedy(found["remedy"]), Whom(found["whom"]), int(found["raid"]), int(found["count"]))
