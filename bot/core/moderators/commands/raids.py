"""A community's doors: shut while many come at once; and, where the network leaves that to us, who comes in, what they
may do at first, and what is left lying about."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from bot.core.chat.message import CommunityRef
from bot.core.chat.rights import Right
from bot.core.communities.community import Listing, Tidied
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.moderators.answer import Lines, Member, said
from bot.core.moderators.argument import OneOf, Span
from bot.core.moderators.by_hand import Reason, carried_out
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import CalledOff, Done, Lock, Refused, Unlock
from bot.core.rules.policy import Watch

LONGEST = timedelta(hours=24)  # Discord's most


@dataclass(frozen=True)
class LockDown(Command, name="raid_on", right=Right.MANAGE, group="raid"):
    """For a while nobody new comes in, or none but staff may write."""

    lasting: Annotated[timedelta, Span(LONGEST)] = timedelta(hours=1)
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        # What is locked twice would remember the locked state as what was there before.
        if standing := await _standing(desk, asked.community, asked.at):
            return Lines.of(said("lock.stands", case=standing.number))
        actions = (Lock(self.lasting),)
        return await carried_out(asked, desk, CaseKind.LOCK, Member(""), self.reason, self.lasting, actions=actions)


@dataclass(frozen=True)
class OpenUp(Command, name="raid_off", right=Right.MANAGE, group="raid"):
    """Everything is as it was before, at once."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        standing = await _standing(desk, asked.community, asked.at)
        if standing is None or await desk.deeds.undo(asked.community, standing.number, by=asked.by.id) is None:
            return Lines.of(said("lock.none"))
        return Lines.of(said("lock.over", case=standing.number))


@dataclass(frozen=True)
class Gate(Command, name="gate", right=Right.MANAGE, doors=True):
    """Whoever asks to come in is asked something in private first, or not."""

    on: bool

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        await asked.change(desk, lambda now: replace(now, gate=self.on))
        if not self.on:
            return Lines.of(said("gate.is_off"))
        return Lines((said("gate.is_on"), *await asked.host.obstacles_to_gate()))


@dataclass(frozen=True)
class Newcomers(Command, name="newcomers", right=Right.MANAGE, doors=True):
    """For so long whoever comes in may write words alone; off: they may do everything at once."""

    lasting: Annotated[timedelta, Span(off=True)] = timedelta(days=1)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        await asked.change(desk, lambda now: replace(now, newcomers=self.lasting))
        return Lines.of(said("newcomers.for", lasting=self.lasting) if self.lasting else said("newcomers.off"))


@dataclass(frozen=True)
class Tidy(Command, name="tidy", right=Right.MANAGE, doors=True):
    """What nobody needs is deleted: notices that somebody came or went, or commands to the bot."""

    what: Annotated[str, OneOf(tuple(Tidied), "tidied.")]
    on: bool = True

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        what = frozenset({Tidied(self.what)})
        await asked.change(desk, lambda now: replace(now, tidied=now.tidied | what if self.on else now.tidied - what))
        return Lines.of(said("tidied.is_on" if self.on else "tidied.is_off", what=said(f"tidied.{self.what}")))


@dataclass(frozen=True)
class LookUp(Command, name="blocklist", right=Right.MANAGE, doors=True):
    """Whoever comes in is looked up in a public blocklist by their number; moderators are told of those on it, or they
    are silenced, too."""

    what: Annotated[str, OneOf(("off", *Listing), "listing.")]

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        hosts = desk.privacy.blocklists
        if self.what != "off" and not hosts:
            return Lines.of(said("blocklist.not_here"))
        chosen = None if self.what == "off" else Listing(self.what)
        await asked.change(desk, lambda now: replace(now, blocklist=chosen))
        if chosen is None:
            return Lines.of(said("blocklist.is_off"))
        watching = said("lists.watching") if desk.policy(asked.message("")).mode is Watch.WATCH else None
        return Lines.of(said("blocklist.is_on", what=said(f"listing.{chosen}"), hosts=hosts), watching)


async def _standing(desk: Desk, community: CommunityRef, now: datetime) -> Case | None:
    """The lock that is on, or just being put on."""
    found = await desk.deeds.cases.find(community, Search(kind=CaseKind.LOCK), most=1)
    return next((case for case in found if _is_on(case, now)), None)


def _is_on(case: Case, now: datetime) -> bool:
    if case.state is CaseState.UNDONE:
        return False
    for action, outcome in case.outcomes:
        if isinstance(action, Unlock) and outcome is not None:
            return False
        if isinstance(action, Lock) and isinstance(outcome, Refused | CalledOff):
            return False
    return any(isinstance(action, Lock) and isinstance(outcome, Done | None) for action, outcome in case.outcomes)
