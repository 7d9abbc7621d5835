"""The shipped presets: each kind of harm that any guard can say has its rule, and nobody in despair is deleted."""

import itertools
from dataclasses import replace

import pytest

from adapters.guards.dialects import DIALECTS
from adapters.guards.embedded.kinds import KindModel
from bot.config import preset
from bot.config.conditions import no_despair
from bot.core.communities.community import PRESETS, Preset
from bot.core.communities.former import FORMER
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Unscreened, Verdict
from bot.core.rules.actions import Care, Delete, Escalate, Flag, Weight
from bot.core.rules.conditions import Kind, NoKind, Situation
from bot.core.rules.decision import PERHAPS_QUOTED, Decision, decide
from bot.core.rules.policy import AS_SAID, Policy, Rule
from bot.core.text.catalogue import LANGUAGES, texts
from tests.builders import NOW, message

KINDS_OF: dict[str, frozenset[HarmKind]] = {
    "embedded": frozenset(map(HarmKind, KindModel.load(encoder=False).kinds)),
    "embedded, the one before": frozenset({HarmKind.UNSPECIFIED}),
    **{
        name: frozenset({one.kind for one in dialect.categories.values()} | {HarmKind.UNSPECIFIED})
        for name, dialect in DIALECTS.items()
    },
}
CALLED = {HarmKind.THREAT, HarmKind.SELF_HARM, HarmKind.GROOMING}
DELETED = {HarmKind.ABUSE, HarmKind.HATE, HarmKind.SEXUAL_HARASSMENT, HarmKind.DOXXING}  # by every preset, where sure
CRY = "다 끝내고 죽고싶어요"


def rules(name: Preset) -> tuple[Rule, ...]:
    return tuple(one.rule() for one in preset(name))


def decided(
    name: Preset,
    *found: tuple[HarmKind, float],
    text: str = "한 줄",
    guard: str = "g",
    calibration: str = "platt",
    quotes: float | None = None,
) -> Decision:
    version = GuardVersion(name=guard, calibration=calibration)
    judged = tuple(Judgement(Part.PROMPT, kind, score, guard) for kind, score in found)
    policy = Policy(rules=rules(name), no_despair=no_despair())
    return decide(message(text=text), Verdict(guard=version, found=judged, quotes=quotes), policy, at=NOW)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("guard", "kind"), [(guard, kind) for guard in KINDS_OF for kind in sorted(KINDS_OF[guard])])
def test_each_guard_fires_a_rule_for_each_kind_that_it_can_say(name: Preset, guard: str, kind: HarmKind) -> None:
    decision = decided(name, (kind, 0.99), guard=guard, calibration="")
    fired = {found.rule for found in decision.findings if found.matched}
    assert any(rule.name in fired and kind in rule.kinds for rule in rules(name))
    assert decision.kinds == {kind}
    assert Escalate() in decision.actions if kind in CALLED else Flag() in decision.actions
    surely_deleted = kind in DELETED or (kind in (HarmKind.ADVERTISING, HarmKind.FRAUD) and name != "gentle")
    assert (Delete() in decision.actions) is surely_deleted


@pytest.mark.parametrize("name", PRESETS)
def test_every_kind_has_its_rule(name: Preset) -> None:
    asked = {kind for rule in rules(name) for one in rule.when if isinstance(one, Kind) for kind in one.any_of}
    assert asked == set(HarmKind)


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_guard_says_without_a_kind_deletes_only_where_it_is_calibrated(name: Preset) -> None:
    raw, calibrated = (decided(name, (HarmKind.UNSPECIFIED, 0.999), calibration=one) for one in ("", "platt"))
    assert raw.actions == (Flag(),) and Delete() in calibrated.actions


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("other", sorted(set(HarmKind) - {HarmKind.SELF_HARM}))
@pytest.mark.parametrize("words", ["한 줄", CRY, f"{CRY} 무직자대출 텔레 @abcd1234", f"시발년아 {CRY} 집주소 깐다"])
@pytest.mark.parametrize("despair", [None, 0.05, 0.15, 0.3, 0.99])
def test_nobody_in_despair_is_deleted_for_it(name: Preset, other: HarmKind, words: str, despair: float | None) -> None:
    """`despair`: how surely the guard reads it as that; None: it does not know that kind."""
    found = [] if despair is None else [(HarmKind.SELF_HARM, despair)]
    decision = decided(name, (other, 0.99), *found, text=words)
    if words != "한 줄" or (despair or 0) >= 0.3:
        assert all(action.weight is Weight.MODERATORS for action in decision.actions), decision.actions
        called = despair == 0.99 or (words != "한 줄" and despair != 0.05)
        assert Escalate() in decision.actions if called else decision.actions


