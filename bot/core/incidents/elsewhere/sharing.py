"""Communities that have agreed to share -> bans of one are carried out in the other, and lifted there with it; and what
was agreed ends where whoever has agreed owns a community no more."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Owners
from bot.core.communities.sharing import Shared, consented
from bot.core.incidents.case import CaseKind, Order, Person, native
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.ports import Links, SharedBan, SharedBans
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import Texts, texts

LOOK = 5.0  # seconds between two looks
#: A ban that could not be handed on for so long is not any more: a case must not be dated far from its number.
LATELY = timedelta(minutes=50)
MOST_A_DAY = 100  # bans that one community takes over: whoever bans a crowd may not be who they seem
TOGETHER = 20
OWNED_FOR = 300.0  # seconds for which we believe a network who owns a community
REMEMBERED = 10_000  # owners

_log = structlog.get_logger(__name__)

#: What is said to a community's moderators, in their language.
Tell = Callable[[Community, Callable[[Community, Texts], str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Bans of one that are carried out in the other, and since when both have agreed to that."""

    of: Community
    to: Community
    since: datetime


@dataclass(slots=True, kw_only=True)
class Sharing:
    """A ban is carried out in the name of the owner who has agreed, as a case of its own: it can be undone there alone.
    Nothing is said of it in front of people who may not know the member, who heard it where it was imposed. Nobody is
    banned where the bot only watches, nor whom that community has exempted; its staff is for the network to spare. What
    was handed on is never handed on from there."""

    policies: Policies
    bans: SharedBans
    links: Links
    deeds: Deeds
    owners: Mapping[Platform, Owners]
    tell: Tell
    clock: Clock
    _owned: Bounded[CommunityRef, tuple[float, str | None]] = field(default_factory=lambda: Bounded(REMEMBERED))

    async def run(self) -> None:
        """Without end."""
        while True:
            await self.work()
            await self.clock.sleep(LOOK)

    async def work(self) -> None:
        for community in self.policies.communities():
            if community.shares and community.left_at is None:
                try:
                    await self._serve(community)
                except BotError as error:  # at the next look
                    _log.warning("not shared", community=community.id, reason=error)

    async def _serve(self, community: Community) -> None:
        if not await self._is_still_theirs(community):
            return
        for pair in self._pairs(community):
            if await self._is_still_theirs(pair.of):
                await self._free(pair)
                await self._hand_on(pair)

    def _pairs(self, to: Community) -> Iterator[_Pair]:
        """Members have one id on one network, and another one on every other."""
        for other, since in self.policies.partners(to.ref, Shared.BANS).items():
            if other.platform == to.platform:
                yield _Pair(self.policies.community(other), to, since)

    def partners(self, community: CommunityRef, what: Shared) -> Mapping[CommunityRef, datetime]:
        """See `Policies.partners`."""
        return self.policies.partners(community, what)

    # ---- who has agreed ---------------------------------------------------------------------------------------------

    async def owner(self, community: CommunityRef) -> str | None:
        """As the network says now."""
        network = self.owners.get(community.platform)
        owner = await network.owner(community) if network else None
        self._owned[community] = self.clock.monotonic(), owner
        return owner

    async def _is_still_theirs(self, community: Community) -> bool:
        """What an earlier owner has agreed to is withdrawn. Where the network does not say, nothing crosses for now."""
        asked, owner = self._owned.get(community.ref, (float("-inf"), None))
        if self.clock.monotonic() - asked > OWNED_FOR:
            owner = await self.owner(community.ref)
        if owner is None:
            return False
        if all(one.by == owner for one in community.shares.values()):
            return True
        others = list(consented(community.shares))
        now = await self.policies.change(
            community.ref,
            lambda now: replace(now, shares={key: one for key, one in now.shares.items() if one.by == owner}),
            by="",
        )
        for told in (now, *(self.policies.community(other) for other in others)):
            await self.tell(told, lambda _, say: say("share.owner_changed", community=community.name or community.id))
        return False

    # ---- bans -------------------------------------------------------------------------------------------------------

    async def _hand_on(self, pair: _Pair) -> None:
        to, now = pair.to, self.clock.now()
        policy = self.policies.of_community(to.ref)
        if policy.mode is Watch.WATCH:
            return
        since, language = max(pair.since, now - LATELY), to.language or policy.language
        for ban in await self.bans.due(pair.of.ref, to.ref, since, most=TOGETHER, a_day=MOST_A_DAY):
            exempt = {*to.exempt_roles, *(of for of, one in to.overrides.items() if one.off)}
            case = None if ban.member in exempt else await self._carry_out(pair, ban, language)
            await self.bans.done(ban, to.ref, case)
            if case is not None:
                facts = {"community": pair.of.name or pair.of.id, "case": case}
                await self.tell(to, lambda _, say, facts=facts: say("share.banned", **facts))  # type: ignore[misc]

    async def _carry_out(self, pair: _Pair, ban: SharedBan, language: str) -> int | None:
        """None: somebody there was before us."""
        to, by = pair.to, next(one.by for key, one in pair.to.shares.items() if key.startswith(Shared.BANS))
        lasting = ban.ends_at - self.clock.now() if ban.ends_at else timedelta()
        if ban.ends_at and lasting <= timedelta():
            return None
        words = texts(language)("share.because", community=pair.of.name or pair.of.id, case=ban.case)
        order = Order(
            kind=CaseKind.BAN,
            member=Person(ban.member),
            moderator=Person(by),
            at=ban.began_at,  # the same however often: who dies between opening the case and noting it, finds it again
            words=words,
            language=language,
            channel=to.id,
            actions=native(CaseKind.BAN, lasting),
        )
        case = await self.deeds.take_in(to.ref, order)
        self.deeds.planned.wake()
        return case.number if case.moderator.id == by and case.opened_at == ban.began_at else None

    async def _free(self, pair: _Pair) -> None:
        for number in await self.bans.freed(pair.of.ref, pair.to.ref, most=TOGETHER):
            await self.deeds.take_back(pair.to.ref, number, by="")
            facts = {"community": pair.of.name or pair.of.id, "case": number}
            await self.tell(pair.to, lambda _, say, facts=facts: say("share.freed", **facts))  # type: ignore[misc]
