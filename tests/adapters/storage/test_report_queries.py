"""The figures of a report are what a plain recount of the tables gives, on both databases."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from adapters.reports.pages.sections.bots.pairs.figures import worst_answers
from adapters.reports.pages.sections.incidents.heat.figures import incidents_by_hour
from adapters.reports.pages.sections.moderation.moderators.figures import loads
from adapters.reports.pages.sections.moderation.quality.figures import opinions
from adapters.reports.pages.sections.operation.health.figures import missed, unasked
from bot.core.answers.counting import PairCounts
from bot.core.chat.message import Author
from bot.core.communities import journal
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Route, Task, Unscreened, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.operations.sealing import Openly
from bot.core.reporting.figures import Answer, Figures, Totals
from bot.core.reporting.periods import day
from bot.core.reporting.report import compose
from bot.core.rules.actions import Action, Ban, Delete, Done, Escalate, Flag, Gone, Outcome, Refused, Timeout, Warn
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding
from bot.core.rules.policy import Mode, Reason
from storage.columns import microseconds
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.outbox import SqlOutbox
from storage.records.reviews import SqlReviews
from storage.reports.queries import SqlReportQueries
from storage.settings.communities import SqlCommunities
from storage.settings.journal import SqlJournal
from tests import builders
from tests.fakes.clock import ManualClock
from tests.servers.databases import sqlite_in

GUARD = GuardVersion(name="scripted")
PERIOD = day(builders.NOW.date(), "Asia/Kathmandu")  # its days begin at a quarter past
_numbers = count(1)
APPEALED = 'appeals p JOIN cases ON cases.id = p."case" JOIN incidents i ON i.id = cases.incident'
KEY = "(SELECT key FROM communities WHERE id = :c)"

Trouble = tuple[int, int | None, str, float]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A message and all that comes of it."""

    minutes: int  # after the period's start
    delay: int  # minutes until it was decided
    channel: str
    author: str
    bot: bool
    score: float | None  # None: no verdict
    route: Route | None
    kinds: frozenset[HarmKind]
    live: bool  # a live rule matched
    shadow: bool
    actions: tuple[Action, ...]
    outcome: Outcome | None
    call: Call | None
    settled: bool
    appealed: bool = False
    task: Task = Task.PROMPT_HARM
    refusal: float | None = None
    prompt: float | None = None  # how harmful what a bot was asked is


STORIES = st.lists(
    st.builds(
        Story,
        minutes=st.integers(-600, 2000),
        delay=st.sampled_from([0, 0, 0, 9, 11, 300]),
        channel=st.sampled_from(["자유", "질문"]),
        author=st.sampled_from(["민지", "준호", "도우미"]),
        bot=st.booleans(),
        score=st.one_of(st.none(), st.floats(0, 1)),
        route=st.sampled_from([None, *Route]),
        kinds=st.frozensets(st.sampled_from([HarmKind.HATE, HarmKind.THREAT])),
        live=st.booleans(),
        shadow=st.booleans(),
        actions=st.sampled_from([(), (Flag(),), (Delete(), Flag()), (Delete(), Timeout(timedelta(minutes=5)), Warn()),
                                 (Ban(), Escalate())]),
        outcome=st.sampled_from([None, Done("r"), Gone(), Refused("Manage Messages")]),
        call=st.sampled_from([None, None, Call.RIGHT, Call.WRONG, Call.BAN, Call.ESCALATE]),
        settled=st.sampled_from([True, True, True, False]),
        appealed=st.booleans(),
        task=st.sampled_from([Task.PROMPT_HARM, Task.RESPONSE_HARM]),
        refusal=st.one_of(st.none(), st.floats(0, 1)),
        prompt=st.one_of(st.none(), st.floats(0, 1)),
    ),
    max_size=25,
)  # fmt: skip


