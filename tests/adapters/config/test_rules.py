"""What a rule may write, key by key, and what the core makes of it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.config import RuleSettings
from bot.config.conditions import When
from bot.core.chat.amounts import Amount
from bot.core.chat.links import LinkKind
from bot.core.chat.message import Media, OriginKind, Pairing
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Part, Task
from bot.core.rules.actions import RULE_ACTIONS, Delete, NotifyOwner, Timeout
from bot.core.rules.conditions import (
    CONDITIONS,
    ByBot,
    ByStaff,
    Calibrated,
    Carries,
    Category,
    Channel,
    Condition,
    Edited,
    Filtered,
    FirstMessages,
    Flood,
    Forwarded,
    Group,
    IsUnscreened,
    Kind,
    Link,
    Listed,
    Mentions,
    Named,
    NewAuthor,
    NoKind,
    NoText,
    Offences,
    Overrides,
    Pair,
    Paired,
    PairIs,
    Pieces,
    Possible,
    Quarrel,
    Recurring,
    Repeats,
    Role,
    SameText,
    Score,
    Text,
    ViaBot,
)  # fmt: skip

#: As they stand in people's files: a key that goes or changes belongs into `renamed`.
WRITTEN: list[tuple[str, Any, Condition]] = [
    ("unscreened", True, IsUnscreened()),
    ("categories", ["S2", "S1"], Category(any_of=frozenset({"S1", "S2"}))),
    ("score", {"at_least": 0.5}, Score(task=Task.PROMPT_HARM, at_least=0.5)),
    (
        "score",
        {"task": "response_harm", "at_least": 0.5, "below": 0.7},
        Score(task=Task.RESPONSE_HARM, at_least=0.5, below=0.7),
    ),
    (
        "kind",
        {"any_of": ["threat", "self_harm"], "at_least": 0.8},
        Kind(any_of=frozenset({HarmKind.THREAT, HarmKind.SELF_HARM}), at_least=0.8),
    ),
    (
        "kind",
        {"any_of": ["abuse"], "at_least": 0.8, "part": "prompt"},
        Kind(any_of=frozenset({HarmKind.ABUSE}), at_least=0.8, part=Part.PROMPT),
    ),
    (
        "no_kind",
        {"any_of": ["self_harm"], "at_least": 0.3},
        NoKind(any_of=frozenset({HarmKind.SELF_HARM}), at_least=0.3),
    ),
    (
        "no_kind",
        {"any_of": ["self_harm"], "at_least": 0.3, "text": {"any_of": ["가"]}, "with_text": 0.05},
        NoKind(any_of=frozenset({HarmKind.SELF_HARM}), at_least=0.3, text=Text(any_of=("가",)), with_text=0.05),
    ),
    ("possible", {"any_of": ["hate"], "at_least": 0.3}, Possible(any_of=frozenset({HarmKind.HATE}), at_least=0.3)),
    ("calibrated", True, Calibrated()),
    ("pair", {"is": "over_refusal"}, Pair(is_=PairIs.OVER_REFUSAL)),
    ("text", {"any_of": ["나", "/가+/"], "unless": ["다"]}, Text(any_of=("나", "/가+/"), unless=("다",))),
    ("words", ["토토*", "대리 게임"], Listed(any_of=("토토*", "대리 게임"))),
    ("no_text", {"any_of": ["라"]}, NoText(text=Text(any_of=("라",)))),
    ("channels", ["거래"], Channel(any_of=frozenset({"거래"}))),
    ("roles", ["새싹"], Role(any_of=frozenset({"새싹"}))),
    ("new_author", "1d", NewAuthor(under=timedelta(days=1))),
    ("first_messages", 3, FirstMessages(at_most=3)),
    ("by_bot", False, ByBot(bot=False)),
    ("by_staff", True, ByStaff()),
    ("edited", True, Edited()),
    ("filtered", True, Filtered()),
    ("overrides", True, Overrides()),
    ("link", {}, Link()),
    ("link", {"allowed": ["Example.COM"]}, Link(allowed=frozenset({"example.com"}))),
    (
        "link",
        {"kinds": ["invite"], "to": ["https://discord.com/invite/AbC"]},
        Link(kinds=frozenset({LinkKind.INVITE}), to=frozenset({"discord.gg/abc"})),
    ),
    ("media", ["photo"], Carries(any_of=frozenset({Media.PHOTO}))),
    ("forwarded", ["channel"], Forwarded(any_of=frozenset({OriginKind.CHANNEL}))),
    ("via_bot", True, ViaBot()),
    ("name", {"any_of": ["토토"]}, Named(any_of=("토토",))),
    ("mentions", 5, Mentions(at_least=5)),
    ("flood", {"of": "emoji", "at_least": 60}, Flood(of=Amount.EMOJI, at_least=60)),
    (
        "flood",
        {"of": "messages", "at_least": 20, "within": "30s"},
        Flood(of=Amount.MESSAGES, at_least=20, within=timedelta(seconds=30)),
    ),
    ("repeats", {"times": 4, "within": "1m"}, Repeats(at_least=4, within=timedelta(minutes=1))),
    ("same_text_by", {"members": 3, "within": "10m"}, SameText(at_least=3, within=timedelta(minutes=10))),
    ("pieces", {"any_of": ["죽어"], "within": "2m"}, Pieces(any_of=("죽어",), within=timedelta(minutes=2))),
    (
        "recurring",
        {"any_of": ["abuse"], "at_least": 0.3, "times": 3, "within": "5m"},
        Recurring(any_of=frozenset({HarmKind.ABUSE}), at_least=0.3, times=3, within=timedelta(minutes=5)),
    ),
    (
        "quarrel",
        {"any_of": ["abuse"], "at_least": 0.3, "times": 3, "within": "5m"},
        Quarrel(any_of=frozenset({HarmKind.ABUSE}), at_least=0.3, times=3, within=timedelta(minutes=5)),
    ),
    ("pairing", ["certain", "hidden"], Paired(any_of=frozenset({Pairing.CERTAIN, Pairing.HIDDEN}))),
    ("offences", {"times": 3, "within": "1h"}, Offences(at_least=3, within=timedelta(hours=1))),
]


@pytest.mark.parametrize(("key", "written", "condition"), WRITTEN)
def test_a_condition_is_read_as_it_always_was(key: str, written: object, condition: Condition) -> None:
    assert When.model_validate({key: written}).conditions() == (condition,)


def test_every_condition_is_tried_here() -> None:
    assert {key for key, _, _ in WRITTEN} == {condition.key for condition in CONDITIONS}


def test_a_shipped_group_is_found_by_its_name() -> None:
    (found,) = When.model_validate({"text": {"group": "threat"}}).conditions()
    assert isinstance(found, Text) and isinstance(found.group, Group) and found.group.name == "threat"


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("edited", False), ("channels", []), ("pairing", ["sure"]), ("mentions", 0), ("mentions", "5"), ("by_bot", 1),
        ("flood", {"of": "noise", "at_least": 5}),
        ("repeats", {"times": 1, "within": "1m"}), ("repeats", {"at_least": 4, "within": "1m"}), ("repeats", {}),
        ("score", {"at_least": 1.1}), ("new_author", 5), ("text", {"group": "nonsense"}), ("link", {"denied": []}),
        ("first_messages", 21), ("first_messages", 0),
    ],
)  # fmt: skip
def test_what_breaks_a_bound_or_is_not_known_is_refused(key: str, written: object) -> None:
    with pytest.raises(ValidationError):
        When.model_validate({key: written})


def test_an_action_is_its_kind_and_what_it_must_be_given() -> None:
    def then(*written: object) -> tuple[object, ...]:
        rule = {"name": "x", "when": {"edited": True}, "then": list(written)}
        return RuleSettings.model_validate(rule).rule().then

    assert then("delete", "tell_owner", "timeout 10m") == (Delete(), NotifyOwner(), Timeout(timedelta(minutes=10)))
    plain = [action.kind for action in RULE_ACTIONS if action is not Timeout]
    assert [type(action) for action in then(*plain)] == [one for one in RULE_ACTIONS if one is not Timeout]
    for odd in ("timeout", "timeout soon", "delete 10m", "restore", "", 5):
        with pytest.raises(ValidationError):
            then(odd)
