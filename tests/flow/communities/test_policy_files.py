"""A policy as a file: handed out, compared, taken in, taken back; what is no policy never takes the place of one."""

import asyncio
import tomllib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config import Config, policy_file
from bot.config.writing import toml
from bot.core.communities.community import Community
from bot.core.communities.hours import Hours, Night
from bot.core.communities.overrides import Override
from bot.core.communities.ports import Unfit
from bot.core.communities.versions import MOST, only_policy
from bot.core.moderators.answer import File, Handed
from bot.core.moderators.commands.lists import Allow, Forbid
from bot.core.moderators.commands.policy import Sensitivity
from bot.core.moderators.commands.versions import (
    PolicyCompare,
    PolicyExport,
    PolicyImport,
    PolicyRollback,
    PolicyVersions,
)
from bot.core.rules.lists import Lists
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.builders import NOW, later
from tests.flow.communities.test_own_words import HERE, THERE, Desk

KO = texts("ko")
RULE = """
[[rules]]
name = "sale"
when.text = { any_of = ["팝니다", "/삽니[다당]/"] }
when.score = { at_least = 0.1 }
then = ["delete", "timeout 10m"]
reason = { ko = "거래 글", en = "trading" }
"""
WHOLE = Community(
    platform=HERE.platform, id=HERE.id, preset="strict", mode=Watch.LIVE, ladder="timeout", care=False,
    house_rules='1. "광고"는 C:\\길에서만.\n\n2. \\n 도 글자입니다.',
    kinds={"abuse": "gentle", "fraud": "off"}, thresholds={"likely-abuse": 0.85}, shadow=frozenset({"slur", "둘"}),
    lists=Lists(forbidden_words=("대리 게임", '따"옴표\\'), allowed_words=("네모",), tried_words=("토토*",),
                forbidden_links=("discord.gg/abc",), allowed_links=("naver.com",)),
    night=Night(hours=Hours(start=23, end=7), preset="strict", mode=Watch.WATCH), quiet=Hours(start=0, end=8),
    exempt_roles=frozenset({"77"}), exempt_channels=frozenset({"-5/3"}),
    overrides={"9": Override(mode=Watch.WATCH, thresholds=(("likely-abuse", 0.9),), until=later(3600)),
               "77": Override(off=True, place=False)},
)  # fmt: skip


def read(text: str) -> Community | Unfit:
    return policy_file.read(text.encode(), KO)


def test_a_policy_reads_back_as_it_was_written() -> None:
    taken = read(policy_file.written(WHOLE) + RULE)
    assert isinstance(taken, Community)
    assert replace(taken, rules={}) == WHOLE
    assert list(taken.rules) == ["sale"]
    assert read(policy_file.written(taken)) == taken, "its own rules, too"
    (rule,) = (rule for rule in Config().policy_of(taken).rules if rule.name == "sale")
    assert [action.kind for action in rule.then] == ["delete", "timeout"]
    assert read("format = 1") == Community.blank(replace(HERE, platform="", id=""))  # type: ignore[arg-type]


PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES: Any = st.recursive(
    PLAIN | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False),
    lambda within: st.lists(within, max_size=3) | st.dictionaries(PLAIN, within, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(PLAIN, VALUES, max_size=4))
def test_what_is_written_as_toml_is_read_as_the_same(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml(table)) == table


