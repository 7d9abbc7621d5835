"""The stored form of domain values: what goes in comes out, and what does not fit is refused by name."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.base.errors import Broken
from bot.core.chat.amounts import Amounts
from bot.core.chat.links import Link, LinkKind
from bot.core.chat.message import (
    Author,
    Kind,
    Media,
    Message,
    MessageRef,
    Origin,
    OriginKind,
    Pairing,
    Platform,
)
from bot.core.communities.community import Community
from bot.core.communities.overrides import Override
from bot.core.communities.sharing import Consent
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Route, Screening, Task, Unscreened, Verdict
from bot.core.rules.actions import ACTIONS, Action, Ban, CalledOff, Lock, Means, Refused, Unconfirmed, Unlock
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Mode, Reason, Watch
from storage import codec
from storage.columns import Instant, microseconds
from tests.builders import DISCORD, EVERYWHERE, NOW, TELEGRAM, decision, message

#: No halves of surrogate pairs; which signs there are is looked up where it is used.
TEXT = st.deferred(lambda: st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
MOMENTS = st.datetimes(timezones=st.just(UTC))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ORIGINS = st.none() | st.builds(Origin, st.sampled_from(OriginKind), TEXT, TEXT)
PLATFORMS = (*EVERYWHERE, Platform("one that nobody speaks any more"))
OVERRIDES = st.builds(Override, until=st.none() | MOMENTS)
COMMUNITIES = st.builds(
    Community,
    **{name: st.from_type(hint) for name, hint in get_type_hints(Community).items()}
    | {name: st.none() | MOMENTS for name in ("paused_until", "left_at")}
    | {"overrides": st.dictionaries(TEXT, OVERRIDES)}
    | {"shares": st.dictionaries(TEXT, st.builds(Consent, by=TEXT, at=MOMENTS))}
    | {"name": TEXT, "thresholds": st.dictionaries(TEXT, FLOATS), "version": st.just(0)},
)
MESSAGES = st.builds(
    Message,
    ref=st.builds(
        MessageRef,
        st.sampled_from(PLATFORMS),
        TEXT,
        TEXT,
        st.integers(min_value=-(2**63), max_value=2**63 - 1),
    ),
    community_id=TEXT,
    author=st.builds(
        Author,
        id=TEXT,
        name=TEXT,
        roles=st.frozensets(TEXT, max_size=3),
        bot=st.booleans(),
        myself=st.booleans(),
        since=st.none() | MOMENTS,
    ),
    sent_at=MOMENTS,
    text=TEXT,
    kind=st.sampled_from(Kind),
    reply_to=st.none() | TEXT,
    prompt=st.none() | TEXT,
    pairing=st.none() | st.sampled_from(Pairing),
    lead=TEXT,
    channel_name=TEXT,
    mentions=st.integers(0, 1000),
    links=st.lists(st.builds(Link, st.sampled_from(LinkKind), TEXT, TEXT), max_size=3).map(tuple),
    forwarded=ORIGINS,
    quoted=ORIGINS,
    media=st.frozensets(st.sampled_from(Media), max_size=3),
    via_bot=st.none() | TEXT,
    is_name=st.booleans(),
    more_to_come=st.booleans(),
    filtered=st.none() | TEXT,
    extra=st.dictionaries(TEXT, TEXT, max_size=3),
)
WHYS = st.builds(Explanation, TEXT, st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**63 - 1) | FLOATS, max_size=3))
MICROSECONDS = st.integers(0, 10**15).map(lambda number: timedelta(microseconds=number))
PARAMETERS: dict[type, st.SearchStrategy[Any]] = {
    timedelta: MICROSECONDS, str: TEXT, bool: st.booleans(), Means: st.sampled_from(Means),
}  # fmt: skip
ACTION: st.SearchStrategy[Action] = st.one_of(
    *(
        st.builds(action, **{name: PARAMETERS[get_type_hints(action)[name]] for name in action.__match_args__})
        for action in ACTIONS
    )
)
GUARDS = st.builds(GuardVersion, name=TEXT, model=TEXT, dialect=TEXT, calibration=TEXT)
SCREENINGS: st.SearchStrategy[Screening] = st.builds(Unscreened, reason=TEXT, guard=GUARDS) | st.builds(
    Verdict,
    guard=GUARDS,
    found=st.lists(st.builds(Judgement, st.sampled_from(Part), st.sampled_from(HarmKind), FLOATS, TEXT)).map(tuple),
    refusal=st.none() | FLOATS,
    quotes=st.none() | FLOATS,
    categories=st.frozensets(TEXT, max_size=3),
    evidence=st.lists(TEXT, max_size=3).map(tuple),
    windows=st.integers(1, 100),
    route=st.none() | st.sampled_from(Route),
)
DECISIONS = st.builds(
    Decision,
    message=st.just(message()),
    screening=SCREENINGS,
    policy_version=TEXT,
    kinds=st.frozensets(st.sampled_from(HarmKind), max_size=3),
    findings=st.lists(st.builds(Finding, TEXT, st.booleans(), WHYS, st.sampled_from(Mode)), max_size=3).map(tuple),
    actions=st.lists(ACTION, max_size=3).map(tuple),
    withheld=st.lists(ACTION, max_size=3).map(tuple),
    restraints=st.lists(WHYS, max_size=3).map(tuple),
    rule=st.none() | TEXT,
    reason=st.none() | st.builds(Reason, ko=TEXT, en=TEXT),
    thresholds=st.dictionaries(TEXT, FLOATS, max_size=3),
    language=TEXT,
)


def row(about: Message, body: str | None) -> Any:
    platform, channel, name, revision = codec.key(about.ref)
    return SimpleNamespace(
        platform=platform,
        channel=channel,
        message=name,
        revision=revision,
        community=about.community_id,
        author=about.author.id,
        kind=about.kind.value,
        sent_at=about.sent_at,
        body=body,
    )


def test_a_verdict_of_an_earlier_version_is_read() -> None:
    stored = codec.write_decision(decision(message()))
    old = json.loads(stored)
    old["screening"] |= {"scores": {"prompt_harm": 0.9, "response_refusal": 0.2}, "categories": ["S1"]}
    old["screening"].pop("found", None)
    screening = codec.read_decision(json.dumps(old), message()).screening
    assert screening == Verdict.of_scores(
        {Task.PROMPT_HARM: 0.9, Task.RESPONSE_REFUSAL: 0.2}, guard=screening.guard, categories=frozenset({"S1"})
    )


@given(MESSAGES)
def test_messages_come_back(about: Message) -> None:
    stored = replace(about, ref=codec.plain_ref(about.ref))
    assert codec.read_message(row(about, codec.write_body(about))) == stored


def test_a_message_of_the_version_before_is_read() -> None:
    """What was stored before links, origins and media were kept."""
    stored = '{"v":1,"text":"안녕","name":"민지","roles":["7"],"mentions":1,"extra":{"date":"1"}}'
    again = codec.read_message(row(message(), stored))
    assert (again.text, again.mentions, again.extra) == ("안녕", 1, {"date": "1"})
    assert (again.links, again.forwarded, again.quoted, again.media) == ((), None, None, frozenset())
    assert again.via_bot is None and not again.is_name


@given(COMMUNITIES)
def test_settings_come_back(community: Community) -> None:
    assert codec.read_settings(codec.write_settings(community)) == community


def test_settings_of_the_version_before_are_read() -> None:
    """What was stored before settings said a version: every field, and what somebody has had there besides."""
    stored = (
        '{"platform":"telegram","id":"-5","name":"고양이","language":"ko","timezone":null,"preset":"strict","mode":"live",'
        '"moderators_channel":"-6","report_channel":null,"urgent":["7"],"exempt_roles":[],"exempt_channels":["8"],'
        '"thresholds":{"abuse":0.8,"threat":1},"bots":{"9":true},"bot_owners":{},"paused_until":"2026-05-15T12:00:00Z",'
        '"welcomed":true,"left_at":null,"native_filter":false,"report_day":"off","report_hour":9,"daily_digest":null,'
        '"alert_at":0,"of_old":1}'
    )
    assert codec.read_settings(stored) == Community(
        platform=TELEGRAM, id="-5", name="고양이", language="ko", preset="strict", mode=Watch.LIVE,
        moderators_channel="-6", urgent=("7",), exempt_channels=frozenset({"8"}),
        thresholds={"abuse": 0.8, "threat": 1.0}, bots={"9": True},
        paused_until=NOW, welcomed=True, report_day="off", report_hour=9, alert_at=0,
    )  # fmt: skip
    assert codec.read_settings('{"platform":"discord","id":"1"}') == Community(platform=DISCORD, id="1")


def test_what_a_community_has_not_set_is_one_and_the_same_for_all_of_them() -> None:
    """A hundred thousand of them took 140 MiB of empty mappings and the like."""
    some = [codec.read_settings(f'{{"v":1,"platform":"discord","id":"{n}","name":"{n}"}}') for n in range(2)]
    told = [field.name for field in fields(Community) if field.name not in ("platform", "id", "name")]
    assert [name for name in told if getattr(some[0], name) is not getattr(some[1], name)] == []


@pytest.mark.parametrize(
    "more", ['"v":1,"of_old":1', '"v":2', '"v":1,"report_hour":"비밀"', '"v":1,"exempt_roles":"비밀"']
)
def test_settings_that_do_not_fit_are_refused(more: str) -> None:
    with pytest.raises(Broken, match="settings") as caught:
        codec.read_settings(f'{{"platform":"discord","id":"1",{more}}}')
    assert "비밀" not in str(caught.value)


@given(DECISIONS)
def test_decisions_come_back(decided: Decision) -> None:
    again = codec.read_decision(codec.write_decision(decided), decided.message)
    assert again == decided
    assert [type(value) for finding in again.findings for value in finding.why.facts.values()] == [
        type(value) for finding in decided.findings for value in finding.why.facts.values()
    ]


@given(DECISIONS)
def test_a_gist_is_part_of_the_whole(decided: Decision) -> None:
    stored, body = codec.write_decision(decided), codec.write_body(decided.message)
    gist, matched = codec.read_gist(stored, body), [finding for finding in decided.findings if finding.matched]
    assert gist == codec.Gist(
        author_name=decided.message.author.name,
        channel_name=decided.message.channel_name,
        bot=decided.message.author.bot,
        rules=tuple(finding.rule for finding in matched if finding.mode is Mode.LIVE),
        shadow=tuple(finding.rule for finding in matched if finding.mode is Mode.SHADOW),
        bar=decided.thresholds.get(decided.rule or ""),
        kinds=tuple(sorted(decided.kinds)),
        unscreened=isinstance(decided.screening, Unscreened),
        late=any(why.code == "late" for why in decided.restraints),
        withheld=tuple(action.kind for action in decided.withheld),
        policy=decided.policy_version,
        guard=decided.screening.guard,
    )
    assert codec.read_gist(stored, None).author_name == ""


@given(ACTION)
def test_actions_come_back(action: Action) -> None:
    assert codec.read_action(codec.write_action(action)) == action


@given(MOMENTS)
def test_moments_come_back_and_sort(moment: datetime) -> None:
    instant = Instant()
    stored = instant.process_bind_param(moment, cast(Any, None))
    assert instant.process_result_value(stored, cast(Any, None)) == moment
    assert microseconds(moment + timedelta(microseconds=1)) == microseconds(moment) + 1 if moment.year < 9999 else True


def test_an_outcome_is_a_state_and_a_reason() -> None:
    assert codec.read_outcome(*codec.write_outcome(Refused("권한 없음"))) == Refused("권한 없음")
    assert codec.read_outcome(*codec.write_outcome(Unconfirmed())) == Unconfirmed()
    assert codec.read_outcome(*codec.write_outcome(CalledOff())) == CalledOff()
    assert codec.read_outcome("started", None) is None
    with pytest.raises(Broken, match="half-done"):
        codec.read_outcome("half-done", None)


def test_half_of_a_surrogate_pair_in_a_text_is_replaced() -> None:
    broken = message("1", "앞\ud83d뒤", extra={"key": "\udc00"})
    stored = codec.read_message(row(broken, codec.write_body(broken)))
    assert (stored.text, stored.extra) == ("앞?뒤", {"key": "?"})


@pytest.mark.parametrize(
    ("stored", "field"),
    [
        ('{"v":2,"text":"비밀"}', "v"),
        ('{"text":"비밀"}', "v"),
        ('{"v":1,"texts":"비밀"}', "texts"),
        ('{"v":1,"mentions":"비밀"}', "mentions"),
        ('{"v":1,"bot":1,"text":"비밀"}', "bot"),
        ("비밀", "JSON"),
    ],
)
def test_what_does_not_fit_is_named_but_not_quoted(stored: str, field: str) -> None:
    with pytest.raises(Broken, match=f"message .*: {field}") as caught:
        codec.read_message(row(message(), stored))
    assert "비밀" not in str(caught.value)


def test_an_action_of_another_version_is_refused() -> None:
    for stored in (
        '{"kind":"banish"}',
        '{"kind":"timeout"}',
        '{"kind":"retract"}',
        '{"kind":"kick","lasting_us":1}',
        '{"kind":"ban","lasting_us":"1"}',
        '{"kind":"ban","v":9}',
    ):
        with pytest.raises(Broken):
            codec.read_action(stored)


def test_a_ban_of_earlier_versions_is_one_for_good() -> None:
    assert codec.read_action('{"kind":"ban"}') == Ban()
    assert codec.write_action(Ban()) == '{"kind":"ban"}', "which they could still read"
    assert codec.read_action(codec.write_action(Ban(timedelta(days=1)))) == Ban(timedelta(days=1))
    assert codec.read_action('{"kind":"lock","lasting_us":60000000}') == Lock(timedelta(minutes=1), Means.USUAL)
    assert codec.read_action('{"kind":"unlock","receipt":"7"}') == Unlock("7")


def test_no_number_that_json_does_not_know_is_written() -> None:
    with pytest.raises(Broken, match="decision"):
        codec.write_decision(replace(decision(message()), thresholds={"insult": float("nan")}))


@given(st.lists(st.integers(0, 10_000), min_size=5, max_size=5))
def test_amounts_come_back_up_to_a_bound(many: list[int]) -> None:
    number = codec.write_amounts(Amounts(1, *many))
    assert codec.read_amounts(number) == Amounts(1, *(min(one, 4095) for one in many))
    assert number is None or number < 2**63
