"""A community's doors: shut while many come at once; and, where the network leaves that to us, who comes in, what they
may do at first, and what is left lying about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from bot.core.chat.message import Media
from bot.core.chat.rights import Right
from bot.core.communities.community import Community, Listing, Tidied
from bot.core.incidents.case import CaseKind
from bot.core.incidents.raids.locks import standing
from bot.core.moderators.answer import Channel, Lines, Member, said
from bot.core.moderators.argument import OneOf, Span
from bot.core.moderators.by_hand import Reason, carried_out
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Lock, Means
from bot.core.rules.policy import Watch

LONGEST = timedelta(hours=24)  # Discord's most

#: The rules that see to it that newcomers write words alone, where the network does not; what each of them finds.
WORDS_ALONE = {
    "only-words-media": f"when.media = {json.dumps([*Media])}",
    "only-words-links": "when.link = {}",
}
_BECAUSE = '{ ko = "새로 들어온 회원은 한동안 글만 쓸 수 있음", en = "new members may send text only for a while" }'


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
    """For a while nobody new comes in, none but staff may write, or whatever else the network has for that."""

    means: Annotated[str, OneOf(tuple(Means)[1:], "means.")] = ""
    channel: Channel | None = None
    lasting: Annotated[timedelta, Span(LONGEST)] = timedelta(hours=1)
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        means = Means(self.means) or asked.host.first_means
        lock = Lock(self.lasting, means, self.channel.id if self.channel else "")
        if obstacle := await asked.host.obstacle_to_lock(lock):
            return Lines.of(obstacle)
        for case in await standing(desk.deeds.cases, asked.community):
            # What is locked twice would remember the locked state as what was there before.
            other = case.lock and replace(case.lock, means=case.lock.means or asked.host.first_means)
            if other and (lock.is_as(other) or not asked.host.locks_apart):
                return Lines.of(said("lock.stands", case=case.number))
        return await carried_out(asked, desk, CaseKind.LOCK, Member(""), self.reason, self.lasting, actions=(lock,))


@dataclass(frozen=True)
class OpenUp(Command, name="raid_off", right=Right.MANAGE, group="raid"):
    """Everything is as it was before, at once."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        on = await standing(desk.deeds.cases, asked.community)
        undone = [one for one in on if await desk.deeds.undo(asked.community, one.number, by=asked.by.id)]
        return Lines(tuple(said("lock.over", case=one.number) for one in undone) or (said("lock.none"),))


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
