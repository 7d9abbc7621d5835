"""Incidents and what people say to them, in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.chat.message import CommunityRef, Message, MessageRef, Platform
from bot.core.incidents.incident import Incident, Trace
from bot.core.incidents.review import (
    APPEALS_WITHIN,
    FLAGS_APART,
    MOST_APPEALS,
    MOST_FLAGGED,
    MOST_FLAGS_A_DAY,
    MOST_TOLD,
    Appeal,
    Call,
    Filed,
    History,
    Review,
)
from bot.core.rules.actions import Action, Inform, Weight
from bot.core.rules.ladder import Strike
from bot.core.rules.precedent import Precedent
from tests.fakes.record import FlagRow, Record


class MemoryIncidents:
    def __init__(self, store: Record) -> None:
        self.store = store

    async def between(
        self, start: datetime, end: datetime, community: CommunityRef | None = None
    ) -> Sequence[Incident]:
        found = [
            self.store.incident(opened)
            for opened in self.store.opened.values()
            if start <= opened.decided_at < end and community in (None, opened.decision.message.community)
        ]
        return sorted(found, key=lambda incident: (incident.decided_at, incident.id))

    async def of(self, refs: Sequence[MessageRef]) -> Sequence[Incident]:
        found = [self.store.incident(opened) for ref, opened in self.store.opened.items() if ref in refs]
        return sorted(found, key=lambda incident: (incident.decided_at, incident.id))

    async def traces(
        self, since: datetime, *, each: int, most: int, shares: Collection[int] | None = None
    ) -> Sequence[Trace]:
        traces: dict[tuple[CommunityRef, str], list[Trace]] = {}
        for opened in sorted(self.store.opened.values(), key=lambda incident: (incident.decided_at, incident.id)):
            about, rule = opened.decision.message, opened.decision.rule
            if opened.decided_at >= since and rule is not None and self.store.in_shares(about.community, shares):
                acted = any(action.weight >= Weight.MESSAGE for action in opened.decision.actions)
                trace = Trace(
                    about.community, about.author.id, about.ref.channel_id,
                    about.sent_at, opened.decided_at, rule, acted,
                )  # fmt: skip
                traces.setdefault((about.community, about.author.id), []).append(trace)
        newest = [(place, trace) for theirs in traces.values() for place, trace in enumerate(theirs[: -each - 1 : -1])]
        newest.sort(key=lambda one: (one[0], -one[1].decided_at.timestamp()))
        return sorted((trace for _, trace in reversed(newest[:most])), key=lambda trace: trace.decided_at)

    async def get(self, community: CommunityRef, incident_id: int) -> Incident | None:
        opened = self.store.opened_in(community, incident_id)
        return opened and self.store.incident(opened)

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        known = (self.store.opened_in(community, one) for one in incidents)
        return {one.id: one.case for one in known if one}

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        there = [one for one in self.store.opened.values() if one.decision.message.community == community]
        return {one.case: one.id for one in there if one.case in numbers}

    async def on_card(self, community: CommunityRef, receipt: str) -> Sequence[int]:
        there = [one for one in self.store.opened.values() if one.decision.message.community == community]
        return sorted(one.id for one in there if self.store.incident(one).card == receipt)

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        found = (
            opened.decision.message.community
            for opened in self.store.opened.values()
            if (opened.id, opened.decision.message.ref.platform) == (incident_id, platform)
        )
        return next(found, None)

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        found = (
            self.store.incident(opened)
            for opened in self.store.opened.values()
            if code in (opened.code, str(opened.id))
            and opened.decision.message.ref.platform == platform
            and opened.decision.message.author.id == author_id
        )
        return next(found, None)

    async def history(self, community: CommunityRef, author_id: str, *, besides: Collection[int] = ()) -> History:
        theirs = [
            opened
            for opened in self.store.opened.values()
            if opened.decision.message.community == community and opened.decision.message.author.id == author_id
            if opened.id not in besides
        ]
        calls = [opened.review.call for opened in theirs if opened.review]
        return History(
            incidents=len(theirs),
            upheld=sum(call is not Call.WRONG for call in calls),
            overturned=calls.count(Call.WRONG),
            last_at=max((opened.decided_at for opened in theirs), default=None),
            strikes=self.store.struck((community, author_id), self.store.clock.now()),
        )

    async def count(self, community: CommunityRef, start: datetime, end: datetime) -> int:
        return sum(
            start <= min(opened.decided_at, opened.decision.message.sent_at) <= opened.decided_at <= end
            and opened.decision.rule is not None
            for opened in self.store.opened.values()
            if opened.decision.message.community == community
        )


class MemoryReviews:
    def __init__(self, store: Record) -> None:
        self.store = store

    async def record(
        self,
        community: CommunityRef,
        review: Review,
        *,
        due: datetime,
        precedent: Precedent | None = None,
        strike: Strike | None = None,
    ) -> Review | None:
        opened = self.store.opened_in(community, review.incident_id)
        if opened is None:
            return None
        counts = review.call.closes and not (opened.review and review.call is Call.UPHOLD)
        calls = self.store.reviewed.setdefault(opened.id, [])
        said = [one for one in calls if one.call is not Call.ESCALATE and one.moderator_id]
        if said and review.call is not Call.ESCALATE:
            last = said[-1]
            if review.waits_for(last) if last.call is Call.TAKE else not review.overrules(last):
                return last
        if review.call in (Call.TAKE, Call.REOPEN):
            if bool(opened.review) is (review.call is Call.TAKE):
                return opened.review
            taken = review if review.call is Call.TAKE else None
            self.store.opened[opened.decision.message.ref] = replace(opened, review=None, taken=taken)
            calls.append(review)
            if opened.id in self.store.rulings:
                self.store.rulings[opened.id] = (self.store.clock.now(), community, None)
            return None
        if counts:
            self.store.opened[opened.decision.message.ref] = replace(opened, review=review, taken=None)
            if precedent or opened.id in self.store.rulings:
                self.store.rulings[opened.id] = (self.store.clock.now(), community, precedent)
        calls.append(review)
        self.store.follow(opened.id, due, review.call)
        if strike and counts:
            self.store.weigh(opened.id, strike, due)
        if review.call.closes and any(one.member for one in self.store.flags_of(opened.decision.message)):
            self.store.plan(opened, (Inform(acted=review.call is not Call.WRONG),), due)
        return None

    async def appeal(
        self, community: CommunityRef, appeal: Appeal, then: Sequence[Action], *, due: datetime
    ) -> Filed | None:
        opened = self.store.opened_in(community, appeal.incident_id)
        if opened is None:
            return None
        if opened.appeal:
            return Filed.HEARD_BEFORE
        author, since = opened.decision.message.author.id, appeal.at - APPEALS_WITHIN
        theirs = [
            one
            for one in self.store.opened.values()
            if (one.decision.message.community, one.decision.message.author.id) == (community, author)
        ]
        if sum(one.appeal is not None and one.appeal.at > since for one in theirs) >= MOST_APPEALS:
            return Filed.TOO_MANY
        self.store.opened[opened.decision.message.ref] = replace(opened, appeal=appeal)
        self.store.plan(opened, then, due)
        return Filed.HEARD


class MemoryPrecedents:
    def __init__(self, store: Record) -> None:
        self.store = store

    async def since(self, moment: datetime) -> Sequence[tuple[CommunityRef, int, Precedent | None]]:
        rows = sorted((at, id_, place, one) for id_, (at, place, one) in self.store.rulings.items() if at >= moment)
        return [(place, id_, one) for _, id_, place, one in rows]

    async def of(self, community: CommunityRef) -> Sequence[Precedent]:
        now = self.store.clock.now()
        held = [(at, id_, one) for id_, (at, place, one) in self.store.rulings.items() if place == community and one]
        return [one for _, _, one in sorted(held, key=lambda row: row[:2], reverse=True) if one.until > now]

    async def withdraw(self, community: CommunityRef, number: int) -> bool:
        held = [id_ for id_, (_, place, one) in self.store.rulings.items() if place == community and one]
        incident_id = next((id_ for id_ in held if self.store.opened_as(id_).case == number), None)
        if incident_id is None:
            return False
        self.store.rulings[incident_id] = (self.store.clock.now(), community, None)
        return True


class MemoryFlags:
    def __init__(self, store: Record) -> None:
        self.store = store

    async def add(self, message: Message, by: str, *, at: datetime) -> tuple[Filed, int | None]:
        same = [one.id for one in self.store.opened.values() if _place(one.decision.message) == _place(message)]
        incident, here = max(same, default=None), [one for one in self.store.flags if one.place[0] == message.community]
        theirs, lately = [one for one in here if one.by == by], at - timedelta(minutes=1)
        if any(one.place == _place(message) for one in theirs):
            return Filed.HEARD_BEFORE, incident
        today = sum(one.at > at - timedelta(days=1) for one in theirs)
        is_new = not self.store.flags_of(message)
        is_crowded = is_new and len({one.place for one in here if one.at > lately}) >= MOST_FLAGGED
        if today >= MOST_FLAGS_A_DAY:
            return Filed.TOO_MANY_TODAY, incident
        if any(one.at > at - FLAGS_APART for one in theirs) or is_crowded:
            return Filed.TOO_MANY, incident
        self.store.flags.append(FlagRow(_place(message), by, at, by))
        opened = incident and self.store.opened_as(incident)
        if opened and opened.review:
            self.store.plan(opened, (Inform(acted=opened.review.call is not Call.WRONG),), at)
        return Filed.HEARD, incident

    async def untold(self, community: CommunityRef, incident_id: int) -> Sequence[tuple[int, str]]:
        opened = self.store.opened_in(community, incident_id)
        about = self.store.flags_of(opened.decision.message) if opened else []
        return [(self.store.flags.index(one), one.member) for one in about if one.member][:MOST_TOLD]

    async def told(self, flag: int, *, at: datetime) -> None:
        self.store.flags[flag] = self.store.flags[flag]._replace(member="")


def _place(message: Message) -> tuple[CommunityRef, str, str]:
    return message.community, message.ref.channel_id, message.ref.message_id
