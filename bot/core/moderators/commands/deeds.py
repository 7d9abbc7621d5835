"""What moderators do by hand, each a case: to a member, or to messages; and taking it back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from bot.core.chat.message import Message
from bot.core.chat.rights import Right
from bot.core.incidents.card import Button
from bot.core.incidents.case import LONGEST_WORDS, Case, CaseKind, Order, Person, measures
from bot.core.incidents.review import Call
from bot.core.moderators.answer import Lines, Member, Said, said
from bot.core.moderators.argument import CaseNumber, Number, Span, Text
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Action, Gone, Purge, Refused, Unconfirmed, Warn

LONGEST_MUTE = timedelta(days=28)  # Discord's most
LONGEST_BAN = timedelta(days=365)
MOST_MESSAGES = 100

Reason = Annotated[str, Text()]


@dataclass(frozen=True)
class WarnMember(Command, name="warn", right=CaseKind.WARN.right, alone=True):
    """Tell a member what was wrong, and keep it on record."""

    member: Member
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.WARN, self.member, self.reason)


@dataclass(frozen=True)
class Mute(Command, name="mute", right=CaseKind.MUTE.right, alone=True):
    """Let a member write nothing for a while."""

    member: Member
    lasting: Annotated[timedelta, Span(LONGEST_MUTE)] = timedelta(hours=1)
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.MUTE, self.member, self.reason, self.lasting)


@dataclass(frozen=True)
class Unmute(Command, name="unmute", right=CaseKind.UNMUTE.right, alone=True):
    """Let a member write again, whoever silenced them."""

    member: Member
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.UNMUTE, self.member, self.reason)


@dataclass(frozen=True)
class KickMember(Command, name="kick", right=CaseKind.KICK.right, alone=True):
    """Put a member out; they may come back."""

    member: Member
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.KICK, self.member, self.reason)


@dataclass(frozen=True)
class BanMember(Command, name="ban", right=CaseKind.BAN.right, alone=True):
    """Put a member out, for good or for a while."""

    member: Member
    lasting: Annotated[timedelta, Span(LONGEST_BAN)] = timedelta()
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.BAN, self.member, self.reason, self.lasting)


@dataclass(frozen=True)
class Unban(Command, name="unban", right=CaseKind.UNBAN.right, alone=True):
    """Let somebody in again, whoever banned them."""

    member: Member
    reason: Reason = ""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.UNBAN, self.member, self.reason)


@dataclass(frozen=True)
class Note(Command, name="note", right=CaseKind.NOTE.right, alone=True):
    """Write down about a member what only moderators read."""

    member: Member
    text: str

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await _done(asked, desk, CaseKind.NOTE, self.member, self.text)


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
        return await _done(asked, desk, CaseKind.PURGE, whose, self.reason, actions=actions, count=len(found))


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
        lost = said("case.lost") if found[0].lost else None
        return Lines.of(said("case.undone", case=case.number, done=found[0]), lost)


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
    review = called and called[0].review
    if review is None or (review.moderator_id, review.call) != (by.id, Call.WRONG):
        return Lines.of(said("case.undone_already", case=case.number))
    return Lines.of(said("case.called_wrong", case=case.number, incident=incident))


async def _done(
    asked: Asked,
    desk: Desk,
    kind: CaseKind,
    member: Member,
    words: str,
    lasting: timedelta = timedelta(),
    *,
    actions: tuple[Action, ...] = (),
    count: int = 0,
) -> Answer:
    """Ordered, carried out, and what came of it."""
    if member.id and (obstacle := await asked.host.obstacle_over(member, kind)):
        return Lines.of(obstacle)
    community = desk.community(asked.community)
    order = Order(
        kind=kind,
        member=Person(member.id, member.name),
        moderator=Person(asked.by.id, asked.by.name),
        at=asked.sent_at,
        words=words.strip()[:LONGEST_WORDS],
        language=community.language or desk.policy(asked.message("")).language,
        channel=asked.channel_id,
        actions=actions or measures(kind, lasting),
    )
    if (done := await desk.deeds.carry_out(asked.community, order)) is None:
        return Lines.of(said("deed.too_many"))
    case, is_new = done
    if not is_new:
        by = Member(case.moderator.id, case.moderator.name)
        return Lines.of(said("deed.already", by=by, case=case.number))
    return Lines(tuple(_told(case, lasting, count)))


def _told(case: Case, lasting: timedelta, count: int) -> Iterator[Said]:
    """What came of it, with its number; and of the word to the member, where that failed."""
    whom, number = Member(case.member.id, case.member.name) if case.member.id else "", case.number
    outcome = case.deed[1] if case.deed else None
    if case.is_under_way:
        yield said("deed.waits", case=number)
    elif isinstance(outcome, Refused):
        yield said("deed.refused", why=outcome.reason, case=number)
    elif isinstance(outcome, Unconfirmed):
        yield said("deed.unconfirmed", case=number)
    elif isinstance(outcome, Gone) and case.kind is not CaseKind.PURGE:
        yield said("deed.gone", whom=whom, case=number)
    else:
        ending = "_for" if lasting else ""
        yield Said(f"deed.{case.kind}{ending}", {"whom": whom, "case": number, "lasting": lasting, "count": count})
    if case.kind is not CaseKind.WARN:
        words = [outcome for action, outcome in case.outcomes if isinstance(action, Warn)]
        yield from (said("deed.not_told", why=one.reason) for one in words if isinstance(one, Refused))
