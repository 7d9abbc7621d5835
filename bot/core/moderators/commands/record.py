"""What is on record: an incident, a case, a member's cases, what runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from bot.core.chat.rights import Right
from bot.core.incidents import case as cases
from bot.core.incidents.case import CaseKind, CaseState, Look, Looked, Person, Severity
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History as IncidentHistory
from bot.core.moderators.answer import Found, Lines, Member, RuleName, Said, said
from bot.core.moderators.argument import CaseNumber, Day, IncidentNumber, OneOf
from bot.core.moderators.command import Answer, Asked, Command, Seen, Usage
from bot.core.moderators.commands.sharing import elsewhere
from bot.core.moderators.ports import Desk

ON_A_PAGE = 10
LOOKS_SHOWN = 25


@dataclass(frozen=True)
class Why(Command, name="why", right=Right.DELETE, seen=Seen.MODERATORS):
    """An incident in full, with its text."""

    incident: IncidentNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = await _numbered(asked, desk, self.incident)
        if found is None:
            return Lines.of(said("card.not_found"))
        await desk.deeds.cases.looked(asked.community, _asker(asked), Look.REVEAL, incident=found[0].id)
        return Found(*found)


@dataclass(frozen=True)
class Case(Command, name="case", right=Right.REVIEW, seen=Seen.MODERATORS):
    """A case by its number: who did what to whom, why, and what came of it."""

    case: CaseNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = await desk.deeds.cases.get(asked.community, self.case)
        if found is None:
            return Lines.of(said("case.not_found", case=self.case))
        await desk.deeds.cases.looked(asked.community, _asker(asked), Look.CASE, case=self.case)
        return Lines(tuple(_in_full(found)))


@dataclass(frozen=True)
class History(Command, name="history", right=Right.REVIEW, seen=Seen.MODERATORS):
    """What is on record about a member, or about whom an incident is about; the newest first, or those before one."""

    member: Member | None = None
    incident: IncidentNumber | None = None
    before: CaseNumber | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        member, found = self.member, None
        if self.incident is not None:
            if (found := await _numbered(asked, desk, self.incident)) is None:
                return Lines.of(said("card.not_found"))
            author = found[0].decision.message.author
            member = Member(author.id, author.name)
        if member is None:
            return Usage(type(self))
        theirs = cases.Search(member=member.id)
        known = desk.deeds.cases
        page = await known.find(asked.community, theirs, most=ON_A_PAGE + 1, before=self.before)
        running = await known.running(asked.community, most=ON_A_PAGE, member=member.id)
        await known.looked(asked.community, _asker(asked), Look.HISTORY, incident=found and found[0].id)
        summary = await desk.history(asked.community, member.id)
        others = await elsewhere(asked, desk, member)
        return Lines((said("case.of", whom=member), summary, *others, *map(_runs, running), *_page(page)))


@dataclass(frozen=True)
class Search(Command, name="search", right=Right.REVIEW, seen=Seen.MODERATORS):
    """Cases by what is known of them, the newest first, or those before one."""

    member: Member | None = None
    kind: Annotated[str | None, OneOf(tuple(CaseKind), "case_kind.")] = None
    state: Annotated[str | None, OneOf(tuple(CaseState), "case_state.")] = None
    moderator: Member | None = None
    first: Day | None = None
    last: Day | None = None
    before: CaseNumber | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        zone = ZoneInfo(desk.schedule(asked.community).timezone)
        try:
            since, until = _begin(self.first, zone), _begin(self.last, zone)
        except ValueError:
            return Usage(type(self))
        wanted = cases.Search(
            member=self.member.id if self.member else None,
            moderator=self.moderator.id if self.moderator else None,
            kind=CaseKind(self.kind) if self.kind else None,
            state=CaseState(self.state) if self.state else None,
            since=since,
            until=until + timedelta(days=1) if until else None,
        )
        page = await desk.deeds.cases.find(asked.community, wanted, most=ON_A_PAGE + 1, before=self.before)
        await desk.deeds.cases.looked(asked.community, _asker(asked), Look.SEARCH)
        return Lines(tuple(_page(page)))


@dataclass(frozen=True)
class Waiting(Command, name="waiting", right=Right.REVIEW, seen=Seen.MODERATORS):
    """What waits for a call, the most severe and the oldest first."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = await desk.deeds.cases.waiting(asked.community, most=2 * ON_A_PAGE)
        await desk.deeds.cases.looked(asked.community, _asker(asked), Look.SEARCH)
        urgent = (
            said("case.urgent", line=_line(one)) if one.severity is Severity.URGENT else _line(one) for one in found
        )
        return Lines(tuple(urgent) or (said("case.nothing_waits"),))


