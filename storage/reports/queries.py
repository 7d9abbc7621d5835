"""The record, boiled down: a community and two instants in, the figures of what lies between out.

Messages come from the quarter-hour tallies, so their number does not matter; incidents are read once, a few hundred
at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, exists, func, not_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.answers.counting import Count, PairCounts
from bot.core.chat.message import CommunityRef
from bot.core.communities.journal import Outage
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Route, Task, Unscreened
from bot.core.incidents.card import masked
from bot.core.incidents.review import Call
from bot.core.reporting.figures import (
    LONGEST_EXAMPLE,
    USER_VISIBLE,
    ActionRecord,
    Answer,
    Backlog,
    Entry,
    Figures,
    ReviewOutcome,
    Stored,
    Totals,
    TrialFigures,
    carried_since,
)
from bot.core.reporting.what_if import Probabilities
from bot.core.rules.actions import ON_CARD, Done, Gone, Refused
from bot.core.rules.decision import Decision
from storage import codec
from storage.columns import AnyRow
from storage.community_key import community_of, of_community, read_community
from storage.database import Database
from storage.flow.tallies import BOT, CHANNEL, JUDGED, LATE, LATENCY, PAIR, ROUTE, UNSCREENED
from storage.records.people import looks_between
from storage.reports.probabilities import probabilities_since
from storage.reports.trials import trials_between
from storage.settings.journal import amendments_between, outages_between
from storage.tables import actions, appeals, bots, cases, communities, incidents, messages, queue, reviews, tallies

_DONE = (Done.kind, Gone.kind)
_Value = TypeVar("_Value")

#: The review that counts, in the very words of the index reviews_closing: SQLite knows it by no others.
_CLOSING = and_(reviews.c.incident == incidents.c.id, text("reviews.closes"))


class SqlReportQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def communities(self) -> Sequence[CommunityRef]:
        counted = select(tallies.c.community)
        known = select(communities.c.platform, communities.c.id.label("community")).where(
            communities.c.key.in_(counted)
        )
        async with self._database.read() as connection:
            return [read_community(row) for row in await connection.execute(known.order_by("platform", "community"))]

    async def sizes(self, start: datetime, end: datetime) -> Mapping[CommunityRef, int]:
        summed = (
            select(*community_of(tallies), func.sum(tallies.c.number))
            .where(tallies.c.quarter >= start, tallies.c.quarter < end, tallies.c.what == CHANNEL)
            .group_by(tallies.c.community)
        )
        async with self._database.read() as connection:
            return {read_community(row): int(row[2]) for row in await connection.execute(summed)}

    async def figures(self, community: CommunityRef, start: datetime, end: datetime) -> Figures:
        async with self._database.read() as connection:
            counts = await _counts(connection, community, start, end)
            settled = sum(counts[CHANNEL].values())
            waiting = await _waiting(connection, community, start, end)
            return Figures(
                start=start,
                end=end,
                at=self._database.clock.now(),
                seen=settled + waiting,
                waiting=waiting,
                judged=counts[JUDGED][""],
                unscreened=counts[UNSCREENED][""],
                late=counts[LATE][""],
                routes={Route(name): number for name, number in counts[ROUTE].items()},
                by_quarter=await _quarters(connection, community, start, end),
                by_channel=counts[CHANNEL],
                by_bot=counts[BOT],
                pairs=_pairs(counts),
                bot_names=await _bot_names(connection, community),
                latency={float(edge): number for edge, number in counts[LATENCY].items()},
                entries=await _entries(connection, community, start, end),
                backlog=replace(await _backlog(connection, community, start, end), asked_at=self._database.clock.now()),
                outages=tuple(
                    Outage(
                        max(start, outage.begin), min(end, outage.end or max(outage.begin, self._database.clock.now()))
                    )
                    for outage in await outages_between(connection, start, end)
                ),
                amendments=tuple(await amendments_between(connection, community, start, end)),
                stored=await _stored(connection, community, self._database.clock.now()),
                looks=await looks_between(connection, community, start, end),
                trials=tuple(await trials_between(connection, community, start, end)),
            )

    async def trials(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[TrialFigures]:
        async with self._database.read() as connection:
            return await trials_between(connection, community, start, end)

    async def probabilities(
        self, community: CommunityRef, kinds: Collection[HarmKind], since: datetime
    ) -> Probabilities:
        async with self._database.read() as connection:
            return await probabilities_since(connection, community, kinds, since)

    async def totals(self, community: CommunityRef, start: datetime, end: datetime) -> Totals:
        live = (*_decided(community, start, end), incidents.c.rule.is_not(None))
        closed = incidents.outerjoin(reviews, _CLOSING)
        felt = exists().where(
            actions.c.incident == incidents.c.id, actions.c.kind.in_(USER_VISIBLE), actions.c.state.in_(_DONE)
        )
        by_rule = (
            select(
                incidents.c.rule,
                func.count().label("flagged"),
                func.count().filter(felt).label("acted"),
                func.count(reviews.c.id).label("reviewed"),
                func.count().filter(reviews.c.call == Call.WRONG).label("overturned"),
            )
            .select_from(closed)
            .where(*live)
            .group_by(incidents.c.rule)
        )
        done = (
            select(actions.c.kind, func.count())
            .select_from(incidents.join(actions))
            .where(*live, actions.c.state.in_(_DONE))
            .group_by(actions.c.kind)
        )
        async with self._database.read() as connection:
            counts = await _counts(connection, community, start, end)
            rules = (await connection.execute(by_rule)).all()
            return Totals(
                seen=sum(counts[CHANNEL].values()) + await _waiting(connection, community, start, end),
                judged=counts[JUDGED][""],
                answers=sum(counts[PAIR + Count.JUDGED].values()),
                unsafe_answers=sum(counts[PAIR + Count.UNSAFE].values()),
                flagged=sum(row.flagged for row in rules),
                acted=sum(row.acted for row in rules),
                reviewed=sum(row.reviewed for row in rules),
                overturned=sum(row.overturned for row in rules),
                actions={row[0]: row[1] for row in await connection.execute(done)},
                rules={row.rule: row.flagged for row in rules},
                kinds=await _kinds(connection, *live),
            )


async def _kinds(connection: AsyncConnection, *live: ColumnElement[bool]) -> Counter[str]:
    """How many incidents are about each kind of harm, and under an empty name about none."""
    named = Counter[str]()
    found = await connection.stream(select(incidents.c.decision).where(*live).execution_options(yield_per=500))
    async for decision in found.scalars():
        named.update(codec.read_kinds(decision) or ("",))
    return named


def _decided(community: CommunityRef, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return (of_community(incidents, community), incidents.c.decided_at >= start, incidents.c.decided_at < end)


def _sent(community: CommunityRef, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of tallies: whole quarter hours, so `start` and `end` must lie on one."""
    return (of_community(tallies, community), tallies.c.quarter >= start, tallies.c.quarter < end)


