"""What communities of one owner share, once each of them has agreed; and which accounts are one person's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from bot.core.chat.message import CommunityRef
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.communities.sharing import MOST, NAME, Consent, Shared, consent_key, consented, name_of, read_name
from bot.core.incidents.ports import MOST_LINKED
from bot.core.moderators.answer import Lines, Member, Said, said
from bot.core.moderators.argument import Like, OneOf
from bot.core.moderators.command import Answer, Asked, Command, Seen
from bot.core.moderators.ports import Desk

ACCOUNT = rf"{NAME}/-?[0-9A-Za-z]{{1,40}}"

CommunityName = Annotated[str, Like(NAME)]
What = Annotated[str | None, OneOf(tuple(Shared), "shared.")]


@dataclass(frozen=True)
class ShareWith(Command, name="share_with", right=Right.OWN, group="share"):
    """Agree for one's own community to share with another, by its name; it begins once that one has agreed, too."""

    community: CommunityName
    what: What = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        other = read_name(self.community)
        if other is None or other == asked.community:
            return Lines.of(said("share.no_other", ours=name_of(asked.community)))
        if await desk.sharing.owner(asked.community) != asked.by.id:  # who writes without a name is nobody's owner
            return Lines.of(said("share.not_owner"))
        whats = (Shared(self.what),) if self.what else tuple(Shared)
        is_full = False

        def edit(now: Community) -> Community:
            nonlocal is_full
            is_full = len({*consented(now.shares), other}) > MOST
            consents = {consent_key(what, other): Consent(asked.by.id, asked.at) for what in whats}
            return now if is_full else replace(now, shares={**now.shares, **consents})

        await asked.change(desk, edit)
        if is_full:
            return Lines.of(said("share.full", most=MOST))
        begun = [what for what in whats if other in desk.sharing.partners(asked.community, what)]
        if not begun:
            return Lines.of(said("share.waits", ours=name_of(asked.community), command=type(self)))
        told = tuple(said(f"shared.{what}") for what in begun)
        begins = said("share.told", by=asked.by.name, other=_called(desk, other), what=told, command=ShareLeave)
        await asked.host.tell_moderators(begins)
        here = asked.community_name or asked.community.id
        await desk.sharing.tell(desk.community(other), lambda _, say: say("share.told_there", other=here))
        return Lines.of(said("share.begun", other=_called(desk, other), what=told))


@dataclass(frozen=True)
class ShareLeave(Command, name="share_leave", right=Right.MANAGE, group="share"):
    """Share nothing any more with another community, or with any."""

    community: CommunityName | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        others = consented(desk.community(asked.community).shares)
        other = read_name(self.community) if self.community else None
        gone = [one for one in others if other in (None, one)]
        if not gone:
            return Lines.of(said("share.none", ours=name_of(asked.community)))
        keys = {consent_key(what, one) for one in gone for what in Shared}
        await asked.change(
            desk, lambda now: replace(now, shares={key: one for key, one in now.shares.items() if key not in keys})
        )
        here = asked.community_name or asked.community.id
        for one in gone:
            there = desk.community(one)
            if any(read == asked.community for read in consented(there.shares)):
                await desk.sharing.tell(there, lambda _, say: say("share.left_there", other=here))
        return Lines.of(said("share.left", others=tuple(_called(desk, one) for one in gone)))


@dataclass(frozen=True)
class ShareList(Command, name="share_list", right=Right.REVIEW, group="share"):
    """By what name others agree to share with this community; with whom it shares what, and who has not agreed yet."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return Lines((*self._listed(asked, desk), said("share.ours", ours=name_of(asked.community))))

    def _listed(self, asked: Asked, desk: Desk) -> Iterator[Said]:
        for other, wanted in consented(desk.community(asked.community).shares).items():
            shared = {what for what in wanted if other in desk.sharing.partners(asked.community, what)}
            whats = tuple(said(f"shared.{what}") for what in Shared if what in shared)
            waiting = tuple(said(f"shared.{what}") for what in Shared if what in wanted - shared)
            if whats:
                yield said("share.line", other=_called(desk, other), what=whats)
            if waiting:
                yield said("share.line_waits", other=name_of(other), what=waiting)


@dataclass(frozen=True)
class ShareMember(Command, name="share_member", right=Right.MUTE, group="share", seen=Seen.MODERATORS):
    """Link a member's account with one in a community that shares records; alone: how they are called there, and what
    is linked. It shows, and punishes nobody."""

    member: Member
    account: Annotated[str | None, Like(ACCOUNT)] = None
    on: bool = True

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        links, here = desk.sharing.links, asked.community
        own = said("share.account", whom=self.member, account=f"{name_of(here)}/{self.member.id}")
        if not self.on:
            gone = await links.unlink(here, self.member.id)
            return Lines.of(said("share.unlinked" if gone else "share.not_linked", whom=self.member))
        if self.account is None:
            others = await links.of(here, self.member.id)
            return Lines((own, *(said("share.linked", account=f"{name_of(one)}/{who}") for one, who in others)))
        name, _, member = self.account.rpartition("/")
        other = read_name(name)
        if other is None or other not in desk.sharing.partners(here, Shared.RECORDS):
            return Lines.of(said("share.no_records", command=ShareWith))
        linked = await links.link((here, self.member.id), (other, member), by=asked.by.id, at=asked.at)
        if not linked:
            return Lines.of(said("share.too_many", most=MOST_LINKED))
        return Lines.of(said("share.linked_now", whom=self.member, account=self.account))


async def elsewhere(asked: Asked, desk: Desk, member: Member) -> Sequence[Said]:
    """How much is on record about a member in communities that share records with this one."""
    partners = desk.sharing.partners(asked.community, Shared.RECORDS)
    if not partners:
        return ()
    linked = [(place, who) for place, who in await desk.sharing.links.of(asked.community, member.id)]
    same = [(place, member.id) for place in partners if place.platform == asked.community.platform]
    found = []
    for place, who in dict.fromkeys([*same, *linked]):
        history = await desk.history(place, who) if place in partners else None
        if history and history.incidents:
            found.append(said("share.elsewhere", other=_called(desk, place), history=history))
    return found


def _called(desk: Desk, community: CommunityRef) -> str:
    return desk.community(community).name or name_of(community)
