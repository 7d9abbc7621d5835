"""What moderators do while many come at once: the doors are shut for a while, and opened again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from bot.core.chat.message import CommunityRef
from bot.core.chat.rights import Right
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.moderators.answer import Lines, Member, said
from bot.core.moderators.argument import Span
from bot.core.moderators.by_hand import Reason, carried_out
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import CalledOff, Done, Lock, Refused, Unlock

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
