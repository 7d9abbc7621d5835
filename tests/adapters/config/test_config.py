"""A configuration is taken whole, or refused with one sentence that names the file, the key and what to change."""

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

import pytest

from adapters.chat.discord import Discord
from bot import config as configuration
from bot.app.chats import NETWORKS
from bot.config import BotSettings, Config, chosen, conditions, preset, renamed, rules, sections, warnings
from bot.config.renamed import RENAMED, Renamed
from bot.core.base.errors import Broken
from bot.core.communities.community import Community
from bot.core.communities.former import FORMER
from bot.core.moderators import network
from bot.core.rules.actions import RULE_ACTIONS, Delete, Flag, Timeout
from bot.core.rules.conditions import CONDITIONS, Pair, PairIs
from bot.core.rules.decision import decide
from bot.core.rules.policy import Policy, Watch
from bot.core.text.catalogue import LANGUAGES, Texts, texts
from tests.builders import DISCORD, NOW, message, verdict

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"


def load(path: Path | None, say: Texts, environment: Mapping[str, str]) -> Config:
    return configuration.load(path, say, NETWORKS, environment)


def refusals(tmp_path: Path, content: str, language: str = "en") -> list[str]:
    path = tmp_path / "mine.toml"
    path.write_text(content, "utf-8")
    with pytest.raises(Broken) as refused:
        load(path, texts(language), {})
    sentences = str(refused.value).splitlines()
    assert all("mine.toml" in one for one in sentences)
    return sentences


def refusal(tmp_path: Path, content: str, language: str = "en") -> str:
    (sentence,) = refusals(tmp_path, content, language)
    return sentence


