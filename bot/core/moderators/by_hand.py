"""A moderator's order by hand -> carried out, and what came of it; the commands that are nothing more."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar

from bot.core.incidents.case import LONGEST_WORDS, Case, CaseKind, Order, Person, measures
from bot.core.moderators.answer import Lines, Member, Said, said
from bot.core.moderators.argument import Span, Text
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Action, Gone, Refused, Unconfirmed, Warn

Reason = Annotated[str, Text()]


class ByHand(Command, name="", right=None):
    """What a kind of deed is called and takes, the command is called and takes."""

    kind: ClassVar[CaseKind]
    member: Member
    reason: str
    lasting: timedelta = timedelta()

    def __init_subclass__(cls, *, kind: CaseKind | None = None) -> None:
        if kind is not None:
            super().__init_subclass__(name=kind.value, right=kind.right, alone=True)
            cls.kind = kind

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return await carried_out(asked, desk, self.kind, self.member, self.reason, self.lasting)


@dataclass(frozen=True)
class OnMember(ByHand):
    member: Member
    reason: Reason = ""


@dataclass(frozen=True)
class ForAWhile(ByHand):
    member: Member
    lasting: Annotated[timedelta, Span()] = timedelta()
    reason: Reason = ""


async def carried_out(
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
        yield said("deed.refused", why=outcome, case=number)
    elif isinstance(outcome, Unconfirmed):
        yield said("deed.unconfirmed", case=number)
    elif isinstance(outcome, Gone) and case.kind is not CaseKind.PURGE:
        yield said("deed.gone", whom=whom, case=number)
    else:
        ending = "_for" if lasting else ""
        yield Said(f"deed.{case.kind}{ending}", {"whom": whom, "case": number, "lasting": lasting, "count": count})
    if case.kind is not CaseKind.WARN:
        words = [outcome for action, outcome in case.outcomes if isinstance(action, Warn)]
        yield from (said("deed.not_told", why=one) for one in words if isinstance(one, Refused))