#: Minutes after the period's start at which the guard went and came back (None: not yet), and who set the bar then.
TROUBLES = st.lists(
    st.tuples(
        st.integers(-600, 2000),
        st.one_of(st.none(), st.integers(0, 900)),
        st.sampled_from(["", "하늘"]),
        st.floats(0, 1),
    ),
    max_size=4,
)


async def befall(database: Database, community: str, troubles: Sequence[Trouble]) -> None:
    journal, communities = SqlJournal(database), SqlCommunities(database)
    clock = database.clock
    assert isinstance(clock, ManualClock)
    for minutes, lasting, by, bar in sorted(troubles, key=lambda trouble: trouble[0]):
        began = PERIOD.start + timedelta(minutes=minutes)
        await clock.advance((began - clock.now()).total_seconds())
        await builders.put_settings(
            communities,
            Community(platform=builders.message().ref.platform, id=community, thresholds={"insult": bar}),
            by=by,
        )
        await journal.guard_went(began)
        if lasting is not None:
            await journal.guard_came_back(began + timedelta(minutes=lasting))


def scores(story: Story) -> dict[Task, float]:
    assert story.score is not None
    others = {Task.RESPONSE_REFUSAL: story.refusal, Task.PROMPT_HARM: story.prompt}
    known = {task: score for task, score in others.items() if score is not None}
    return known | {story.task: story.score}


def settlement(number: int, community: str, story: Story) -> Settlement:
    sent_at = PERIOD.start + timedelta(minutes=story.minutes)
    about = builders.message(f"{community} {number}", channel=story.channel, community=community, sent_at=sent_at)
    about = replace(about, author=Author(id=story.author, bot=story.bot))
    verdict = (
        Unscreened("guard away", GUARD)
        if story.score is None
        else Verdict.of_scores(scores(story), guard=GUARD, route=story.route)
    )
    findings = (
        Finding("insult", story.live, Explanation("always")),
        Finding("trade", story.shadow, Explanation("always"), Mode.SHADOW),
    )
    decision = replace(
        builders.decision(about, screening=verdict),
        findings=findings,
        actions=story.actions if story.live else (),
        kinds=story.kinds if story.live else frozenset(),
        rule="insult" if story.live else None,
        reason=Reason(ko="욕설", en="Insult") if story.live else None,
        thresholds={"insult": 0.8} if story.live else {},
    )
    return Settlement(
        decision=decision, decided_at=about.sent_at + timedelta(minutes=story.delay), ms=float(abs(story.minutes))
    )


async def record(database: Database, community: str, stories: Sequence[Story]) -> list[Settlement]:
    inbox, outbox, reviews = SqlInbox(database), SqlOutbox(database), SqlReviews(database)
    settlements = [settlement(number, community, story) for number, story in enumerate(stories)]
    await inbox.keep([one.decision.message for one in settlements])
    settled = [one for one, story in zip(settlements, stories, strict=True) if story.settled]
    await inbox.settle(settled)
    await inbox.settle(settled[:3])  # again: must not count twice
    outcomes = {one.decision.message.ref: story.outcome for one, story in zip(settlements, stories, strict=True)}
    everywhere = builders.EVERYWHERE
    planned = await outbox.claim(1000, now=builders.NOW, platforms=everywhere)  # with what the last example left undone
    done = [(one, outcome) for one in planned if (outcome := outcomes.get(one.message.ref))]
    await outbox.record(done)
    async with database.read() as connection:
        opened = await connection.execute(
            text(
                f"SELECT i.id, m.message FROM incidents i JOIN messages m ON m.id = i.message WHERE i.community = {KEY}"
            ),
            {"c": community},
        )
        numbers = {int(row.message.split()[1]): row.id for row in opened}
    for place, number in numbers.items():
        story = stories[place]
        if story.call:
            review = Review(
                incident_id=number, call=story.call, moderator_id="1", moderator_name="운영진", at=builders.NOW
            )
            await reviews.record(builders.home(community), review, due=builders.NOW)
        if story.appealed:
            await reviews.appeal(
                builders.home(community),
                Appeal(incident_id=number, words="억울해요", at=builders.NOW),
                [],
                due=builders.NOW,
            )
    return settled