def test_nothing_at_all_is_a_configuration(tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    assert load(empty, texts("ko"), {}).model_dump() == load(None, texts("ko"), {}).model_dump()


def test_the_example_names_every_key_and_holds_the_defaults() -> None:
    config = load(EXAMPLE, texts("en"), {})
    assert config.model_copy(update={"rules": []}).model_dump() == load(None, texts("en"), {}).model_dump()
    written = EXAMPLE.read_text("utf-8")
    for section, content in config.model_dump().items():
        assert f"[{section}]" in written or section == "rules"
        for key in content if isinstance(content, dict) else ():
            assert f"\n{key} = " in written or f"\n# {key} = " in written, f"{section}.{key}"


def test_the_example_names_every_condition() -> None:
    written = EXAMPLE.read_text("utf-8")
    assert [
        key for key in conditions.When.model_fields if not re.search(rf"^#   (.*, )?{key} = ", written, re.MULTILINE)
    ] == []


def test_every_key_says_what_it_means() -> None:
    """Each field of a table is followed by a docstring of its own, as sections are documented."""
    for module in (sections, rules, network, *(sys.modules[one.__module__] for one in NETWORKS)):
        for table in filter(_is_table, ast.parse(inspect.getsource(module)).body):
            for field, after in pairwise([*table.body, None]):
                if isinstance(field, ast.AnnAssign) and _is_plain(field):
                    assert isinstance(after, ast.Expr), f"{table.name}: {ast.unparse(field)}"


def _is_table(node: ast.AST) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and node.name not in ("Config", "Context", "_RuleFile", "ReasonText")


def _is_plain(field: ast.AnnAssign) -> bool:
    return not ast.unparse(field.target).startswith("_") and "ClassVar" not in ast.unparse(field.annotation)


def test_the_example_explains_every_condition_and_every_action() -> None:
    written = EXAMPLE.read_text("utf-8")
    for condition in CONDITIONS:
        assert re.search(rf"^#.* {condition.key} = ", written, re.MULTILINE), condition.key
    for action in RULE_ACTIONS:
        assert re.search(rf'"{action.kind}( 10m)?"', written), action.kind


def test_tokens_come_from_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    config = load(None, texts("en"), {"JIKIMI_DISCORD_TOKEN": "sesame"})
    assert chosen(config, Discord).token == "sesame"
    assert "sesame" not in f"{config!r} {chosen(config, Discord)!r}"
    assert "sesame" not in refusal(tmp_path, 'discord = {token = ["sesame"]}')
    assert "***" in load_text(tmp_path, '[storage]\nurl = "postgresql://me:sesame@host/db"').storage.shown


@pytest.mark.parametrize("section", ["storage", "guard", "discord", "telegram"])
@pytest.mark.parametrize("content", ['"u:SESAME@h"', '[{token = "SESAME"}]', '{token = 1, url = ["SESAME"]}'])
def test_a_section_of_the_wrong_shape_shows_no_secret(tmp_path: Path, section: str, content: str) -> None:
    assert "SESAME" not in str(refusals(tmp_path, f"{section} = {content}"))


def test_only_what_takes_a_token_gets_one(tmp_path: Path) -> None:
    names = ("GUARD", "STORAGE", "RULES", *(one.platform.upper() for one in NETWORKS))
    tokens = {f"JIKIMI_{name}_TOKEN": "sesame" for name in names}
    config = load(None, texts("en"), tokens)
    given = (config.guard.token.get_secret_value(), *(chosen(config, one).token for one in NETWORKS))
    assert given == ("sesame",) * (1 + len(NETWORKS))


BEFORE = Path(__file__).parent / "before.toml"


def test_a_configuration_of_the_version_before_still_loads_and_says_what_is_called_otherwise() -> None:
    before = load(BEFORE, texts("en"), {})
    assert before.model_copy(update={"rules": []}).model_dump() == load(None, texts("en"), {}).model_dump()
    assert [one.old for one in before.renamed] == [one.old for one in RENAMED]
    for language in LANGUAGES:
        told = warnings(before, texts(language))
        assert len(told) == len(RENAMED)
        assert all(one.old in said and one.new in said for one, said in zip(RENAMED, told, strict=True))
    assert warnings(load(EXAMPLE, texts("en"), {}), texts("en")) == []


def test_what_stands_under_an_old_name_counts_and_is_checked_under_the_new(tmp_path: Path) -> None:
    assert load_text(tmp_path, "[bots]\nlook = 7").bots.judge_every == 7
    assert "bots.judge_every" in refusal(tmp_path, "[bots]\nlook = 0")
    both = refusal(tmp_path, "[report]\nalert = 1\nalert_at = 2")
    assert "report.alert:" in both and "alert_at?" in both


def test_every_old_name_leads_to_a_key_of_today() -> None:
    for old, new in RENAMED:
        section, key = old.split(".")
        fields = type(getattr(Config(), section)).model_fields
        assert new in fields and key not in fields


def test_a_key_is_renamed_in_every_table_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Renamed("rules.when.written_anew", "edited")
    monkeypatch.setattr(renamed, "RENAMED", (one,))
    content = {"rules": [{"when": {"written_anew": True}}, {"when": {}}, {"when": 1}]}
    assert renamed.renew(content) == ({"rules": [{"when": {"edited": True}}, {"when": {}}, {"when": 1}]}, (one,))
    assert content["rules"][0] == {"when": {"written_anew": True}}


def test_passwords_in_addresses_are_never_shown(tmp_path: Path) -> None:
    database, server = "postgresql://jk:SESAME@db/j", "https://u:SESAME@h:8000"
    config = load_text(tmp_path, f'[storage]\nurl = "{database}"\n[guard]\nservers = ["{server}"]')
    assert "SESAME" not in repr(config) + config.storage.shown
    assert (
        "SESAME" not in load_text(tmp_path, '[storage]\nurl = "postgresql://h/j?user=a&password=SESAME"').storage.shown
    )
    for bad in (f'storage = {{url = ["{database}"]}}', 'guard = {servers = ["u:SESAME@h"]}', "guard = {servers = 5}"):
        assert "SESAME" not in refusal(tmp_path, bad)
    assert "SESAME" not in refusal(tmp_path, '[telegram]\napi_url = "https:/u:SESAME@h"')


def load_text(tmp_path: Path, content: str) -> Config:
    path = tmp_path / "fine.toml"
    path.write_text(content, "utf-8")
    return load(path, texts("en"), {})


@pytest.mark.parametrize(
    ("content", "key", "hint"),
    [
        ("[defalts]\n", "defalts", "defaults"),
        ("[defaults]\npreste = 'strict'", "defaults.preste", "preset"),
        ("[defaults]\npreset = 'harsh'", "defaults.preset", "balanced"),
        ("[defaults]\ntimezone = 'Seoul'", "defaults.timezone", "Asia/Seoul"),
        ("[defaults]\nlate_after = '10'", "defaults.late_after", "10m"),
        ("[report]\nhour = 24", "report.hour", "23"),
        ("[report]\nday = 'funday'", "report.day:", "'off'"),
        ("[http]\nlisten = 'nonsense'", "http.listen", "127.0.0.1:8080"),
        ("[http]\nlisten = '127.0.0.1:99999'", "http.listen", "127.0.0.1:8080"),
        ("[http]\nmetrics_listen = 'http://127.0.0.1:80'", "http.metrics_listen", "127.0.0.1:8080"),
        ("[http]\nper_second = 0", "http.per_second", "1"),
        ("[report]\nhour = '9'", "report.hour", "whole number"),
        ("guard = 'embedded'", "guard", "[table]"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\n[rules.when]\n", "rules", "condition"),
        ("[[rules]]\nname = 'x'\nthen = []\nwhen.edited = true", "rules", "action"),
        ("[[rules]]\nname = 'x'\nthen = ['shout']\nwhen.edited = true", "rules[1].then[1]", "timeout 10m"),
        ("[[rules]]\nname = 'x'\nthen = ['timeout ages']\nwhen.edited = true", "rules[1].then[1]", "10m"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.channels = []", "rules[1].when.channels", "empty"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.text = {}", "rules", "group"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.text.any_of = ['/(/']", "rules", "regular expression"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.text.any_of = ['/a*/']", "rules", "everything"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.score = {at_least = 1.5}", "rules[1].when.score.at_least", "1"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.score = {at_least = 0.9, below = 0.5}", "rules", "never match"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.pair = {is = 'bad'}", "rules[1].when.pair.is", "over_refusal"),
        (
            "[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.pair = {is = 'over_refusal'}\nwhen.by_bot = false",
            "rules",
            "never",
        ),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.pairing = []", "rules[1].when.pairing", "empty"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.pairing = ['sure']", "rules[1].when.pairing[1]", "certain"),
        ("[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.offences = {times = 0, within = '1h'}", "offences.times", "1"),
        (
            "[[rules]]\nname = 'x'\nthen = []\nkind = 'rude'\nwhen.edited = true",
            "rules[1].kind",
            "one of 'abuse'",
        ),
        ("[bots]\nquiet = 'soon'", "bots.quiet", "10m"),
        ("[bots]\njudge_every = 0", "bots.judge_every", "1"),
        ("[bots]\nquite = '4s'", "bots.quite", "quiet"),
        ("[bots]\nowners = {bot = 1}", "bots.owners.bot", "string"),
        ("[bots]\nowners = {bot = '#운영-알림'}", "bots.owners.bot", "#운영-알림"),
        ("[defaults]\ndisabled_rules = ['nonsense']", "defaults.disabled_rules", "sure-abuse"),
        ("[defaults]\ndisabled_rules = ['sure-abuze']", "defaults.disabled_rules", "Did you mean sure-abuse?"),
        ("[[rules]]\nwhen.edited = true\nthen = ['flag']", "rules[1].name", "missing"),
        ("not toml", "mine.toml", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, key: str, hint: str) -> None:
    sentence = refusal(tmp_path, content)
    assert key in sentence and hint in sentence, sentence
    assert key in refusal(tmp_path, content, "ko")


SEVEN = """
[defaults]
presett = "strict"
timezone = "Seoul"
disabled_rules = ["nonsense"]
[bots]
look = 0
[guard]
servers = ["http://guard.example:8000"]
[[rules]]
name = "loud"
then = ["shout"]
[[rules]]
name = "idle"
then = []
when.edited = true
"""


def test_every_mistake_is_named_at_once_also_what_only_shows_where_the_rest_is_read(tmp_path: Path) -> None:
    keys = ("defaults.presett", "defaults.timezone", "bots.judge_every", "rules[1].then[1]", "guard.servers")
    for language in LANGUAGES:
        sentences = refusals(tmp_path, SEVEN, language)
        for key in (*keys, "idle", "nonsense"):
            assert [one for one in sentences if key in one], (key, sentences)
        assert len(sentences) == len(set(sentences)) == len(keys) + 3  # a rule that says nothing of when, too


def test_an_expression_that_looks_around_still_loads_with_a_warning(tmp_path: Path) -> None:
    rule = "[[rules]]\nname = 'x'\nthen = ['flag']\nwhen.text.any_of = ['바보', '/(?<![가-힣])니/']"
    config = load_text(tmp_path, rule)
    for language in LANGUAGES:
        (warning,) = warnings(config, texts(language))
        assert "/(?<![가-힣])니/" in warning and " x" in warning
    assert len(config.policy.to_search) == 1
    fine = load_text(tmp_path, rule.replace("(?<![가-힣])", r"\\b"))
    assert warnings(fine, texts("ko")) == [] and fine.policy.to_search == ()


def test_a_time_out_lasts_as_long_as_it_says_whatever_a_platform_makes_of_it(tmp_path: Path) -> None:
    config = load_text(tmp_path, "[[rules]]\nname = 'x'\nthen = ['timeout 60d']\nwhen.edited = true")
    assert config.rules[0].rule().then == (Timeout(timedelta(days=60)),)


def test_a_rule_that_acts_on_what_everybody_says_is_pointed_to(tmp_path: Path) -> None:
    rule = '[[rules]]\nname = "mine"\nwhen.by_bot = false\nthen = ["delete", "ban"]\n'
    (said,) = warnings(load_text(tmp_path, rule), texts("en"))
    assert "mine" in said and "12" in said
    narrow = rule.replace("when.by_bot = false", 'when.text = { any_of = ["멍청이"] }')
    assert warnings(load_text(tmp_path, narrow), texts("en")) == []


def test_what_cannot_be_a_step_is_refused_with_what_can(tmp_path: Path) -> None:
    for step in ("delete", "explode"):
        said = refusal(tmp_path, f'[ladder]\nsteps = ["{step}"]')
        assert said.endswith(f'"{step}" cannot be a step of the ladder. Choose from warn, ban, kick, "timeout 10m".')


def test_rules_that_can_never_matter_are_refused_by_name(tmp_path: Path) -> None:
    wide = "[[rules]]\nname = 'wide'\nthen = ['flag', 'delete']\nwhen.score = {at_least = 0.5}\n"
    narrow = "[[rules]]\nname = 'narrow'\nthen = ['flag']\nwhen.score = {at_least = 0.7}\n"
    sentence = refusal(tmp_path, wide + narrow)
    assert "narrow" in sentence and "wide" in sentence
    assert "twice" in refusal(tmp_path, wide + wide)


def test_own_rules_replace_shipped_ones_of_the_same_name(tmp_path: Path) -> None:
    config = load_text(
        tmp_path,
        "[defaults]\ndisabled_rules = ['flood']\n"
        "[[rules]]\nname = 'abuse'\nthen = ['delete']\nwhen.score = {at_least = 0.7}",
    )
    rules = {rule.name: rule for rule in config.policy.rules}
    assert "flood" not in rules
    assert [action.kind for action in rules["abuse"].then] == ["delete"]
    assert next(iter(rules)) == "abuse"


def test_what_was_said_of_a_rule_holds_for_all_that_were_made_of_it(tmp_path: Path) -> None:
    own = "[[rules]]\nname = 'abuse'\nthen = ['delete']\nwhen.score = {at_least = 0.7}"
    config = load_text(tmp_path, f"[defaults]\ndisabled_rules = ['severe-abuse', 'sure-fraud']\n{own}")
    names = [rule.name for rule in config.policy.rules]
    assert "abuse" in names and {*FORMER["abuse"], *FORMER["severe-abuse"], "sure-fraud"}.isdisjoint(names)
    for language in LANGUAGES:
        told = warnings(config, texts(language))
        assert len(told) == 2 and all(map(str.__contains__, told, FORMER)), told
        assert "likely-hate" in told[0] and "sure-hate" in told[1]


def test_a_bar_that_was_set_for_a_rule_holds_for_all_that_were_made_of_it(tmp_path: Path) -> None:
    community = Community(platform=DISCORD, id="1", thresholds={"abuse": 0.8, "likely-hate": 0.9, "severe-abuse": 0.99})

    def bars(config: Config) -> dict[str, float | None]:
        rules = config.policy_of(community).rules
        return {rule.name: next((one.bar for one in rule.when if one.bar is not None), None) for rule in rules}

    found = bars(load(None, texts("en"), {}))
    assert {found[name] for name in FORMER["abuse"] if name != "likely-hate"} == {0.8} and found["likely-hate"] == 0.9
    assert {found[name] for name in FORMER["severe-abuse"]} == {0.99}
    assert found["likely-threat"] == bars(load(None, texts("en"), {}))["likely-threat"] != 0.8
    own = "[[rules]]\nname = 'abuse'\nthen = ['flag']\nwhen.score = {at_least = 0.7}"
    assert bars(load_text(tmp_path, own))["abuse"] == 0.8, "a rule of that name that is somebody's own"


def test_a_pairs_bar_is_moved_like_a_scores() -> None:
    config = load(None, texts("en"), {})
    community = Community(
        platform=DISCORD, id="1", thresholds={"doubtful-answer": 0.8}, bots={"7": True},
        bot_owners={"7": "mine"},
    )  # fmt: skip
    policy = config.model_copy(update={"bots": BotSettings(owners={"7": "70", "8": "80"})}).policy_of(community)
    (rule,) = [rule for rule in policy.rules if rule.name == "doubtful-answer"]
    assert rule.when == (Pair(is_=PairIs.HARMFUL_ANSWER, at_least=0.8),)
    assert policy.bots == {"7": True} and policy.bot_owners == {"7": "mine", "8": "80"}


def test_a_wide_pair_makes_a_narrow_one_pointless(tmp_path: Path) -> None:
    wide, narrow = (
        f"[[rules]]\nname = 'p{bar}'\nthen = ['flag']\nwhen.pair = {{is = 'harmful_answer', at_least = 0.{bar}}}\n"
        for bar in (8, 9)
    )
    assert "p8" in refusal(tmp_path, wide + narrow) and "p9" in refusal(tmp_path, wide + narrow)
    load_text(tmp_path, narrow + wide.replace("harmful_answer", "over_refusal"))


@pytest.mark.parametrize("name", ["gentle", "balanced", "strict"])
def test_shipped_presets_have_no_pointless_or_impossible_rules(name: str) -> None:
    rules = [text.rule() for text in preset(name)]
    for place, rule in enumerate(rules):
        assert rule.when and rule.then and rule.contradiction() is None
        assert not any(earlier.makes_pointless(rule) for earlier in rules[:place]), rule.name
        assert all(getattr(rule.reason, language) for language in LANGUAGES)


@pytest.mark.parametrize("name", ["gentle", "balanced", "strict"])
@pytest.mark.parametrize(
    "text",
    [
        "https://t.me/+AbCdEf12 저희 방 초대 링크예요",
        "https://discord.gg/abcdef",
        "https://open.kakao.com/o/sAbCdEf 들어오세요",
    ],
)
def test_an_invite_link_alone_is_shown_to_moderators_at_most(name: str, text: str) -> None:
    policy = Policy(rules=tuple(one.rule() for one in preset(name)))
    decision = decide(message(text=text), verdict(0.0), policy, at=NOW)
    assert decision.actions == (() if name == "gentle" else (Flag(),))
    advertised = decide(message(text=f"{text} 사설토토 꽁머니"), verdict(0.0), policy, at=NOW)
    assert (Delete() in advertised.actions) is (name != "gentle")


def test_the_version_names_the_content(tmp_path: Path) -> None:
    default = load(None, texts("ko"), {})
    same = load(None, texts("en"), {})
    assert default.policy.version == same.policy.version != ""
    assert default.policy.mode is Watch.WATCH
    rule = "[[rules]]\nname = 'x'\nwhen.edited = true\nthen = ['flag']"
    changed = [rule, rule.replace("flag", "delete"), rule.replace("flag", "timeout 5m"), rule.replace("true", "true ")]
    versions = [load_text(tmp_path, content).policy.version for content in changed]
    assert versions[0] == versions[3] and len({default.policy.version, *versions}) == 4


def test_a_schedule_is_what_the_community_has_set_and_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('report = {day = "off", hour = 7, daily = true, alert_at = 9, alert_within = "5m"}', "utf-8")
    config = load(path, texts("en"), {})
    unset = Community(platform=DISCORD, id="1")
    schedule = config.schedule_of(unset)
    assert (schedule.weekday, schedule.hour, schedule.daily, schedule.timezone) == (None, 7, True, "Asia/Seoul")
    assert (schedule.burst.incidents, schedule.burst.within) == (9, timedelta(minutes=5))
    own = replace(unset, report_day="friday", report_hour=0, daily_digest=False, alert_at=0, timezone="Europe/Berlin")
    schedule = config.schedule_of(own)
    assert (schedule.weekday, schedule.hour, schedule.daily, schedule.timezone) == (4, 0, False, "Europe/Berlin")
    assert schedule.burst.incidents == 0
    assert "report.day" in refusal(tmp_path, 'report = {day = "payday"}')
    assert "report.workers" in refusal(tmp_path, "report = {workers = 0}")
