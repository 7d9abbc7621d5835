"""Settlements -> raids: begun, joined, shown as one card, dealt with as moderators press, over by themselves."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Wakeup, patiently
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseKind, Order, Person
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.incidents.raids.noticing import LATELY, Crowd, seen
from bot.core.incidents.raids.ports import Ordered, Raids
from bot.core.incidents.raids.raid import CALM, MOST, Press, Raider, Sign
from bot.core.rules.actions import Ban, Escalate, OnCard
from bot.core.text.catalogue import texts

LOOK = 0.5  # seconds between two looks at what is to be written down and done
RENEW = 2.0  # seconds between two looks at what cards do not say yet
TOGETHER = 50  # members dealt with in one look
COMMUNITIES = 10_000

#: Before the id of a raid: in place of the receipt of a card, where an incident is shown on that of a raid.
ON_RAID = "raid:"


@dataclass(slots=True)
class _Raid:
    """One that is on. `new`: who is not written down yet."""

    sign: Sign
    began_at: datetime
    last_at: datetime
    id: int = 0  # 0: not written down yet
    signs: set[Sign] = field(default_factory=set)
    members: dict[str, bool] = field(default_factory=dict)
    new: dict[str, Raider] = field(default_factory=dict)
    language: str = "ko"

    def join(self, member: str, at: datetime, *, offended: bool) -> None:
        if member not in self.members and len(self.members) >= MOST:
            return
        self.last_at = max(self.last_at, at)
        if offended > self.members.get(member, -1):
            self.members[member] = offended
            self.new[member] = Raider(id=member, at=at, offended=offended)


@dataclass(slots=True)
class _Community:
    crowds: dict[Sign, Crowd] = field(default_factory=lambda: {sign: Crowd() for sign in Sign})
    raid: _Raid | None = None


@dataclass(slots=True, kw_only=True)
class RaidWatch:
    """What it remembers is bounded and lost with the process; what is written down is gone on with."""

    raids: Raids
    deeds: Deeds
    clock: Clock
    planned: Wakeup
    is_in_charge: Callable[[], bool] = lambda: True  # of what one process does for all: orders, and cards renewed
    _known: Bounded[CommunityRef, _Community] = field(default_factory=lambda: Bounded(COMMUNITIES))
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    # ---- noticed ----------------------------------------------------------------------------------------------------

    def settled(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            if signs := seen(settlement):
                self._note(settlement, signs)

    def _note(self, settlement: Settlement, signs: frozenset[Sign]) -> None:
        message, now = settlement.decision.message, settlement.decided_at
        here = self._known.refresh(message.community, _Community())
        member, offended = message.author.id, Sign.OFFENCES in signs
        for sign in sorted(signs):
            at = message.author.since if sign is Sign.JOINS and message.author.since else message.sent_at
            is_new, raid = here.crowds[sign].add(member, at), here.raid
            if is_new and (raid is None or sign not in raid.signs) and here.crowds[sign].is_too_many(sign, now):
                self._begin(here, sign, now, settlement.decision.language)
        if here.raid and not here.raid.signs.isdisjoint(signs):
            here.raid.join(member, message.sent_at, offended=offended)

    def _begin(self, here: _Community, sign: Sign, now: datetime, language: str) -> None:
        """Or it is noticed by this, too. Whoever belongs to it was there before it was noticed."""
        raid = here.raid = here.raid or _Raid(sign, now, now, language=language)
        raid.signs.add(sign)
        offenders = here.crowds[Sign.OFFENCES].since(now - LATELY)
        for member, at in here.crowds[sign].since(now - LATELY).items():
            raid.join(member, at, offended=member in offenders)

    def is_on(self, community: CommunityRef) -> bool:
        here = self._known.get(community)
        return here is not None and here.raid is not None

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        if here := self._known.get(community):
            for crowd in here.crowds.values():
                crowd.forget(is_theirs)
            for known in (here.raid.members, here.raid.new) if here.raid else ():
                for member in [member for member in known if is_theirs(member)]:
                    del known[member]

    # ---- shown ------------------------------------------------------------------------------------------------------

    async def shows(self, planned: PlannedAction) -> str:
        """The receipt where what would be on a card of its own is on that of a raid; else nothing. Objections are
        always shown."""
        if planned.case or planned.appealed or not isinstance(planned.action, OnCard):
            return ""
        here = self._known.get(planned.message.community)
        if here and here.raid and planned.message.author.id in here.raid.members:
            if not here.raid.id:
                await self._write_down(planned.message.community, here.raid)
            if not here.raid.id:  # nobody is left who takes part
                raise Unavailable("its raid is not on record yet", retry_after=1)
            return f"{ON_RAID}{here.raid.id}"
        is_there = isinstance(planned.action, Escalate) and planned.card.startswith(ON_RAID)
        return planned.card if is_there else ""

    # ---- written down, and done -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Without end."""
        await self.resume()
        renewed = self.clock.monotonic()
        while True:
            await self.work()
            if self.clock.monotonic() - renewed >= RENEW:
                renewed = self.clock.monotonic()
                await self.resume()
                if self.is_in_charge():
                    await self.renew()
            await self.clock.sleep(LOOK)

    async def resume(self) -> None:
        """What another process has noticed or left; what was heard here goes onto that."""
        for one in await patiently(self.raids.running, self.clock):
            here = self._known.refresh(one.community, _Community())
            here.raid = here.raid or _Raid(one.sign, one.began_at, one.last_at, signs={one.sign})
            here.raid.id = one.id
            here.raid.members = {**one.members, **here.raid.members}

    async def work(self) -> None:
        """Write down who takes part, and carry out what was ordered."""
        for community, here in list(self._known.items()):
            if here.raid:
                await self._keep(community, here, here.raid)
        for order in await patiently(partial(self.raids.ordered, TOGETHER), self.clock) if self.is_in_charge() else ():
            await patiently(partial(self._carry_out, order), self.clock)

    async def renew(self) -> None:
        if await patiently(partial(self.raids.renew, self.clock.now()), self.clock):
            self.planned.wake()

    async def _keep(self, community: CommunityRef, here: _Community, raid: _Raid) -> None:
        now = self.clock.now()
        if raid.new:
            await patiently(partial(self._write_down, community, raid), self.clock)
        elif now - raid.last_at > CALM and here.raid is raid:
            here.raid = None

    async def _write_down(self, community: CommunityRef, raid: _Raid) -> None:
        """Who is new in it. Unavailable: later."""
        async with self._writing:
            if not (new := dict(raid.new)):
                return
            raid.id = await self.raids.join(
                community, raid.sign, list(new.values()), language=raid.language, at=raid.began_at
            )
            for member, raider in new.items():
                if raid.new.get(member) is raider:
                    del raid.new[member]
        self.planned.wake()

    async def _carry_out(self, order: Ordered) -> None:
        if order.case is not None:
            await self.deeds.take_back(order.community, order.case, by=order.by.id)
            await self.raids.done(order, order.case)
            return
        ban = Order(
            kind=CaseKind.BAN,
            member=Person(order.member),
            moderator=order.by,
            at=order.at,
            words=texts(order.language)("raid.because", number=order.raid),
            language=order.language,
            channel=order.community.id,
            actions=(Ban(wipes=True),),
        )
        case = await self.deeds.take_in(order.community, ban)
        self.planned.wake()
        await self.raids.done(order, case.number)

    async def press(self, press: Press, *, by: Person) -> int:
        """Who may is the platform's to check. For how many it was new: no more than the button said."""
        at = self.clock.now()
        return await self.raids.order(press.raid_id, press.remedy, press.whom, press.count, by=by, at=at)