MANY = "".join(f'[[rules]]\nname = "a{number}"\nwhen.by_bot = true\nthen = ["flag"]\n' for number in range(101))
HOSTILE = {
    "no toml": ("format = ", "TOML"),
    "nothing": ("", "format"),
    "of a newer version": ('format = 2\nsomething_new = "?"', "업데이트"),
    "an unknown key": ('format = 1\nprest = "strict"', "preset"),
    "a wrong value": ('format = 1\npreset = "cruel"', "preset"),
    "a kind that there is not": ('format = 1\n[kinds]\nnoise = "off"', "kinds"),
    "a score beyond one": ("format = 1\n[thresholds]\nslur = 1.5", "thresholds.slur"),
    "a word that is everything": ('format = 1\n[words]\nforbidden = ["이*"]', "이*"),
    "a link that is none": ('format = 1\n[links]\nforbidden = ["HTTPS://a b"]', "링크"),
    "hours that are none": ("format = 1\n[quiet]\nstart = 3\nend = 3", "quiet"),
    "what deletes everything": (
        'format = 1\n[[rules]]\nname = "a"\nwhen.by_bot = false\nthen = ["delete"]', "평범한 글"),
    "what deletes everything, by a pattern": (
        'format = 1\n[[rules]]\nname = "a"\nwhen.text = { any_of = ["/[^q]/"] }\nthen = ["delete"]', "평범한 글"),
    "what deletes everything, by a score": (
        'format = 1\n[[rules]]\nname = "a"\nwhen.kind = { any_of = ["abuse"], at_least = 0.0 }\nthen = ["ban"]',
        "평범한 글"),
    "a pattern that may hang": (
        'format = 1\n[[rules]]\nname = "a"\nwhen.text = { any_of = ["/(a)\\\\1+(?!b)/"] }\nthen = ["flag"]', "a"),
    "a pattern that is none": (
        'format = 1\n[[rules]]\nname = "a"\nwhen.text = { any_of = ["/(((/"] }\nthen = ["flag"]', "a"),
    "a rule without an action": ('format = 1\n[[rules]]\nname = "a"\nwhen.by_bot = true\nthen = []', "a"),
    "two rules of one name": (
        "format = 1\n" + '[[rules]]\nname = "a"\nwhen.by_bot = true\nthen = ["flag"]\n' * 2, "하나씩"),
    "a name that no database takes": (
        'format = 1\n[[rules]]\nname = "a\\u0000"\nwhen.by_bot = true\nthen = ["flag"]', "이름"),
    "too many rules": (f"format = 1\n{MANY}", "rules"),
    "too many words": (f"format = 1\n[words]\nforbidden = {[f'w{n}' for n in range(5_001)]}", "words"),
    "much that lies deep": ("format = 1\nshadow = " + "[" * 50_000, "깊이"),
    "ten megabytes": ("format = 1\n" + "# 아무 말\n" * 1_000_000, "너무 큽니다"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_policy_is_refused_in_a_sentence_and_changes_nothing(text: str, why: str) -> None:
    refused = read(text)
    assert isinstance(refused, Unfit) and why in refused.why and len(refused.why) < 700


def test_several_mistakes_are_told_at_once() -> None:
    for text, whys in (
        ('format = 1\nprest = "strict"\n[thresholds]\nslur = 1.5', ("preset", "thresholds.slur")),
        ('format = 1\n[words]\nforbidden = ["이*"]\n[quiet]\nstart = 3\nend = 3', ("이*", "quiet")),
    ):
        refused = read(text)
        assert isinstance(refused, Unfit) and len(refused.why.splitlines()) == 2
        assert all(why in refused.why for why in whys)


def test_a_pattern_that_backtracks_elsewhere_takes_no_time_here() -> None:
    taken = read('format = 1\n[[rules]]\nname = "a"\nwhen.text = { any_of = ["/(a+)+$/"] }\nthen = ["flag"]')
    assert isinstance(taken, Community)
    (rule,) = (rule for rule in Config().policy_of(taken).rules if rule.name == "a")
    assert all(sought.is_linear for sought in rule.sought)


async def exported(desk: Desk) -> bytes:
    answer = await PolicyExport().run(desk.asked(), desk)  # type: ignore[arg-type]
    assert isinstance(answer, Handed) and not answer.alone
    return answer.file.content


def test_a_file_is_compared_taken_in_and_taken_back() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert "바꾼 적이 없습니다" in await desk.says(PolicyVersions())
        await desk.says(Forbid("대리게임"))
        before = desk.community(HERE)
        changed = (await exported(desk)).decode() + RULE + '[kinds]\nabuse = "strict"\n'
        told = await desk.says(PolicyCompare(changed))
        assert "‘sale’ 규칙: 더함" in told and "‘욕설·모욕’ 강도: 정하지 않음 → 엄격하게" in told
        assert desk.community(HERE) == before
        told = await desk.says(PolicyImport(file=File(changed.encode())), by="민재")
        assert "‘sale’ 규칙: 더함" in told and "되돌리려면" in told
        assert desk.decided("대리게임").rule == "forbidden-words"
        assert "sale" in {rule.name for rule in desk.policies.of_community(HERE).rules}
        assert "sale" not in {rule.name for rule in desk.policies.of_community(THERE).rules}
        assert "지금과 같습니다" in await desk.says(PolicyImport(changed))
        told = await desk.says(PolicyVersions())
        assert "3번 · " in told and "민재" in told and "하늘" in told and "1번" not in told
        await desk.says(PolicyRollback(2))
        assert only_policy(desk.community(HERE)) == only_policy(before)
        assert [one.number for one in await desk.versions(HERE)] == [4, 3, 2, 1]
        assert "없습니다" in await desk.says(PolicyRollback(99))

    asyncio.run(scenario())


@pytest.mark.parametrize("given", [PolicyImport("format = 2"), PolicyImport(file=File(None)), PolicyImport("kaputt")])
def test_what_is_no_policy_leaves_the_one_that_is(given: PolicyImport) -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(Forbid("대리게임"))
        before = desk.community(HERE)
        assert "습니다" in await desk.says(given)
        assert (desk.community(HERE), len(await desk.versions(HERE))) == (before, 2)

    asyncio.run(scenario())


def test_another_communitys_policy_brings_no_places_and_no_people() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.change(HERE, lambda now: replace(now, exempt_roles=frozenset({"1"})), by="하늘")
        theirs = policy_file.written(replace(WHOLE, id=THERE.id))
        assert "가져오지 않습니다" in await desk.says(PolicyImport(theirs))
        now = desk.community(HERE)
        assert (now.preset, now.exempt_roles, now.overrides) == ("strict", frozenset({"1"}), {})

    asyncio.run(scenario())


def test_of_two_who_change_it_at_once_each_is_told_what_they_did() -> None:
    async def scenario() -> None:
        desk = Desk()
        file = (await exported(desk)).decode() + '[kinds]\nfraud = "off"\n'
        told, *_ = await asyncio.gather(
            desk.says(PolicyImport(file), by="하늘"),
            desk.says(Forbid("토토"), by="민재"),
            desk.says(Sensitivity("abuse", "strict"), by="지수"),
        )
        versions = [*reversed(await desk.versions(HERE))]
        assert [one.number for one in versions] == list(range(1, len(versions) + 1))
        assert only_policy(desk.community(HERE)) == versions[-1].policy, "whoever was last"
        assert "‘사기’ 강도: 정하지 않음 → 찾지 않음" in told
        mine = next(place for place, one in enumerate(versions) if one.by == "하늘")
        assert ("금지하는 낱말" in told) == bool(versions[mine - 1].policy.lists.forbidden_words), (
            "what it took away, too"
        )

    asyncio.run(scenario())


def test_so_many_versions_are_kept_and_a_setting_that_is_no_policy_makes_none() -> None:
    async def scenario() -> None:
        desk = Desk()
        for number in range(MOST + 5):
            await desk.says(Allow(f"낱말{number}"))
        await desk.change(HERE, lambda now: replace(now, report_hour=3, paused_until=NOW + timedelta(1)), by="하늘")
        versions = await desk.versions(HERE)
        assert (len(versions), versions[0].number) == (MOST, MOST + 6)

    asyncio.run(scenario())