@dataclass(frozen=True)
class Sanctions(Command, name="sanctions", right=Right.REVIEW, seen=Seen.MODERATORS):
    """The time-outs and bans that run now, with their ends."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        running = await desk.deeds.cases.running(asked.community, most=2 * ON_A_PAGE)
        return Lines(tuple(map(_runs, running)) or (said("case.nothing_runs"),))


@dataclass(frozen=True)
class Looks(Command, name="looks", right=Right.OWN, alone=True):
    """Who has looked at what is on record about members, of all moderators or of one."""

    moderator: Member | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        by = self.moderator.id if self.moderator else None
        found = await desk.deeds.cases.looks(asked.community, most=LOOKS_SHOWN, by=by)
        return Lines(tuple(map(_look, found)) or (said("look.none"),))


async def _numbered(asked: Asked, desk: Desk, number: int) -> tuple[Incident, IncidentHistory] | None:
    """An incident by the number of its case."""
    known = await desk.numbered(asked.community, [number])
    return await desk.look_up(asked.community, known[number]) if number in known else None


def _look(look: Looked) -> Said:
    who = Member(look.by.id, look.by.name)
    what = said(f"look.{look.what}")
    if look.case is None:
        return said("look.line", at=look.at, who=who, what=what)
    return said("look.at_case", at=look.at, who=who, what=what, case=look.case)


def _asker(asked: Asked) -> Person:
    return Person(asked.by.id, asked.by.name)


def _begin(day: str | None, zone: ZoneInfo) -> datetime | None:
    return datetime.fromisoformat(day).replace(tzinfo=zone) if day else None


def _page(found: Sequence[cases.Case]) -> Iterator[Said]:
    """One more was asked for than is shown: then there is another page."""
    shown = found[:ON_A_PAGE]
    yield from map(_line, shown)
    if not shown:
        yield said("case.none")
    if len(found) > ON_A_PAGE:
        yield said("case.more", before=shown[-1].number)


def _line(case: cases.Case) -> Said:
    line = Said("case.line" if case.member.id else "case.line_of_nobody", _facts(case))
    return said("case.with_words", line=line, words=_short(case.words)) if case.words else line


def _in_full(case: cases.Case) -> Iterator[Said]:
    facts = _facts(case)
    yield Said("case.title", facts)
    if case.member.id:
        yield said("case.is", label="case.member", value=_member(case.member))
    if case.moderator.id:
        yield said("case.is", label="case.moderator", value=_member(case.moderator))
    if case.words:
        yield said("case.is", label="case.words", value=case.words)
    if case.objection:
        yield said("case.is", label="case.objection", value=case.objection)
    if case.incident is not None:
        yield said("case.incident", case=case.number, command=Why)
    if case.outcomes:
        yield said("case.is", label="case.done", value=case)


def _facts(case: cases.Case) -> dict[str, object]:
    by = _member(case.moderator) if case.moderator.id else RuleName(case.rule) if case.rule else said("case.by_rules")
    facts: dict[str, object] = {"case": case.number, "kind": case.kind, "state": case.state, "at": case.opened_at}
    return facts | {"by": by} | ({"whom": _member(case.member)} if case.member.id else {})


def _runs(sanction: cases.Sanction) -> Said:
    by = _member(sanction.moderator) if sanction.moderator.id else said("case.by_rules")
    kind = said("action.ban" if sanction.kind == "ban" else "action.timeout")
    facts: dict[str, object] = {"case": sanction.case, "whom": _member(sanction.member), "kind": kind, "by": by}
    if sanction.ends_at is None:
        return Said("case.runs", facts)
    return Said("case.runs_until", facts | {"until": sanction.ends_at})


def _member(person: Person) -> Member:
    return Member(person.id, person.name)


def _short(words: str, longest: int = 60) -> str:
    words = " ".join(words.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"
