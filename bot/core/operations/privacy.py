"""Somebody asks about themselves -> what is on record about them as a file, or its erasure with a receipt."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.case import Case, Sanction
from bot.core.incidents.incident import Incident
from bot.core.operations.erasing import Erasing, Receipt
from bot.core.operations.retention import Limits

DAY = 86_400.0  # seconds in which somebody is served once
REMEMBERED = 100_000  # members who were served
WAITING = 20  # members who wait: the record is read for one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What is on record about a member in one community. `deeds`: what moderators did by hand, but for their notes;
    `sent`: in which channels they wrote when, as long as that is known; `linked`: where moderators hold accounts to be
    the same person's. Which those are is not told: moderators may be mistaken."""

    community: CommunityRef
    incidents: Sequence[Incident] = ()
    deeds: Sequence[Case] = ()
    sanctions: Sequence[Sanction] = ()
    sent: Sequence[tuple[str, datetime]] = ()
    linked: Sequence[CommunityRef] = ()


class People(Protocol):
    """What is on record about whom."""

    async def places(self, platform: Platform, member: str) -> Sequence[CommunityRef]:
        """The communities in which anything is, if only that they were there."""
        ...

    async def of_member(self, community: CommunityRef, member: str) -> Dossier: ...

    async def sent(self, community: CommunityRef, member: str, channel: str, *, most: int) -> Sequence[str]:
        """The newest `most` messages of a member in a channel, by their ids and newest first: as long as a hash tells
        whose they are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What came of it in all communities."""

    receipts: tuple[Receipt, ...]

    @property
    def code(self) -> str:
        return ", ".join(one.code for one in self.receipts) or "-"

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.receipts)

    @property
    def left(self) -> int:
        return sum(one.left for one in self.receipts)


@dataclass(slots=True, kw_only=True)
class Privacy:
    """Whoever asks, asks for themselves: the network says who that is. `judges`: where what is said is sent to be
    judged, beyond this machine; `readers`: where what waits for moderators is read, too; `in_the_clear`: those of them
    to which it goes over plain http. `blocklists`: who hears the numbers of members who come in, where a community
    wants that."""

    people: People
    erasing: Erasing
    limits: Limits
    clock: Clock
    judges: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    in_the_clear: tuple[str, ...] = ()
    blocklists: tuple[str, ...] = ()
    _served: Bounded[tuple[str, Platform, str], float] = field(default_factory=lambda: Bounded(REMEMBERED))
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def export(self, platform: Platform, member: str) -> bytes | None:
        """JSON; None: they had it within a day."""
        async with self._once("export", platform, member) as is_first:
            if not is_first:
                return None
            places = await self.people.places(platform, member)
            return written([await self.people.of_member(place, member) for place in places])

    async def erase(self, platform: Platform, member: str) -> Erasure | None:
        """In all communities of the network; None: they have had that within a day."""
        async with self._once("erase", platform, member) as is_first:
            if not is_first:
                return None
            places = await self.people.places(platform, member)
            receipts = [await self.erasing.erase_member(place, member) for place in places]
            return Erasure(receipts=tuple(one for one in receipts if one))

    @asynccontextmanager
    async def _once(self, wish: str, platform: Platform, member: str) -> AsyncIterator[bool]:
        """Whose wish failed may ask again."""
        key, now = (wish, platform, member), self.clock.monotonic()
        if now - self._served.get(key, -DAY) < DAY:
            yield False
            return
        if self._waiting >= WAITING:
            raise Unavailable("many ask for their records", retry_after=60)
        self._served[key] = now
        self._waiting += 1
        try:
            async with self._turn:
                yield True
        except BaseException:
            self._served.pop(key, None)
            raise
        finally:
            self._waiting -= 1


def written(dossiers: Sequence[Dossier]) -> bytes:
    """For whom it is about, and for programs."""
    return json.dumps([_facts(one) for one in dossiers], ensure_ascii=False, indent=2).encode() + b"\n"


def _facts(dossier: Dossier) -> dict[str, Any]:
    return {
        "platform": dossier.community.platform,
        "community": dossier.community.id,
        "incidents": [_incident(one) for one in dossier.incidents],
        "moderation": [
            {
                "case": one.code,
                "kind": one.kind,
                "at": one.opened_at.isoformat(),
                "state": one.state,
                "name": one.member.name,
                "reason": one.words,
            }
            for one in dossier.deeds
        ],
        "sanctions": [
            {
                "case": one.code,
                "kind": one.kind,
                "begins_at": one.begins_at.isoformat(),
                "ends_at": one.ends_at.isoformat() if one.ends_at else None,
            }
            for one in dossier.sanctions
        ],
        "messages": [{"channel": channel, "sent_at": at.isoformat()} for channel, at in dossier.sent],
        "linked": [{"platform": one.platform, "community": one.id} for one in dossier.linked],
    }


def _incident(incident: Incident) -> dict[str, Any]:
    about = incident.decision.message
    return {
        "incident": incident.code,
        "decided_at": incident.decided_at.isoformat(),
        "sent_at": about.sent_at.isoformat(),
        "channel": about.channel_name or about.ref.channel_id,
        "name": about.author.name,
        "text": about.text,
        "rule": incident.decision.rule,
        "actions": [action.kind for action, _ in incident.outcomes],
        "review": incident.review.call if incident.review else None,
        "appeal": incident.appeal.words if incident.appeal else None,
    }