async def _counts(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> Mapping[str, Counter[str]]:
    """By what is counted, then by name."""
    summed = (
        select(tallies.c.what, tallies.c.name, func.sum(tallies.c.number))
        .where(*_sent(community, start, end))
        .group_by(tallies.c.what, tallies.c.name)
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for what, name, number in await connection.execute(summed):
        counts[what][name] = int(number)
    return counts


def _pairs(counts: Mapping[str, Counter[str]]) -> Mapping[str, PairCounts]:
    """By bot."""
    known = sorted({bot for one in Count for bot in counts[PAIR + one]})
    return {bot: PairCounts(**{one.value: counts[PAIR + one][bot] for one in Count}) for bot in known}


async def _bot_names(connection: AsyncConnection, community: CommunityRef) -> Mapping[str, str]:
    named = select(bots.c.bot, bots.c.name).where(of_community(bots, community), bots.c.name != "")
    return {row.bot: row.name for row in await connection.execute(named)}


async def _quarters(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> Mapping[datetime, int]:
    summed = (
        select(tallies.c.quarter, func.sum(tallies.c.number))
        .where(*_sent(community, start, end), tallies.c.what == CHANNEL)
        .group_by(tallies.c.quarter)
        .order_by(tallies.c.quarter)
    )
    return {row[0]: int(row[1]) for row in await connection.execute(summed)}


async def _waiting(connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime) -> int:
    theirs = (of_community(queue, community), queue.c.sent_at >= start, queue.c.sent_at < end)
    return (await connection.execute(select(func.count()).select_from(queue).where(*theirs))).scalar_one()


async def _stored(connection: AsyncConnection, community: CommunityRef, now: datetime) -> Stored:
    held = func.count().filter(incidents.c.held_until > now)
    counted = select(func.count(), func.min(incidents.c.decided_at), held).select_from(incidents)
    kept = counted.where(of_community(incidents, community), incidents.c.body.is_not(None))
    number, oldest, held_now = (await connection.execute(kept)).one()
    return Stored(texts=number, oldest=oldest, held=held_now)


async def _backlog(connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime) -> Backlog:
    shown = exists().where(actions.c.incident == incidents.c.id, actions.c.kind.in_(ON_CARD))
    closed = exists(reviews.c.id).where(_CLOSING)
    open_ = (
        *_decided(community, carried_since(start, end), end),
        incidents.c.rule.is_not(None),
        incidents.c.withdrawn_at.is_(None),
        shown,
        not_(closed),
    )
    card = (
        select(func.min(actions.c.reason))
        .where(actions.c.incident == incidents.c.id, actions.c.kind.in_(ON_CARD), actions.c.state == Done.kind)
        .scalar_subquery()
    )
    oldest = (
        select(cases.c.number, incidents.c.decided_at, func.count().over().label("waiting"), card.label("card"))
        .select_from(incidents.join(cases))
        .where(*open_)
        .order_by(incidents.c.decided_at, incidents.c.id)
        .limit(1)
    )
    row = (await connection.execute(oldest)).first()
    if row is None:
        return Backlog()
    return Backlog(count=row.waiting, oldest=row.number, card=row.card or "", since=row.decided_at)


async def _entries(
    connection: AsyncConnection, community: CommunityRef, start: datetime, end: datetime
) -> tuple[Entry, ...]:
    decided = _decided(community, start, end)
    taken = await connection.stream(
        select(actions.c.incident, actions.c.kind, actions.c.state, actions.c.reason)
        .select_from(incidents.join(actions))
        .where(*decided)
        .order_by(actions.c.incident, actions.c.position)
    )
    known: dict[ActionRecord, ActionRecord] = {}
    cards: dict[int, str] = {}
    deeds: dict[int, list[ActionRecord]] = defaultdict(list)
    async for some in taken.partitions(1000):
        for row in some:
            deed = ActionRecord(row.kind, row.state, row.reason or "" if row.state == Refused.kind else "")
            deeds[row.incident].append(known.setdefault(deed, deed))
            if row.kind in ON_CARD and row.state == Done.kind and row.reason:
                cards.setdefault(row.incident, row.reason)
    closed = await connection.execute(
        select(reviews.c.incident, reviews.c.call, reviews.c.moderator_name, reviews.c.at)
        .select_from(incidents.join(reviews, _CLOSING))
        .where(*decided)
    )
    rulings = {row.incident: ReviewOutcome(Call(row.call), row.moderator_name, row.at) for row in closed}
    objections = select(cases.c.incident).select_from(incidents.join(cases).join(appeals)).where(*decided)
    appealed = set((await connection.execute(objections)).scalars())
    found = await connection.stream(
        select(
            incidents.c.id,
            cases.c.number,
            incidents.c.decided_at,
            incidents.c.decision,
            incidents.c.rule,
            messages.c.score,
            *codec.JUDGED,
        )
        .select_from(incidents.join(messages).join(cases, cases.c.incident == incidents.c.id))
        .where(*decided)
        .order_by(incidents.c.decided_at, incidents.c.id)
        .execution_options(yield_per=500)
    )
    entries: list[Entry] = []
    alike = _Alike()
    async for rows in found.partitions():
        entries += [
            replace(
                alike.entry(row, tuple(deeds.pop(row.id, ())), rulings.get(row.id), appealed=row.id in appealed),
                card=cards.pop(row.id, ""),
            )
            for row in rows
        ]
    return tuple(entries)


class _Alike:
    """Makes entries of rows; values that are equal become one, for thousands of incidents have few different ones."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def _one(self, value: _Value) -> _Value:
        found: _Value = self._known.setdefault(value, value)
        return found

    def entry(
        self, row: AnyRow, deeds: tuple[ActionRecord, ...], ruling: ReviewOutcome | None, *, appealed: bool
    ) -> Entry:
        gist = codec.read_gist(row.decision, row.body)
        entry = Entry(
            id=row.number,
            decided_at=row.decided_at,
            sent_at=row.sent_at,
            channel=self._one(row.channel),
            message=row.message,
            channel_name=self._one(gist.channel_name),
            author=self._one(row.author),
            author_name=self._one(gist.author_name),
            bot=gist.bot,
            rule=row.rule and self._one(row.rule),
            rules=self._one(gist.rules),
            shadow=self._one(gist.shadow),
            score=row.score,
            bar=gist.bar,
            kinds=self._one(gist.kinds),
            unscreened=gist.unscreened,
            late=gist.late,
            actions=self._one(deeds),
            withheld=self._one(gist.withheld),
            policy=self._one(gist.policy),
            guard=self._one(gist.guard),
            review=ruling,
            appealed=appealed,
        )
        if not gist.bot:
            return entry
        decision = codec.read_decision(row.decision, codec.read_message(row))
        return replace(entry, score=_score(decision, row.score), answer=_answer(decision))


def _score(decision: Decision, worst: float | None) -> float | None:
    """The score that made the rule match: of a bot's answer, one among several."""
    reached = (finding.why.facts.get("score") for finding in decision.findings if finding.rule == decision.rule)
    return next((score for score in reached if isinstance(score, float)), worst)


def _answer(decision: Decision) -> Answer | None:
    message, screening = decision.message, decision.screening
    if not message.author.bot or isinstance(screening, Unscreened) or Task.RESPONSE_HARM not in screening.scores:
        return None
    prompt = None if message.prompt is None else masked(message.prompt, LONGEST_EXAMPLE)
    return Answer(harm=screening.scores[Task.RESPONSE_HARM], prompt=prompt, text=masked(message.text, LONGEST_EXAMPLE))
