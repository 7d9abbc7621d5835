"""A community's policy, changed in its chat: by kinds of harm, rule by rule, and by the hour."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.chat.discord.manner import ChoiceManner
from bot.config import Config
from bot.core.communities.community import Community
from bot.core.communities.hours import Hours
from bot.core.moderators.answer import Channel, Lines
from bot.core.moderators.commands.lists import Forbid, ShowLists
from bot.core.moderators.commands.overrides import SetOverride
from bot.core.moderators.commands.overview import overview
from bot.core.moderators.commands.policy import NightMode, QuietHours, Sensitivity, Shadow
from bot.core.moderators.commands.settings import Threshold
from bot.core.reporting.what_if import bar_of
from bot.core.rules.policy import Mode, Watch
from bot.core.text.catalogue import texts_on
from bot.wording.answered import lines
from tests.builders import DISCORD, NOW, message
from tests.flow.communities.test_own_words import HERE, THERE, Desk

RULE = """
when.text = { any_of = ["도배글"] }
then = ["delete"]
"""


def rules(**more: object) -> dict[str, Mode]:
    policy = Config().policy_of(Community(platform=DISCORD, id="c", **more))  # type: ignore[arg-type]
    return {rule.name: rule.mode for rule in policy.rules}


def test_the_rules_about_one_kind_come_from_another_preset_or_are_not_there() -> None:
    plain, strict = rules(), rules(preset="strict")
    assert rules(kinds={"abuse": "balanced"}) == plain
    assert rules(kinds={"fraud": "off"}).keys() == {name for name in plain if "fraud" not in name}
    taken = rules(kinds={"hate": "strict"})
    assert {name for name in taken if "hate" in name} == {name for name in strict if "hate" in name}
    assert {name for name in taken if "hate" not in name} == {name for name in plain if "hate" not in name}
    bars = {
        rule.name: [condition.bar for condition in rule.when]
        for rule in Config().policy_of(Community(platform=DISCORD, id="c", kinds={"abuse": "strict"})).rules
    }
    assert bars["sure-abuse"] != [0.97] and bars["sure-hate"] == [0.97]


def test_a_rule_of_its_own_stands_beside_and_in_place_of_those_of_the_preset() -> None:
    table = f'name = "mine"{RULE}'
    assert rules(rules={"mine": table}) == {**rules(), "mine": Mode.LIVE}
    assert rules(rules={"mine": table}, shadow=frozenset({"mine"}))["mine"] is Mode.SHADOW
    in_place = Config().policy_of(Community(platform=DISCORD, id="c", rules={"slur": table.replace("mine", "slur")}))
    assert [rule.then for rule in in_place.rules if rule.name == "slur"] == [in_place.rules[0].then]
    assert rules(rules={"mine": 'of_a_later_version = "?"'}) == rules(), "what cannot be read stops nothing else"
    assert Config().policy_of(None).version != in_place.version


def test_what_is_chosen_for_a_kind_holds_from_the_next_message_on_and_there_alone() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert "사기: 찾지 않음" in await desk.says(Sensitivity("fraud", "off"))
        here = {rule.name for rule in desk.policies.of_community(HERE).rules}
        assert {rule.name for rule in desk.policies.of_community(THERE).rules} - here == {"likely-fraud", "sure-fraud"}
        assert "사기: 찾지 않음" in await desk.says(Sensitivity())
        await desk.says(Sensitivity("fraud", "same"))
        assert "sure-fraud" in {rule.name for rule in desk.policies.of_community(HERE).rules}
        assert "없습니다" in await desk.says(Sensitivity())

    asyncio.run(scenario())


def test_a_rule_that_only_records_does_nothing_and_says_what_it_found() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(Forbid("대리게임"))
        assert "기록만" in await desk.says(Shadow("forbidden-words"))
        found = desk.decided("대리게임 해요")
        assert (found.rule, found.actions, found.is_incident) == (None, (), True)
        assert "기록만" in await desk.says(Shadow())
        assert "없습니다" in await desk.says(Shadow("nope"))
        await desk.says(Shadow("forbidden-words", on=False))
        assert desk.decided("대리게임 해요").rule == "forbidden-words"

    asyncio.run(scenario())


def test_the_settings_are_told_in_words() -> None:
    async def scenario() -> None:
        desk = Desk()
        manner = ChoiceManner(texts_on("discord", "ko"), "UTC", NOW, None)

        def told() -> str:
            return lines(Lines(overview(desk, message(community="here"), "", has_filter=False)), manner)  # type: ignore[arg-type]

        assert "**예외** 없음" in told() and "**기준** 없음" in told() and "**일시정지** 없음" in told()
        await desk.says(Threshold("likely-abuse", 0.7))
        await desk.says(Shadow("likely-abuse"))
        await desk.says(QuietHours(23, 7))
        assert "**기준** 욕설·모욕 의심 (likely-abuse) · 0.7" in told()
        assert "**기록만 하는 규칙** 욕설·모욕 의심 (likely-abuse)" in told() and "**조용한 시간** 23시~7시" in told()

    asyncio.run(scenario())


def test_a_word_is_counted_before_it_is_forbidden() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert "세어" in await desk.says(Forbid("대리게임", trial=True))
        found = desk.decided("대리게임 해요")
        assert (found.rule, found.actions) == (None, ())
        assert [one.rule for one in found.findings if one.matched] == ["tried-words"]
        assert "세어 보는 낱말" in await desk.says(ShowLists())
        await desk.says(Forbid("대리게임"))
        lists = desk.community(HERE).lists
        assert (lists.tried_words, lists.forbidden_words) == ((), ("대리게임",))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("start", "end", "holds"), [(23, 7, {23, 0, 6}), (9, 18, {9, 12, 17}), (0, 1, {0}), (22, 0, {22, 23})]
)
def test_hours_may_go_over_midnight(start: int, end: int, holds: set[int]) -> None:
    hours = Hours(start=start, end=end)
    asked = {0, 6, 7, 9, 12, 17, 18, 21, 22, 23}
    midnight = NOW.replace(hour=0)
    held = {hour for hour in asked if hours.hold(midnight + timedelta(hours=hour), "UTC")}
    assert held >= holds and all(hours.hold(midnight + timedelta(hours=hour), "UTC") for hour in holds)
    assert not hours.hold(midnight + timedelta(hours=end), "UTC")
    assert hours.hold(midnight + timedelta(hours=start - 9), "Asia/Seoul")


def test_at_night_other_rules_hold_but_where_a_place_has_its_own() -> None:
    async def scenario() -> None:
        desk = Desk()
        local = NOW.hour + 9  # Seoul
        assert "그대로" not in await desk.says(NightMode(local % 24, (local + 2) % 24, preset="gentle", mode="watch"))
        assert desk.policies.of_community(HERE).mode is Watch.WATCH
        assert desk.policies.of_community(THERE).mode is Watch.LIVE
        await desk.says(SetOverride(mode="live", channel=Channel("general")))
        assert desk.policies.of(message(community=HERE.id)).mode is Watch.LIVE
        await desk.store.clock.advance(2 * 3600)
        assert desk.policies.of_community(HERE).mode is Watch.LIVE
        assert "밤에도" in await desk.says(NightMode(on=False))

    asyncio.run(scenario())


def test_a_place_has_thresholds_of_its_own_and_its_threads_too() -> None:
    async def scenario() -> None:
        desk = Desk()

        def bar(channel: str, *within: str) -> float | None:
            said = replace(message(community=HERE.id, channel=channel), within=frozenset(within))
            return next(bar_of(rule) for rule in desk.policies.of(said).rules if rule.name == "likely-abuse")

        usual = bar("general")
        assert "욕설·모욕 의심 (likely-abuse) 기준 0.99" in await desk.says(
            SetOverride(rule="likely-abuse", score=0.99, channel=Channel("general"))
        )
        assert bar("general") == bar("a thread", "general") == 0.99 and bar("elsewhere") == usual
        assert "없는 규칙" in await desk.says(SetOverride(rule="없는 규칙", score=0.5, channel=Channel("general")))
        await desk.says(SetOverride(mode="watch", channel=Channel("general")))
        assert bar("general") == 0.99, "what is set besides leaves it"
        await desk.says(SetOverride(mode="same", channel=Channel("general")))
        assert bar("general") == usual

    asyncio.run(scenario())


def test_quiet_hours_are_told_and_taken_back() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert "23시부터 8시까지" in await desk.says(QuietHours(23, 8))
        assert desk.community(HERE).quiet == Hours(start=23, end=8)
        assert "언제나" in await desk.says(QuietHours(on=False))

    asyncio.run(scenario())
