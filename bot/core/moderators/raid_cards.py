"""A press on a raid's card -> what is ordered because of it, and what whoever pressed is told; the same on every
network."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.core.chat.message import CommunityRef, Platform
from bot.core.chat.rights import Right
from bot.core.incidents.case import Person
from bot.core.incidents.raids.raid import Press, Remedy
from bot.core.moderators.answer import Said, said
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk

#: What somebody may do in a community, asked of the network now; None: it cannot be pressed for from here.
RightsIn = Callable[[CommunityRef], Awaitable[frozenset[Right] | None]]


@dataclass(frozen=True, slots=True)
class Pressed:
    """`community`: whose raid it is, None where there is none. `lacking`: whoever pressed may not, and has these
    rights: the network says so in its own words."""

    told: Said | None
    community: CommunityRef | None = None
    lacking: frozenset[Right] = frozenset()


async def pressed(desk: Desk, platform: Platform, press: Press, by: Person, rights_in: RightsIn) -> Pressed:
    raid = await desk.raids.raids.get(platform, press.raid_id)
    rights = await rights_in(raid.community) if raid else None
    if raid is None or rights is None:  # another community's is as good as none
        return Pressed(said("raid.not_found"))
    if not may(rights, Right.BAN):
        return Pressed(None, raid.community, rights)
    if not (number := await desk.raids.press(press, by=by)):
        return Pressed(said("raid.nobody_left"), raid.community)
    if press.remedy is Remedy.UNDO:
        return Pressed(said("raid.ordered_undo", count=number), raid.community)
    return Pressed(said("raid.ordered_ban", count=number), raid.community)
