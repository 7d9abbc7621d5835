"""What moderators do by hand, each a case: to a member, or to messages; and taking it back."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from bot.core.chat.message import Message
from bot.core.chat.rights import Right
from bot.core.incidents.card import Button
from bot.core.incidents.case import Case, CaseKind
from bot.core.incidents.review import Call
from bot.core.moderators.answer import Lines, Member, Said, said
from bot.core.moderators.argument import CaseNumber, Number, Span
from bot.core.moderators.by_hand import ForAWhile, OnMember, Reason, carried_out
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Purge

LONGEST_MUTE = timedelta(days=28)  # Discord's most
LONGEST_BAN = timedelta(days=365)
MOST_MESSAGES = 100


@dataclass(frozen=True)
class WarnMember(OnMember, kind=CaseKind.WARN):
    """Tell a member what was wrong, and keep it on record."""


@dataclass(frozen=True)
class Mute(ForAWhile, kind=CaseKind.MUTE):
    """Let a member write nothing for a while."""

    lasting: Annotated[timedelta, Span(LONGEST_MUTE)] = timedelta(hours=1)


@dataclass(frozen=True)
class Unmute(OnMember, kind=CaseKind.UNMUTE):
    """Let a member write again, whoever silenced them."""


@dataclass(frozen=True)
class KickMember(OnMember, kind=CaseKind.KICK):
    """Put a member out; they may come back."""


@dataclass(frozen=True)
class BanMember(ForAWhile, kind=CaseKind.BAN):
    """Put a member out, for good or for a while."""

    lasting: Annotated[timedelta, Span(LONGEST_BAN)] = timedelta()


@dataclass(frozen=True)
class Unban(OnMember, kind=CaseKind.UNBAN):
    """Let somebody in again, whoever banned them."""


@dataclass(frozen=True)
class Note(Command, name="note", right=CaseKind.NOTE.right, alone=True):
    """Write down about a member what only moderators read."""

    member: Member
    text: str

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await carried_out(asked, desk, CaseKind.NOTE, self.member, self.text)


@dataclass(frozen=True)
class PurgeMessages(Command, name="purge", right=CaseKind.PURGE.right, alone=True):
    """Take the newest messages of a channel away: so many, a member's, or from one message on."""

    count: Annotated[int | None, Number(1, MOST_MESSAGES)] = None
    member: Member | None = None
    target: Message | None = None
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.count is None and self.target is None:
            return Usage(type(self))
        found = await asked.host.lately(self.count or MOST_MESSAGES, self.member, self.target)
        if isinstance(found, Said):
            return Lines.of(found)
        if not found:
            return Lines.of(said("deed.no_messages"))
        actions = (Purge(",".join(found)),)
        whose = self.member or Member("")
        return await carried_out(asked, desk, CaseKind.PURGE, whose, self.reason, actions=actions, count=len(found))


@dataclass(frozen=True)
class Undo(Command, name="undo", right=Right.REVIEW):
    """Take back what a case did: a deed by hand, or everything of an incident."""

    case: CaseNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        case = await desk.deeds.cases.get(asked.community, self.case)
        if case is None:
            return Lines.of(said("case.not_found", case=self.case))
        if case.incident is not None:
            return await _call_wrong(asked, desk, case, case.incident)
        if case.kind.right not in asked.rights:
            return Lines.of(said("case.lacking", case=case.number))
        member = Member(case.member.id, case.member.name)
        if case.member.id and (obstacle := await asked.host.obstacle_over(member, CaseKind.UNBAN)):
            return Lines.of(obstacle)
        found = await desk.deeds.undo(asked.community, case.number, by=asked.by.id)
        if found is None or not found[1]:
            return Lines.of(said("case.undone_already", case=case.number))
        undone, back = found[0], replace(found[0], outcomes=found[0].taken_back)
        told = said("case.undone" if back.outcomes else "case.undone_on_record", case=case.number, done=back)
        return Lines.of(told, said("case.lost") if undone.lost else None)


@dataclass(frozen=True)
class Uphold(Command, name="uphold", right=Right.REVIEW, alone=True):
    """Leave a deed by hand as it is, and tell who objects to it."""

    case: CaseNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        case = await desk.deeds.cases.get(asked.community, self.case)
        if case is None or case.incident is not None:
            return Lines.of(said("case.not_found", case=self.case))
        if case.kind.right not in asked.rights:
            return Lines.of(said("case.lacking", case=case.number))
        found = await desk.deeds.uphold(asked.community, case.number, by=asked.by.id)
        if found is None or not found[1]:
            return Lines.of(said("case.nobody_objects", case=case.number))
        return Lines.of(said("case.upheld", case=case.number))


async def _call_wrong(asked: Asked, desk: Desk, case: Case, incident: int) -> Answer:
    found = await desk.look_up(asked.community, incident)
    if found is None:
        return Lines.of(said("case.not_found", case=case.number))
    if not may(asked.rights, Button.WRONG, found[0]):
        return Lines.of(said("case.lacking", case=case.number))
    author = found[0].decision.message.author
    if found[0].standing.sanction and (obstacle := await asked.host.obstacle_over(Member(author.id), CaseKind.UNBAN)):
        return Lines.of(obstacle)
    by = asked.by
    called = await desk.call(asked.community, incident, Call.WRONG, moderator_id=by.id, moderator_name=by.name)
    if called is None or called.earlier:
        return Lines.of(said("case.undone_already", case=case.number))
    return Lines.of(said("case.called_wrong", case=case.number))
