"""What waits for moderators is read by the rules that their community has written down: within a budget, at most once,
and nothing is done because of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.app.application import application
from bot.config import Config, StorageSettings
from bot.config.guards import HouseRulesSettings
from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.message import CommunityRef, Message
from bot.core.communities.community import LONGEST_RULES
from bot.core.guarding.verdict import Exchange, GuardVersion, Opinion, Unscreened
from bot.core.incidents.incident import Incident
from bot.core.incidents.opinions import OF_A_MEMBER, TRIES, RulesReader, may_ask
from bot.core.incidents.review import Call, Review
from bot.core.moderation.flagging import Flagging
from bot.core.moderators.commands.policy import HouseRules
from bot.core.rules.actions import Action, Delete, Flag
from bot.core.rules.policy import Watch
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.records.erasing import SqlErasing
from storage.records.forgetting import SqlForgetting
from storage.records.incidents import SqlIncidents
from storage.records.reviews import SqlReviews
from storage.settings.flags import SqlFlags
from storage.settings.opinions import SqlOpinions
from storage.tables import actions, opinions
from tests.builders import NOW, home, message, settlement
from tests.fakes.clock import HurriedClock, ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.flow.communities.test_own_words import HERE as HOME
from tests.flow.communities.test_own_words import Desk
from tests.flow.moderation.test_stopping import Chat
from tests.servers.databases import sqlite_in
from tests.servers.guards.policy_model import PolicyServer
from tests.servers.waiting import until

HERE, ELSEWHERE = home(), home("other")
RULES = "1. 광고하지 않습니다."
A_DAY = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_in(tmp_path)
    created: str = request.getfixturevalue("postgres").create()
    return created


class Model:
    """Finds "광고" against the rules; what else it says is `said`, and what it fails of `trouble`."""

    version = GuardVersion(name="policy", model="reader")

    def __init__(self) -> None:
        self.read_texts: list[str] = []
        self.said: Callable[[Exchange], Opinion | Unscreened] | None = None
        self.trouble: Exception | None = None

    async def read(self, exchange: Exchange, rules: str) -> Opinion | Unscreened:
        text = exchange.response or exchange.prompt or ""
        self.read_texts.append(text)
        if self.trouble:
            raise self.trouble
        if self.said:
            return self.said(exchange)
        against = "광고" in text
        quoted = {"rule": rules, "words": "광고"} if against else {}
        return Opinion(guard=self.version, against=against, **quoted)


class Stage:
    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock, self.model = database, clock, Model()
        self.rules: dict[CommunityRef, str] = {HERE: RULES}
        self.changed: list[int] = []
        self.opinions, self.incidents = SqlOpinions(database), SqlIncidents(database)

    async def settle(self, *said: Message, actions: Sequence[Action] = (Flag(),)) -> Sequence[Incident]:
        await SqlInbox(self.database).keep(said)
        settled = [settlement(one, *actions, decided_at=self.clock.now()) for one in said]
        await SqlInbox(self.database).settle(settled)
        return await self.incidents.of([one.ref for one in said])

    @property
    def reader(self) -> RulesReader:
        return RulesReader(
            guard=self.model, opinions=self.opinions, incidents=self.incidents, rules_of=lambda: self.rules,
            clock=self.clock, on_change=lambda _, incident: self.changed.append(incident), a_day=A_DAY,
        )  # fmt: skip

    async def read(self) -> None:
        """As long as anything is due."""
        reader = self.reader
        while await reader.turn():
            pass

    async def shown(self) -> None:
        """What was planned is done."""
        async with self.database.write() as connection:
            done = update(actions).values(state="done", finished_at=self.clock.now())
            await connection.execute(done)

    async def opinion(self, incident: Incident) -> Opinion | None:
        found = await self.incidents.get(incident.decision.message.community, incident.id)
        assert found
        return found.opinion


def on_stage(url: str, scenario: Callable[[Stage], object]) -> None:
    async def run() -> None:
        clock = ManualClock()
        async with Database.open(url, clock) as database:
            await scenario(Stage(database, clock))  # type: ignore[misc]  # a coroutine function

    asyncio.run(run())


def test_what_waits_is_read_once_and_its_card_is_drawn_anew(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        advert, talk = await stage.settle(message("1", "광고 봐 주세요"), message("2", "오늘 날씨", author="dal"))
        (acted,) = await stage.settle(message("3", "광고를 지웠다"), actions=(Delete(), Flag()))
        (there,) = await stage.settle(message("4", "남의 광고", community="other"))
        await stage.read()
        against, nothing = await stage.opinion(advert), await stage.opinion(talk)
        assert against and (against.against, against.rule, against.words) == (True, RULES, "광고")
        assert nothing and not nothing.against and sorted(stage.changed) == sorted([advert.id, talk.id])
        assert await stage.opinion(acted) is None and await stage.opinion(there) is None
        await stage.read()
        assert sorted(stage.model.read_texts) == ["광고 봐 주세요", "오늘 날씨"]
        (after,) = await stage.incidents.of([advert.decision.message.ref])
        assert after.outcomes == advert.outcomes, "nothing is done because of it"

    on_stage(url, scenario)


def test_what_is_called_or_old_is_not_read(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        (called,) = await stage.settle(message("1", "광고 하나"))
        review = Review(incident_id=called.id, call=Call.RIGHT, moderator_id="m", moderator_name="m", at=NOW)
        await SqlReviews(stage.database).record(HERE, review, due=NOW)
        await stage.settle(message("2", "광고 둘"))
        await stage.clock.advance(3601)
        await stage.read()
        assert stage.model.read_texts == []

    on_stage(url, scenario)


def test_a_raid_spends_neither_the_day_nor_what_members_point_to(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.settle(*[message(f"{n}", f"광고 {n}번", author=f"raider-{n}") for n in range(60)])
        await stage.settle(*[message(f"s{n}", "똑같은 광고", author=f"same-{n}") for n in range(20)])
        await stage.settle(*[message(f"o{n}", f"혼자 광고 {n}", author="alone") for n in range(20)])
        await stage.read()
        texts = stage.model.read_texts
        assert len(texts) == len(set(texts)) and sum("혼자" in one for one in texts) <= OF_A_MEMBER
        assert texts.count("똑같은 광고") <= 1 and len(texts) <= A_DAY / 4 * 0.75 + 1
        said = message("told", "회원이 알린 광고", author="raider-99")
        flagging = Flagging(flags=SqlFlags(stage.database), inbox=SqlInbox(stage.database), clock=stage.clock)
        await flagging.flag(said, "minji")
        (claimed,) = await SqlInbox(stage.database).claim(1, fresh_since=NOW - timedelta(hours=1))
        await SqlInbox(stage.database).settle([settlement(claimed, Flag(), decided_at=stage.clock.now())])
        await stage.read()
        assert "회원이 알린 광고" in stage.model.read_texts

    on_stage(url, scenario)


def test_a_community_that_is_raided_keeps_nobody_from_theirs(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        stage.rules[ELSEWHERE] = RULES
        await stage.settle(*[message(f"{n}", f"광고 {n}번", author=f"raider-{n}") for n in range(30)])
        (there,) = await stage.settle(message("x", "남의 광고", community="other"))
        assert await stage.reader.turn() == 2
        assert await stage.opinion(there), "with the first ones of the raid"

    on_stage(url, scenario)


def test_the_budget_holds_whoever_asks() -> None:
    assert may_ask(flagged=False, hour=0, day=0, a_day=1) and not may_ask(flagged=True, hour=0, day=1, a_day=1)
    hours = [sum(may_ask(flagged=flagged, hour=n, day=n, a_day=100) for n in range(100)) for flagged in (False, True)]
    days = [sum(may_ask(flagged=flagged, hour=0, day=n, a_day=100) for n in range(200)) for flagged in (False, True)]
    assert (hours, days) == ([19, 25], [75, 100])


def test_several_processes_at_once_spend_what_one_would(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.settle(*[message(f"{n}", f"광고 {n}번", author=f"raider-{n}") for n in range(40)])
        found = await asyncio.gather(*[stage.opinions.ask([HERE], a_day=A_DAY, most=4) for _ in range(20)])
        asked = [incident for some in found for _, incident in some]
        assert len(asked) == len(set(asked)) == 8

    on_stage(url, scenario)


def test_whoever_dies_over_one_has_it_read_by_the_next_and_not_for_ever(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        (said,) = await stage.settle(message("1", "광고"))
        for _ in range(TRIES):
            assert [one for _, one in await stage.opinions.ask([HERE], a_day=A_DAY, most=4)] == [said.id]
            assert await stage.opinions.ask([HERE], a_day=A_DAY, most=4) == []
            await stage.clock.advance(601)
        assert await stage.opinions.ask([HERE], a_day=A_DAY, most=4) == []

    on_stage(url, scenario)


def test_a_model_that_is_away_lies_or_fails_costs_the_others_nothing(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        (said,) = await stage.settle(message("1", "광고"))
        for trouble in (Unavailable("no guard server answers"), RuntimeError("a defect")):
            stage.model.trouble = trouble
            with pytest.raises(type(trouble)):
                await stage.reader.turn()
            assert await stage.reader.turn() == 0, "not the same again and again"
            await stage.clock.advance(601)
        stage.model.trouble, stage.model.said = (
            None,
            lambda exchange: Opinion(guard=Model.version, against=True, rule="없는 수칙", words="광고"),
        )
        (lied,) = await stage.settle(message("2", "다른 광고", author="dal"))
        await stage.read()
        assert await stage.opinion(lied) is None and await stage.opinion(said) is None and not stage.changed
        stage.model.said = None
        await stage.clock.advance(601)
        await stage.read()
        assert await stage.opinion(lied) is None, "who lies is not asked again"

    on_stage(url, scenario)


def test_it_goes_on_through_outages_and_ends_where_it_is_refused(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        async def moving_on(holds: Callable[[], object]) -> None:
            async with asyncio.timeout(60):
                while not holds():
                    await stage.clock.advance(5)
                    await asyncio.sleep(0.01)

        await stage.settle(message("1", "광고"))
        stage.model.trouble = Unavailable("no guard server answers")
        running = asyncio.create_task(stage.reader.run())
        await until(lambda: bool(stage.model.read_texts))
        stage.model.trouble = None
        (said,) = await stage.settle(message("2", "그다음 광고", author="dal"))
        await moving_on(lambda: said.id in stage.changed)
        stage.model.trouble = Broken("the guard server refuses our token")
        await stage.settle(message("3", "다른 광고", author="bo"))
        await moving_on(running.done)
        assert running.exception() is None, "and nothing else with it"

    on_stage(sqlite_in(tmp_path), scenario)


def test_rules_and_texts_are_read_up_to_their_bounds(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        stage.rules[HERE] = "가" * 10_000_000
        seen: list[int] = []
        await stage.settle(message("1", "나" * 100_000))
        read = stage.model.read

        async def measured(exchange: Exchange, rules: str) -> Opinion | Unscreened:
            seen.extend((len(exchange.prompt or ""), len(rules)))
            return await read(exchange, rules)

        stage.model.read = measured  # type: ignore[method-assign]
        await stage.read()
        assert seen and max(seen) <= LONGEST_RULES

    on_stage(url, scenario)


def test_what_is_erased_is_quoted_nowhere(url: str) -> None:
    async def scenario(stage: Stage) -> None:
        first, second = await stage.settle(message("1", "광고"), message("2", "다른 광고", author="dal"))
        (late,) = await stage.settle(message("3", "늦은 광고", author="bo"))
        opinion = Opinion(guard=Model.version, against=True, rule=RULES, words="광고")
        await stage.opinions.ask([HERE], a_day=A_DAY, most=1)
        for _ in range(3):
            await stage.opinions.ask([HERE], a_day=A_DAY, most=4)
        for one in (first, second):
            assert await stage.opinions.answer(HERE, one.id, opinion)
        assert not await stage.opinions.answer(ELSEWHERE, first.id, opinion), "of another community's"
        await stage.shown()
        for member in ("minji", "bo"):
            await SqlErasing(stage.database).erase_member(HERE, member)
        assert not await stage.opinions.answer(HERE, late.id, opinion), "while it was being read"
        await SqlForgetting(stage.database).forget_texts([second.id])
        async with stage.database.read() as connection:
            assert {row.words for row in await connection.execute(select(opinions.c.words))} == {None}
        assert await SqlErasing(stage.database).erase_community(HERE)
        async with stage.database.read() as connection:
            assert not (await connection.execute(select(opinions))).all()

    on_stage(url, scenario)


def test_moderators_write_their_rules_down_in_the_chat() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert "없습니다" in await desk.says(HouseRules())
        rules = "1. 광고 금지\n2. 욕설 금지"
        assert "[house_rules]" in await desk.says(HouseRules(f"  {rules}\n"))
        assert desk.community(HOME).house_rules == rules and rules in await desk.says(HouseRules(show=True))
        assert "바꾸지 않았습니다" in await desk.says(HouseRules("가" * (LONGEST_RULES + 1)))
        assert desk.community(HOME).house_rules == rules
        await desk.says(HouseRules(off=True))
        assert not desk.community(HOME).house_rules

    asyncio.run(scenario())


def test_the_whole_application_shows_what_a_model_says(tmp_path: Path) -> None:
    """What a rule only flags is read, and its card is to be drawn anew; nothing else is done."""

    async def scenario() -> None:
        chat, clock, shown = Chat(), HurriedClock(speed=10), list[int]()
        chat.go_on.set()
        chat.incident_changed = lambda community, incident, **_: shown.append(incident)  # type: ignore[method-assign]
        async with PolicyServer() as server:
            reading = HouseRulesSettings(servers=[server.url])
            config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)), house_rules=reading)
            guard = ScriptedGuard({"광고 같은 말": 0.7})
            async with application(config, guard, lambda core: [chat], mode=Watch.LIVE, clock=clock) as jikimi:
                await jikimi.policies.change(HERE, lambda now: replace(now, house_rules=RULES), by="")
                running = asyncio.create_task(jikimi.run())
                chat.arriving.put_nowait([message("1", "광고 같은 말", sent_at=clock.now())])
                await until(lambda: len(shown) >= 2)  # once it is on the card, and once it is read
                incident = await jikimi.incidents.get(HERE, shown[-1])
                assert incident and incident.opinion and incident.opinion.rule == RULES
                assert {one.action.kind for one in chat.performed} == {"flag"}
                chat.arriving.put_nowait(None)
                running.cancel()
                await asyncio.wait([running])

    asyncio.run(scenario())