@pytest.mark.parametrize("name", PRESETS)
def test_a_cry_is_no_cloak(name: Preset) -> None:
    found = decided(name, (HarmKind.DOXXING, 0.99), (HarmKind.SELF_HARM, 0.01), text=CRY)
    assert Delete() in found.actions and Escalate() not in found.actions, "the guard has read it otherwise"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("quotes", [PERHAPS_QUOTED, 0.5, 0.99])
@pytest.mark.parametrize("words", ["한 줄", "쟤가 저한테 시발년이래요", "너 찾아가서 죽여버린다고 문자 왔어요"])
def test_whoever_quotes_what_is_rude_is_neither_deleted_nor_warned(name: Preset, quotes: float, words: str) -> None:
    """Whatever kinds the guard is sure of, and however many at once."""
    rude = sorted(set(HarmKind) - AS_SAID)
    for kinds in (*([kind] for kind in rude), rude):
        said = decided(name, *((kind, 0.99) for kind in kinds), text=words, quotes=quotes)
        assert said.actions and all(action.weight is Weight.MODERATORS for action in said.actions), kinds
        assert said.strike == 0


@pytest.mark.parametrize("name", PRESETS)
def test_bots_answers_are_judged_as_answers(name: Preset) -> None:
    judged = tuple(
        Judgement(part, kind, 0.99, "g") for part, kind in itertools.product(Part, (HarmKind.ABUSE, HarmKind.THREAT))
    )
    situation = Situation(message=message(), screening=Verdict(guard=GuardVersion(name="g"), found=judged), answer=True)
    for rule in rules(name):
        if rule.name.startswith(("likely-", "sure-")):
            assert not all(one.check(situation)[0] for one in rule.when), rule.name


def test_without_a_verdict_words_are_found_all_the_same() -> None:
    situation = Situation(message=message(), screening=Unscreened("away", GuardVersion(name="g")))
    assert NoKind(any_of=frozenset({HarmKind.SELF_HARM}), at_least=0).check(situation)[0]


@pytest.mark.parametrize("name", PRESETS)
def test_what_does_the_work_of_a_former_rule_is_there(name: Preset) -> None:
    there = {rule.name for rule in rules(name)}
    for old, new in FORMER.items():
        assert old not in there and there.issuperset(new)


@pytest.mark.parametrize("name", PRESETS)
def test_who_is_in_despair_is_told_of_109_where_the_community_wants_it(name: Preset) -> None:
    judged = Verdict(guard=GuardVersion(name="g"), found=(Judgement(Part.PROMPT, HarmKind.SELF_HARM, 0.99, "g"),))
    off, on = (Policy(rules=rules(name), care=care) for care in (False, True))
    assert decide(message(text="한 줄"), judged, off, at=NOW).actions == (Escalate(),)
    assert decide(message(text="한 줄"), judged, on, at=NOW).actions == (Escalate(), Care())
    assert decide(message(text=CRY), Unscreened("away", judged.guard), on, at=NOW).actions == (Escalate(), Flag())
    perhaps = decide(message(text="한 줄"), replace(judged, quotes=0.2), on, at=NOW)
    assert set(perhaps.actions) == {Escalate(), Care()}, "they may speak of themselves"
    quoted = decide(message(text="한 줄"), replace(judged, quotes=0.9), on, at=NOW)
    assert quoted.actions == (Flag(),), "who is worried about somebody else is not in despair"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("kind", [HarmKind.ABUSE, HarmKind.BULLYING])
def test_who_is_urged_to_die_is_helped_by_people(name: Preset, kind: HarmKind) -> None:
    goaded = decided(name, (kind, 0.7), (HarmKind.SELF_HARM, 0.01), text="관종이네 죽을 용기도 없으면서")
    assert Escalate() in goaded.actions and goaded.rule == "goading"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PRESETS)
def test_every_shipped_rule_has_a_name_that_people_read(name: Preset, language: str) -> None:
    assert [rule.name for rule in preset(name) if f"rule_name.{rule.name}" not in texts(language)] == []