async def recount(database: Database, community: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Straight from the tables, one simple statement a figure."""
    now = microseconds(database.clock.now())
    given_ = {"c": community, "start": microseconds(start), "end": microseconds(end)}
    sent = f"community = {KEY} AND sent_at >= :start AND sent_at < :end"
    live = f"i.community = {KEY} AND i.decided_at >= :start AND i.decided_at < :end AND i.rule IS NOT NULL"
    felt = "('delete', 'warn', 'timeout', 'kick', 'ban')"
    async with database.read() as connection:

        async def rows(statement: str) -> list[Any]:
            return [tuple(row) for row in await connection.execute(text(statement), given_)]

        return {
            "seen": (await rows(f"SELECT count(*) FROM messages WHERE {sent}"))[0][0]
            + (await rows(f"SELECT count(*) FROM queue WHERE {sent}"))[0][0],
            "waiting": (await rows(f"SELECT count(*) FROM queue WHERE {sent}"))[0][0],
            "judged": (await rows(f"SELECT count(*) FROM messages WHERE {sent} AND score IS NOT NULL"))[0][0],
            "channels": dict(await rows(f"SELECT channel, count(*) FROM messages WHERE {sent} GROUP BY channel")),
            "numbers": [
                row[0]
                for row in await rows(
                    f"SELECT cases.number FROM incidents i JOIN cases ON cases.incident = i.id WHERE {live}"
                )
            ],
            "rules": dict(await rows(f"SELECT i.rule, count(*) FROM incidents i WHERE {live} GROUP BY i.rule")),
            "actions": dict(
                await rows(
                    f"SELECT a.kind, count(*) FROM actions a JOIN incidents i ON i.id = a.incident "
                    f"WHERE {live} AND a.state IN ('done', 'gone') GROUP BY a.kind"
                )
            ),
            "refused": (
                await rows(
                    f"SELECT count(*) FROM actions a JOIN incidents i ON i.id = a.incident "
                    f"WHERE {live} AND a.state = 'refused'"
                )
            )[0][0],
            "acted": (
                await rows(
                    f"SELECT count(DISTINCT i.id) FROM actions a JOIN incidents i ON i.id = a.incident "
                    f"WHERE {live} AND a.state IN ('done', 'gone') AND a.kind IN {felt}"
                )
            )[0][0],
            "reviewed": (
                await rows(
                    f"SELECT count(*) FROM reviews r JOIN incidents i ON i.id = r.incident WHERE {live} AND r.closes"
                )
            )[0][0],
            "down": await rows(
                f"SELECT began_at, coalesce(ended_at, {now}) FROM outages "
                f"WHERE began_at < :end AND coalesce(ended_at, {now}) > :start ORDER BY began_at"
            ),
            "amended": [
                (Openly().unseal(by), setting, Openly().unseal(after))
                for by, setting, after in await rows(
                    "SELECT by, setting, after FROM amendments "
                    f"WHERE community = {KEY} AND at >= :start AND at < :end ORDER BY at, id"
                )
            ],
            "overturned": (
                await rows(
                    f"SELECT count(*) FROM reviews r JOIN incidents i ON i.id = r.incident "
                    f"WHERE {live} AND r.call = 'wrong'"
                )
            )[0][0],
            "appealed": [row[0] for row in await rows(f"SELECT cases.number FROM {APPEALED} WHERE {live}")],
            "appeals": dict(
                await rows(
                    f"SELECT cases.number, r.call FROM {APPEALED} JOIN reviews r ON r.incident = i.id "
                    f"WHERE {live} AND r.closes"
                )
            ),
        }


def check(figures: Figures, totals: Totals, counted: dict[str, Any], settled: Sequence[Settlement]) -> None:
    assert figures.totals == totals
    assert {name: getattr(totals, name) for name in counted if hasattr(totals, name)} == {
        name: value for name, value in counted.items() if hasattr(totals, name)
    }
    assert figures.waiting == counted["waiting"]
    assert dict(figures.by_channel) == counted["channels"]
    report = compose("cafe", PERIOD, figures, [])
    assert sorted(entry.id for entry in report.live) == sorted(counted["numbers"])
    assert sum(line.count for line in report.rules) == totals.flagged == len(counted["numbers"])
    assert sum(line.count for line in report.failed(Refused.kind)) == counted["refused"]
    assert sum(report.messages_by_day.values()) == figures.seen - figures.waiting == sum(figures.latency.values())
    by_hour = [number for row in incidents_by_hour(report) for numbers in row for number in numbers]
    assert sorted(by_hour) == sorted(counted["numbers"])
    assert sum(len(load.incidents) for load in loads(report.live)) == totals.reviewed
    assert sum(len(load.overturned) for load in loads(report.live)) == totals.overturned
    found = opinions(report.live)
    assert sorted(found.appealed) == sorted(counted["appealed"])
    upheld = [number for number, call in counted["appeals"].items() if call == "wrong"]
    assert sorted(found.upheld_appeals) == sorted(upheld)
    assert (found.appeals.part, found.appeals.whole) == (len(upheld), len(counted["appeals"]))
    assert sum(sum(kinds.values()) for kinds in report.actions_by_day.values()) == sum(counted["actions"].values())
    minutes = set()  # every minute of the period in which the guard was away
    for began, ended in counted["down"]:
        minutes |= set(range(began // 60_000_000, ended // 60_000_000))
    within = range(microseconds(PERIOD.start) // 60_000_000, microseconds(PERIOD.end) // 60_000_000)
    assert journal.downtime(figures.outages) == timedelta(minutes=len(minutes & set(within)))
    assert [(one.by, one.setting, one.after) for one in figures.amendments] == counted["amended"]
    inside = [one for one in settled if PERIOD.start <= one.decision.message.sent_at < PERIOD.end]
    assert figures.unscreened == sum(isinstance(one.decision.screening, Unscreened) for one in inside)
    assert figures.late == sum(one.decided_at - one.decision.message.sent_at > timedelta(minutes=10) for one in inside)
    assert dict(figures.by_bot) == Counter(
        one.decision.message.author.id for one in inside if one.decision.message.author.bot
    )
    routes = [getattr(one.decision.screening, "route", None) for one in inside]
    assert dict(figures.routes) == Counter(filter(None, routes))
    assert unasked(figures) == routes.count(Route.SKIPPED)
    assert missed(figures).part == routes.count(Route.MISSED)
    assert missed(figures).whole == routes.count(Route.MISSED) + routes.count(Route.CLEARED)
    pairs(figures, inside)
    assert totals.answers == sum(counts.judged for counts in figures.pairs.values())
    answers = [entry.answer for entry in worst_answers(report.live) if entry.answer]
    assert [answer.harm for answer in answers] == sorted((answer.harm for answer in answers), reverse=True)
    assert all("안녕" not in answer.text for answer in answers), "masked"
    decided = [one for one in settled if PERIOD.start <= one.decided_at < PERIOD.end and one.decision.rule is not None]
    assert dict(totals.kinds) == Counter(str(kind) for one in decided for kind in one.decision.kinds or ("",))


def pairs(figures: Figures, inside: Sequence[Settlement]) -> None:
    """Each bot's answers, counted one by one in the plainest way."""
    told: dict[str, list[dict[Task, float]]] = defaultdict(list)
    for one in inside:
        author, screening = one.decision.message.author, one.decision.screening
        if author.bot and isinstance(screening, Verdict):
            told[author.id].append(dict(screening.scores))
    for bot in told.keys() | figures.pairs.keys():
        counts, scored = figures.pairs.get(bot, PairCounts()), told[bot]
        harm = [one[Task.RESPONSE_HARM] for one in scored if Task.RESPONSE_HARM in one]
        refusal = [one[Task.RESPONSE_REFUSAL] for one in scored if Task.RESPONSE_REFUSAL in one]
        both = [one for one in scored if Task.RESPONSE_REFUSAL in one and Task.PROMPT_HARM in one]
        harmless = [one[Task.RESPONSE_REFUSAL] for one in both if one[Task.PROMPT_HARM] < 0.5]
        harmful = [one[Task.RESPONSE_REFUSAL] for one in both if one[Task.PROMPT_HARM] >= 0.5]
        assert (counts.judged, counts.unsafe) == (len(harm), sum(score >= 0.5 for score in harm))
        assert (counts.asked, counts.refused) == (len(refusal), sum(score >= 0.5 for score in refusal))
        assert (counts.harmless, counts.over_refused) == (len(harmless), sum(score >= 0.5 for score in harmless))
        assert (counts.harm_asked, counts.harm_answered) == (len(harmful), sum(score < 0.5 for score in harmful))


def whole_story(url: str, stories: Sequence[Story], troubles: Sequence[Trouble]) -> None:
    community = f"community-{next(_numbers)}"

    async def scenario() -> None:
        async with Database.open(url, ManualClock()) as database:
            settled = await record(database, community, stories)
            await befall(database, community, troubles)
            queries = SqlReportQueries(database)
            for name in (community, f"{community}-moved"):
                figures = await queries.figures(builders.home(name), PERIOD.start, PERIOD.end)
                totals = await queries.totals(builders.home(name), PERIOD.start, PERIOD.end)
                check(figures, totals, await recount(database, name, PERIOD.start, PERIOD.end), settled)
                moved = SqlCommunities(database)
                await moved.move(builders.home(community), f"{community}-moved")

    asyncio.run(scenario())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories=STORIES, troubles=TROUBLES)
