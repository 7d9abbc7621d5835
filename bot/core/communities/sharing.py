"""What communities of one owner may share, and how one agrees to that: nothing crosses that both have not agreed to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.core.chat.message import CommunityRef, Platform

MOST = 20  # communities that one shares with

#: How a community is called where another one is: network and id.
NAME = r"[a-z]{1,20}:-?[0-9A-Za-z]{1,40}"


class Shared(StrEnum):
    BANS = "bans"  # who is banned in one is banned in the other, on the same network
    PRECEDENTS = "precedents"  # what is called right or wrong in one is so in the other
    RECORDS = "records"  # moderators of one see how much is on record about a member in the other


@dataclass(frozen=True, slots=True)
class Consent:
    """`by`: the owner who has agreed, by the network's id: for whoever owns it after them it is none."""

    by: str
    at: datetime

    def __str__(self) -> str:
        return self.at.isoformat(timespec="minutes")


#: By what is shared with whom (`consent_key`).
Consents = Mapping[str, Consent]


def name_of(community: CommunityRef) -> str:
    return f"{community.platform}:{community.id}"


def read_name(name: str) -> CommunityRef | None:
    platform, _, id_ = name.strip().partition(":")
    return CommunityRef(Platform(platform), id_) if re.fullmatch(NAME, name.strip()) else None


def consent_key(what: Shared, other: CommunityRef) -> str:
    return f"{what} {name_of(other)}"


def consented(consents: Consents) -> Mapping[CommunityRef, frozenset[Shared]]:
    """With whom a community would share what, whether those have agreed or not."""
    found: dict[CommunityRef, frozenset[Shared]] = {}
    for key in consents:
        what, _, name = key.partition(" ")
        if (other := read_name(name)) and what in tuple(Shared):
            found[other] = found.get(other, frozenset()) | {Shared(what)}
    return found


def agreed(here: CommunityRef, ours: Consents, there: CommunityRef, theirs: Consents, what: Shared) -> datetime | None:
    """Since when two share that; None: they do not. On one network the same person has agreed for both."""
    one, other = ours.get(consent_key(what, there)), theirs.get(consent_key(what, here))
    if one is None or other is None or here == there:
        return None
    if here.platform == there.platform and one.by != other.by:
        return None
    return max(one.at, other.at)
