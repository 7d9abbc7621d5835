"""A community's doors: shut while many come at once; and, where the network leaves that to us, who comes in, what they
may do at first, and what is left lying about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from bot.core.chat.message import CommunityRef, Media
from bot.core.chat.rights import Right
from bot.core.communities.community import Community, Listing, Tidied
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.moderators.answer import Lines, Member, said
from bot.core.moderators.argument import OneOf, Span
from bot.core.moderators.by_hand import Reason, carried_out
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import CalledOff, Done, Lock, Refused, Unlock
from bot.core.rules.policy import Watch

LONGEST = timedelta(hours=24)  # Discord's most

#: The rules that see to it that newcomers write words alone, where the network does not; what each of them finds.
WORDS_ALONE = {
    "only-words-media": f"when.media = {json.dumps([*Media])}",
    "only-words-links": "when.link = {}",
}
_BECAUSE = '{ ko = "새로 들어온 회원은 한동안 글만 쓸 수 있음", en = "newcomers may write words alone for a while" }'


def words_alone(lasting: timedelta) -> Mapping[str, str]:
    """By name, as a policy file has them: they are seen, compared and tried like every other rule of its own."""
    told = f"{int(lasting.total_seconds() // 60)}m"
    return {
        name: f'name = "{name}"\n{what}\nwhen.new_author = "{told}"\nthen = ["delete", "warn"]\nreason = {_BECAUSE}\n'
        'cooldown = "10m"\nstrike = 0\n'
        for name, what in WORDS_ALONE.items()
    }


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
class Newcomers(Command, name="newcomers", right=Right.MANAGE, group="raid"):
    """For so long whoever comes in may write words alone, or whose account is younger than that, where the network
    tells; off: they may do everything at once."""

    lasting: Annotated[timedelta, Span(off=True)] = timedelta(days=1)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        rules = {} if asked.host.restricts_newcomers or not self.lasting else words_alone(self.lasting)

        def edit(now: Community) -> Community:
            others = {name: rule for name, rule in now.rules.items() if name not in WORDS_ALONE}
            return replace(now, newcomers=self.lasting, rules={**rules, **others})

        await asked.change(desk, edit)
        if not self.lasting:
            return Lines.of(said("newcomers.off"))
        watching = said("lists.watching") if rules and desk.policy(asked.message("")).mode is Watch.WATCH else None
        return Lines.of(said("newcomers.by_rule" if rules else "newcomers.for", lasting=self.lasting), watching)


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