def test_figures_are_a_plain_recount_on_sqlite(stories: list[Story], troubles: list[Trouble], tmp_path: Path) -> None:
    whole_story(sqlite_in(tmp_path), stories, troubles)


@pytest.fixture(scope="module")
def server(postgres: Any) -> str:
    return str(postgres.create())


@settings(max_examples=10, deadline=None)
@given(stories=STORIES, troubles=TROUBLES)
def test_figures_are_a_plain_recount_on_postgresql(server: str, stories: list[Story], troubles: list[Trouble]) -> None:
    whole_story(server, stories, troubles)


def test_a_bots_answer_is_told_with_the_score_that_counted(tmp_path: Path) -> None:
    about = replace(
        builders.message("1", "아주 나쁜 답", sent_at=PERIOD.start),
        author=Author(id="robot", bot=True),
        prompt="나쁜 질문",
    )
    scored = Verdict.of_scores({Task.PROMPT_HARM: 0.99, Task.RESPONSE_HARM: 0.6}, guard=GUARD)
    why = Explanation("score_reached", {"task": "response_harm", "score": 0.6, "bar": 0.55})
    decision = replace(builders.decision(about, Flag(), screening=scored), findings=(Finding("insult", True, why),))

    async def scenario() -> None:
        async with Database.open(sqlite_in(tmp_path), ManualClock()) as database:
            inbox = SqlInbox(database)
            await inbox.keep([about])
            await inbox.settle([Settlement(decision=decision, decided_at=PERIOD.start)])
            figures = await SqlReportQueries(database).figures(builders.home(), PERIOD.start, PERIOD.end)
        (entry,) = figures.entries
        assert entry.score == 0.6 and entry.answer == Answer(harm=0.6, prompt="나○ 질○", text="아○ 나○ 답")
        assert worst_answers(figures.live) == (entry,)
        assert figures.pairs == {"robot": PairCounts(judged=1, unsafe=1)} and figures.totals.unsafe_answers == 1

    asyncio.run(scenario())
