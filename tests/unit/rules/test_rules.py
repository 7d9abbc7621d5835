"""What every decision promises, whatever the message, the verdict and the rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import preset
from bot.core.chat.links import link_to
from bot.core.chat.message import MOST_READ, STAFF, Author, Message, MessageRef, Pairing
from bot.core.guarding.verdict import TOO_LONG, TOO_SLOW, GuardVersion, Screening, Task, Unscreened, Verdict
from bot.core.rules.actions import (
    RULE_ACTIONS,
    Action,
    Ban,
    Delete,
    Escalate,
    Flag,
    Kick,
    Notice,
    NotifyOwner,
    Timeout,
    Warn,
    Weight,
)
from bot.core.rules.conditions import (
    ByBot,
    ByStaff,
    Category,
    Channel,
    Condition,
    Explanation,
    Filtered,
    IsUnscreened,
    Link,
    Mentions,
    NoText,
    Offences,
    Overrides,
    Pair,
    Paired,
    PairIs,
    Past,
    Repeats,
    Role,
    Score,
    Sought,
    Text,
    Words,
)
from bot.core.rules.conditions.searching import readings_of
from bot.core.rules.decision import Decision, decide
from bot.core.rules.policy import Mode, Policy, Reason, Rule, Watch
from bot.core.text.catalogue import texts
from bot.wording.reasons import because
from tests.builders import DISCORD, REHEARSAL, TELEGRAM, some, verdict
from tests.builders import message as built

NOW = datetime(2026, 5, 15, 12, tzinfo=UTC)
GUARD = GuardVersion(name="scripted")
REASON = Reason(ko="이유", en="reason")
BOT_SAID = Message(
    ref=MessageRef(REHEARSAL, "a", "1"), community_id="c", author=Author(id="bot", bot=True), sent_at=NOW,
    text="답",
)  # fmt: skip

actions = st.sampled_from(RULE_ACTIONS).map(some)
names = st.sampled_from(["a", "b", "member", "vip"])
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Score, task=st.sampled_from(Task), at_least=st.floats(0, 1)),
    st.builds(Text, any_of=st.lists(st.sampled_from(["가", "나", "욕"]), min_size=1).map(tuple)),
    st.builds(Channel, any_of=st.frozensets(names, min_size=1)),
    st.builds(Role, any_of=st.frozensets(names, min_size=1)),
    st.builds(ByBot, bot=st.booleans()),
    st.builds(ByStaff),
    st.builds(Mentions, at_least=st.integers(1, 5)),
    st.just(IsUnscreened()),
    st.just(Filtered()),
    st.builds(Pair, is_=st.sampled_from(PairIs), at_least=st.floats(0, 1)),
    st.builds(Paired, any_of=st.frozensets(st.sampled_from(Pairing), min_size=1)),
    st.builds(Offences, at_least=st.integers(1, 3), within=st.just(timedelta(hours=1))),
)
rules = st.builds(
    Rule,
    name=st.text(st.characters(codec="ascii"), min_size=1, max_size=5),
    when=st.lists(conditions, min_size=1, max_size=2).map(tuple),
    then=st.lists(actions, min_size=1, max_size=3).map(tuple),
    reason=st.just(REASON),
    mode=st.sampled_from(Mode),
    exempt_roles=st.frozensets(names, max_size=1),
    exempt_channels=st.frozensets(names, max_size=1),
    cooldown=st.sampled_from([timedelta(0), timedelta(hours=1)]),
)
policies = st.builds(Policy, rules=st.lists(rules, max_size=6).map(tuple), mode=st.sampled_from(Watch))
verdicts = st.dictionaries(st.sampled_from(Task), st.floats(0, 1)).map(
    lambda scores: Verdict.of_scores(scores, guard=GUARD)
)
screenings: st.SearchStrategy[Screening] = st.one_of(verdicts, st.just(Unscreened("guard is away", GUARD)))
messages = st.builds(
    Message,
    ref=st.builds(MessageRef, st.just(REHEARSAL), names, st.just("1")),
    community_id=st.just("c"),
    author=st.builds(Author, id=st.just("u"), roles=st.frozensets(names), bot=st.booleans()),
    sent_at=st.sampled_from([NOW, NOW - timedelta(days=1)]),
    text=st.text(alphabet="가나욕 ", max_size=8),
    mentions=st.integers(0, 6),
    filtered=st.sampled_from([None, "낱말"]),
)


def kinds(found: tuple[Action, ...]) -> set[str]:
    return {action.kind for action in found}


@given(messages, screenings, policies, st.sampled_from(sorted(STAFF)))
def test_staff_are_never_touched(message: Message, screening: Screening, policy: Policy, role: str) -> None:
    staff = replace(message, author=replace(message.author, roles=message.author.roles | {role}))
    decision = decide(staff, screening, policy, at=NOW)
    assert {action.weight for action in decision.actions} <= {Weight.MODERATORS}
    for rule, finding in zip(policy.rules, decision.findings, strict=True):
        assert rule.is_about_staff or (not finding.matched and finding.why.code == "staff")


@given(messages, screenings, policies)
def test_the_bot_never_judges_itself(message: Message, screening: Screening, policy: Policy) -> None:
    own = replace(message, author=replace(message.author, myself=True))
    assert decide(own, screening, policy, at=NOW).actions == ()


@given(messages, screenings, policies)
def test_shadow_rules_never_act(message: Message, screening: Screening, policy: Policy) -> None:
    shadow = replace(policy, rules=tuple(replace(rule, mode=Mode.SHADOW) for rule in policy.rules))
    decision = decide(message, screening, shadow, at=NOW)
    assert decision.actions == decision.withheld == ()
    assert len(decision.findings) == len(policy.rules)


@given(messages, policies)
def test_no_verdict_never_touches_message_or_member(message: Message, policy: Policy) -> None:
    decision = decide(message, Unscreened("guard is away", GUARD), policy, at=NOW)
    assert all(action.weight is Weight.MODERATORS for action in decision.actions)


@given(messages, screenings, policies)
def test_watch_only_touches_nobody_and_shows_what_it_would_have_done(
    message: Message, screening: Screening, policy: Policy
) -> None:
    live = decide(message, screening, policy.in_mode(Watch.LIVE), at=NOW)
    watch = decide(message, screening, policy.in_mode(Watch.WATCH), at=NOW)
    assert all(action.weight is Weight.MODERATORS for action in watch.actions)
    assert kinds(live.actions) <= kinds(watch.actions) | kinds(watch.withheld)


@given(messages, screenings, policies)
def test_about_an_author_whom_nobody_has_met_only_moderators_hear(
    message: Message, screening: Screening, policy: Policy
) -> None:
    unmet = replace(message, author=replace(message.author, roles=frozenset(), since=None, unmet=True))
    decision = decide(unmet, screening, policy, at=NOW)
    assert all(action.weight is Weight.MODERATORS for action in decision.actions)
    met = decide(message, screening, policy, at=NOW)
    assert decision.is_incident or not met.is_incident  # whatever may be about them is not overlooked


@given(messages, screenings, policies)
def test_late_messages_and_bots_are_not_sanctioned(message: Message, screening: Screening, policy: Policy) -> None:
    late = replace(message, sent_at=NOW - timedelta(days=1))
    bot = replace(message, author=replace(message.author, bot=True))
    for spared in (late, bot):
        decision = decide(spared, screening, policy, at=NOW)
        assert all(action.weight < Weight.MEMBER for action in decision.actions)
        assert not decision.withheld or "flag" in kinds(decision.actions)


@given(messages, screenings, policies, names, st.data())
def test_an_exemption_never_adds_an_action(
    message: Message, screening: Screening, policy: Policy, name: str, data: st.DataObject
) -> None:
    before = decide(message, screening, policy, at=NOW)
    exempt = [
        replace(policy, exempt_roles=policy.exempt_roles | {name}),
        replace(policy, exempt_channels=policy.exempt_channels | {name}),
    ]
    if policy.rules:
        place = data.draw(st.integers(0, len(policy.rules) - 1))
        rule = policy.rules[place]
        narrower = (
            replace(rule, exempt_roles=rule.exempt_roles | {name}),
            replace(rule, exempt_channels=rule.exempt_channels | {name}),
        )
        exempt += [
            replace(policy, rules=(*policy.rules[:place], rule, *policy.rules[place + 1 :])) for rule in narrower
        ]
    for milder in exempt:
        after = decide(message, screening, milder, at=NOW)
        assert kinds(after.actions) <= kinds(before.actions)
        assert kinds(after.withheld) <= kinds(before.withheld)


def test_a_member_may_be_exempt_as_a_role_is() -> None:
    said = built("말", author="7")
    rule = Rule(name="all", when=(), then=(Delete(),), reason=Reason(ko="까닭", en="why"))
    for policy in (
        Policy(rules=(rule,), exempt_roles=frozenset({"7"})),
        Policy(rules=(replace(rule, exempt_roles=frozenset({"7"})),)),
    ):
        assert decide(said, verdict(), policy, at=NOW).actions == ()
    assert decide(said, verdict(), Policy(rules=(rule,), exempt_roles=frozenset({"8"})), at=NOW).actions == (Delete(),)


@given(messages, screenings, policies)
def test_every_rule_leaves_a_finding_and_deciding_is_repeatable(
    message: Message, screening: Screening, policy: Policy
) -> None:
    decision = decide(message, screening, policy, at=NOW)
    assert [finding.rule for finding in decision.findings] == [rule.name for rule in policy.rules]
    assert decision == decide(message, screening, policy, at=NOW)


@given(messages, screenings, rules, rules)
def test_a_pointless_rule_really_is(message: Message, screening: Screening, earlier: Rule, later: Rule) -> None:
    if earlier.makes_pointless(later):
        alone = decide(message, screening, Policy(rules=(earlier,)), at=NOW)
        both = decide(message, screening, Policy(rules=(earlier, later)), at=NOW)
        assert both.actions == alone.actions and both.withheld == alone.withheld


def decided(text: str, *when: Condition, past: Past | None = None, sent_at: datetime = NOW) -> Decision:
    message = Message(
        ref=MessageRef(REHEARSAL, "a", "1"),
        community_id="c",
        author=Author(id="u"),
        sent_at=sent_at,
        text=text,
        mentions=text.count("@"),
    )
    rule = Rule(name="r", when=when, then=(Delete(), Warn()), reason=REASON, cooldown=timedelta(minutes=10))
    verdict = Verdict.of_scores({Task.PROMPT_HARM: 0.9}, guard=GUARD, categories=frozenset({"S1"}))
    return decide(message, verdict, Policy(rules=(rule,)), at=NOW, past=past)


def matches(text: str, *when: Condition, past: Past | None = None) -> bool:
    return decided(text, *when, past=past).findings[0].matched


def test_conditions_hold_when_they_should() -> None:
    assert matches("", Score(task=Task.PROMPT_HARM, at_least=0.9))
    assert not matches("", Score(task=Task.PROMPT_HARM, at_least=0.91))
    assert not matches("", Score(task=Task.PROMPT_HARM, at_least=0.5, below=0.9))
    assert not matches("", Score(task=Task.RESPONSE_HARM, at_least=0))
    assert matches("", Category(any_of=frozenset({"S1", "S2"})))
    assert matches("https://evil.example/x", Link())
    assert not matches("https://www.good.example/x", Link(allowed=frozenset({"good.example"})))
    assert matches("https://notgood.example", Link(allowed=frozenset({"good.example"})))
    assert matches("http://[bad", Link())
    assert matches("t.me/joinchat", Link()) and not matches("그리고/또는, 1.2/3, a@b.kr/x", Link())
    for short in ("discord.com/invite/x", "bit.ly/x", "dsc.gg/x"):
        assert matches(f"여기 {short} 로", Link())
    for followed in ("(https://youtube.com)", "https://youtube.com에서", "https://youtube.com.", "youtube.com/watch"):
        assert not matches(f"봐 {followed}", Link(allowed=frozenset({"youtube.com"})))
    assert matches("@a @b", Mentions(at_least=2))


def judged(text: str, score: float, *rules: Rule, searched: Mapping[Sought, Words] | None = None) -> Decision:
    message = Message(
        ref=MessageRef(REHEARSAL, "a", "1"), community_id="c", author=Author(id="u"), sent_at=NOW, text=text
    )
    verdict = Verdict.of_scores({Task.PROMPT_HARM: score}, guard=GUARD)
    return decide(message, verdict, Policy(rules=rules), at=NOW, searched=searched or {})


HARM = Rule(name="harm", when=(Score(task=Task.PROMPT_HARM, at_least=0.9),), then=(Delete(),), reason=REASON)
WORD = Rule(name="word", when=(Text(any_of=("바보",)),), then=(Delete(),), reason=REASON)
NOBODY_KNOWS = Rule(name="unscreened", when=(IsUnscreened(),), then=(Flag(),), reason=REASON)


def test_what_nobody_has_read_is_not_safe() -> None:
    whole, long = "안녕 " * 100, "안녕 " * MOST_READ
    assert not judged(whole, 0.1, HARM, WORD, NOBODY_KNOWS).is_incident
    decision = judged(long, 0.1, HARM, WORD, NOBODY_KNOWS)
    assert decision.screening == Unscreened(TOO_LONG, GUARD)
    assert decision.rule == "unscreened" and decision.actions == (Flag(),)
    middle = long[: len(long) // 2] + "바보" + long[len(long) // 2 :]
    assert judged(middle, 0.1, HARM, WORD, NOBODY_KNOWS).rule == "unscreened"


@pytest.mark.parametrize("text", ["바보" + "안녕 " * MOST_READ, "안녕 " * MOST_READ + "바보"])
def test_head_and_tail_of_a_long_text_are_read_and_acted_on(text: str) -> None:
    decision = judged(text, 0.1, HARM, WORD, NOBODY_KNOWS)
    assert decision.rule == "word" and decision.actions == (Delete(),)
    assert judged(text, 0.95, HARM, NOBODY_KNOWS).actions == (Delete(),)


def test_a_search_that_was_given_up_makes_the_message_unscreened() -> None:
    slow = Text(any_of=("/(?<!가)나/",))
    rule = Rule(name="slow", when=(slow,), then=(Delete(),), reason=REASON)
    assert Policy(rules=(rule, WORD)).to_search == (slow,)
    given_up = judged("나", 0.1, rule, NOBODY_KNOWS)
    assert given_up.screening == Unscreened(TOO_SLOW, GUARD) and given_up.actions == (Flag(),)
    assert because(given_up.findings[0].why, texts("ko")) == "이 문구를 다 찾아보지 못했습니다"
    found = judged("나", 0.1, rule, NOBODY_KNOWS, searched={slow: {"found": "나", "view": "plain"}})
    assert found.actions == (Delete(),)
    assert not judged("가", 0.1, rule, NOBODY_KNOWS, searched={slow: None}).is_incident
    assert judged("나", 0.1, rule, WORD, NOBODY_KNOWS, searched={}).rule == "unscreened"
    assert judged("바보", 0.1, rule, WORD, NOBODY_KNOWS, searched={}).rule == "word", "what was found counts"


def test_signs_that_turn_letters_round_are_a_signal_of_their_own() -> None:
    assert matches("\u202e안녕", Overrides()) and matches("\u202d안녕", Overrides())
    assert not matches("안녕", Overrides()) and not matches("\u2068안녕\u2069", Overrides())


def test_words_are_found_however_a_text_is_turned_round() -> None:
    word = Text(any_of=("시발새끼",))
    assert matches("\u202e\u2066\u2069" + "너 시발새끼"[::-1], word)
    assert matches("\u202e" + "너 시발새끼", word), "as it is stored, too"


def test_long_texts_are_not_kept_alive() -> None:
    assert readings_of("안녕") is readings_of("안녕")
    assert readings_of("안녕" * 251) is not readings_of("안녕" * 251)


def test_what_the_platform_marks_as_a_link_is_one_however_it_reads() -> None:
    message = Message(
        ref=MessageRef(TELEGRAM, "a", "1"), community_id="c", author=Author(id="u"), sent_at=NOW,
        text="토토777.한국 여기", links=(link_to("토토777.한국"),),
    )  # fmt: skip
    rule = Rule(name="r", when=(Link(),), then=(Delete(),), reason=REASON)
    allowing = replace(rule, when=(Link(allowed=frozenset({"토토777.한국"})),))
    verdict = Verdict.of_scores({}, guard=GUARD)
    assert decide(message, verdict, Policy(rules=(rule,)), at=NOW).is_incident
    assert not decide(message, verdict, Policy(rules=(allowing,)), at=NOW).is_incident
    called = replace(message, text="@minji 안녕", links=(link_to("tg://user?id=7"),))
    assert not decide(called, verdict, Policy(rules=(rule,)), at=NOW).is_incident


def test_what_the_platforms_own_filter_has_stopped_is_told_with_its_word() -> None:
    rule = Rule(name="r", when=(Filtered(),), then=(Delete(),), reason=REASON)
    passed = Message(
        ref=MessageRef(DISCORD, "a", "1"), community_id="c", author=Author(id="u"), sent_at=NOW, text="낱말"
    )
    verdict = Verdict.of_scores({}, guard=GUARD)
    assert not decide(passed, verdict, Policy(rules=(rule,)), at=NOW).is_incident
    decision = decide(replace(passed, filtered="낱말"), verdict, Policy(rules=(rule,)), at=NOW)
    assert decision.actions == (Delete(),)
    assert because(decision.findings[0].why, texts("ko")) == "플랫폼의 자체 필터가 막음 (‘낱말’)"


def test_an_innocent_reading_wins_only_where_it_stands() -> None:
    threat = Text(any_of=("죽여버",), unless=("보스 죽여버",))
    assert matches("널 죽여버린다", threat)
    assert not matches("보스 죽여버리자", threat)
    assert matches("보스 죽여버리자 그리고 너도 죽여버린다", threat)
    assert not matches("널 죽여버린다", NoText(text=threat))
    assert matches("시 발", Text(any_of=("시발",))), "read without spaces too"


def test_repeats_count_this_message_and_only_the_window() -> None:
    flood = Repeats(at_least=3, within=timedelta(minutes=1))
    just_now = tuple(NOW - timedelta(seconds=s) for s in (10, 20))
    assert matches("x", flood, past=Past(repeats=just_now))
    assert not matches("x", flood, past=Past(repeats=just_now[:1]))
    assert not matches("x", flood, past=Past(repeats=(NOW - timedelta(minutes=2), *just_now[:1])))
    backlog = decided("x", flood, past=Past(repeats=just_now), sent_at=NOW - timedelta(hours=1))
    assert backlog.findings[0].why.code == "late", "a backlog is not a flood"


def test_a_cooldown_spares_the_member_but_not_the_message() -> None:
    score = Score(task=Task.PROMPT_HARM, at_least=0.5)
    assert decided("x", score).actions == (Delete(), Warn())
    assert decided("x", score, past=Past(fired={"r": NOW - timedelta(minutes=1)})).actions == (Delete(),)
    assert decided("x", score, past=Past(fired={"r": NOW - timedelta(minutes=11)})).actions == (Delete(), Warn())


def test_the_longest_time_out_counts_and_deeds_that_protect_come_first() -> None:
    def rule(name: str, *then: Action) -> Rule:
        return Rule(name=name, when=(ByBot(bot=False),), then=then, reason=REASON)

    message = Message(
        ref=MessageRef(REHEARSAL, "a", "1"), community_id="c", author=Author(id="u"), sent_at=NOW, text="x"
    )
    policy = Policy(
        rules=(
            rule("one", Flag(), Timeout(timedelta(hours=2))),
            rule("two", Timeout(timedelta(hours=1)), Ban(), Delete()),
        )
    )
    decision = decide(message, Verdict(guard=GUARD), policy, at=NOW)
    assert decision.actions == (Delete(), Ban(), Timeout(timedelta(hours=2)), Flag())
    assert decision.rule == "one"


# ---- bots' answers


def pair_scores(**scores: float) -> Verdict:
    return Verdict.of_scores({Task(name): score for name, score in scores.items()}, guard=GUARD)


def about_pair(is_: PairIs, screening: Screening, *, bot: bool = True, at_least: float = 0.9) -> tuple[bool, str]:
    said = replace(BOT_SAID, author=replace(BOT_SAID.author, bot=bot))
    rule = Rule(name="r", when=(Pair(is_=is_, at_least=at_least),), then=(Flag(),), reason=REASON)
    (finding,) = decide(said, screening, Policy(rules=(rule,)), at=NOW).findings
    return finding.matched, finding.why.code


@pytest.mark.parametrize(
    ("is_", "scores", "expected"),
    [
        (PairIs.HARMFUL_ANSWER, {"response_harm": 0.95}, (True, "score_reached")),
        (PairIs.HARMFUL_ANSWER, {"response_harm": 0.85}, (False, "score_below")),
        (PairIs.ANSWERED_HARM, {"prompt_harm": 0.95, "response_refusal": 0.1}, (True, "score_reached")),
        (PairIs.ANSWERED_HARM, {"prompt_harm": 0.95, "response_refusal": 0.9}, (False, "score_above")),
        (PairIs.ANSWERED_HARM, {"prompt_harm": 0.1, "response_refusal": 0.1}, (False, "score_below")),
        (PairIs.ANSWERED_HARM, {"prompt_harm": 0.95}, (False, "task_not_judged")),
        (PairIs.ANSWERED_HARM, {"response_refusal": 0.1}, (False, "task_not_judged")),
        (PairIs.REFUSED_HARM, {"prompt_harm": 0.95, "response_refusal": 0.6}, (True, "score_reached")),
        (PairIs.REFUSED_HARM, {"prompt_harm": 0.95, "response_refusal": 0.4}, (False, "score_below")),
        (PairIs.REFUSED_HARM, {"prompt_harm": 0.95}, (False, "task_not_judged")),
        (PairIs.OVER_REFUSAL, {"prompt_harm": 0.1, "response_refusal": 0.95}, (True, "score_reached")),
        (PairIs.OVER_REFUSAL, {"prompt_harm": 0.9, "response_refusal": 0.95}, (False, "score_above")),
        (PairIs.OVER_REFUSAL, {"response_refusal": 0.95}, (False, "task_not_judged")),
    ],
)
def test_what_may_be_said_of_a_pair(is_: PairIs, scores: dict[str, float], expected: tuple[bool, str]) -> None:
    assert about_pair(is_, pair_scores(**scores)) == expected
    assert about_pair(is_, pair_scores(**scores), bot=False) == (False, "no_answer")
    assert about_pair(is_, Unscreened("away", GUARD)) == (False, "no_verdict")


def test_how_harmful_a_prompt_is_says_nothing_against_the_bot_that_was_asked() -> None:
    rule = Rule(name="r", when=(Score(task=Task.PROMPT_HARM, at_least=0.5),), then=(Delete(),), reason=REASON)
    screening = pair_scores(prompt_harm=0.99, response_harm=0.0)
    (finding,) = decide(BOT_SAID, screening, Policy(rules=(rule,)), at=NOW).findings
    assert (finding.matched, finding.why.code) == (False, "prompt_of_another")


@pytest.mark.parametrize("pairing", [None, *Pairing])
def test_on_a_guess_alone_nothing_but_a_look(pairing: Pairing | None) -> None:
    harmful = Rule(
        name="harmful", when=(Pair(is_=PairIs.HARMFUL_ANSWER),), then=(Delete(), Notice(), NotifyOwner(), Escalate()),
        reason=REASON,
    )  # fmt: skip
    policy = Policy(rules=(harmful,), bot_owners={BOT_SAID.author.id: "owners"})
    decision = decide(replace(BOT_SAID, pairing=pairing), pair_scores(response_harm=0.99), policy, at=NOW)
    if pairing is Pairing.GUESSED:
        assert decision.actions == (Escalate(), Flag())
        assert decision.withheld == (Delete(), Notice(), NotifyOwner("owners"))
        assert Explanation("guessed_pair") in decision.restraints
    else:
        assert decision.actions == (Delete(), Escalate(), Notice(), NotifyOwner("owners"))


def test_what_the_text_itself_says_is_no_guess() -> None:
    words = Rule(name="words", when=(Text(any_of=("주소",)),), then=(Delete(),), reason=REASON)
    said = replace(BOT_SAID, text="그 사람 주소는", pairing=Pairing.GUESSED)
    assert decide(said, pair_scores(response_harm=0.0), Policy(rules=(words,)), at=NOW).actions == (Delete(),)


def test_certainty_may_be_asked_for() -> None:
    sure = Rule(name="r", when=(Paired(any_of=frozenset({Pairing.CERTAIN})),), then=(Flag(),), reason=REASON)
    for pairing in (None, *Pairing):
        (finding,) = decide(replace(BOT_SAID, pairing=pairing), pair_scores(), Policy(rules=(sure,)), at=NOW).findings
        assert finding.matched is (pairing is Pairing.CERTAIN)


def test_nobody_is_told_where_no_owner_is_known() -> None:
    rule = Rule(name="r", when=(Pair(is_=PairIs.HARMFUL_ANSWER),), then=(NotifyOwner(), Flag()), reason=REASON)
    assert decide(BOT_SAID, pair_scores(response_harm=0.9), Policy(rules=(rule,)), at=NOW).actions == (Flag(),)


def test_whatever_a_rule_wants_nothing_is_done_to_the_account_of_a_bot() -> None:
    rule = Rule(
        name="r", when=(Pair(is_=PairIs.HARMFUL_ANSWER),), then=(Ban(), Kick(), Timeout(timedelta(hours=1)), Warn()),
        reason=REASON,
    )  # fmt: skip
    assert decide(BOT_SAID, pair_scores(response_harm=0.9), Policy(rules=(rule,)), at=NOW).actions == (Flag(),)


def test_offences_count_in_the_window() -> None:
    rule = Rule(name="r", when=(Offences(at_least=2, within=timedelta(hours=1)),), then=(Delete(),), reason=REASON)
    for minutes, expected in (((10, 20), True), ((10, 61), False), ((), False)):
        past = Past(offences=tuple(NOW - timedelta(minutes=ago) for ago in minutes))
        (finding,) = decide(BOT_SAID, pair_scores(), Policy(rules=(rule,)), at=NOW, past=past).findings
        assert finding.matched is expected


def test_pairs_and_other_conditions_imply_and_contradict_each_other() -> None:
    hard, soft = (Pair(is_=PairIs.HARMFUL_ANSWER, at_least=bar) for bar in (0.9, 0.5))
    assert hard.implies(soft) and not soft.implies(hard)
    assert not hard.implies(Pair(is_=PairIs.OVER_REFUSAL, at_least=0.1))
    assert hard.implies(ByBot(bot=True)) and not hard.implies(ByBot(bot=False))
    assert hard.implies(Score(task=Task.RESPONSE_HARM, at_least=0.9))
    assert not Pair(is_=PairIs.ANSWERED_HARM).implies(Score(task=Task.PROMPT_HARM, at_least=0.1)), "see Score.check"
    one, two = (Offences(at_least=n, within=timedelta(hours=1)) for n in (3, 2))
    assert one.implies(two) and not two.implies(one)
    rule = Rule(name="r", when=(hard, ByBot(bot=False)), then=(Flag(),), reason=REASON)
    assert rule.contradiction() and not replace(rule, when=(hard,)).contradiction()
    assert replace(rule, when=(soft,)).makes_pointless(replace(rule, name="later", when=(hard,)))


@pytest.mark.parametrize("name", ["gentle", "balanced", "strict"])
def test_a_fraud_link_from_a_staff_account_calls_people_and_does_nothing_else(name: str) -> None:
    """Issue 11, point 9: stolen accounts are how servers fall."""
    policy = Policy(rules=tuple(text.rule() for text in preset(name)))
    owner = replace(
        built("1", "무료 니트로 https://dlscord.example/gift"), author=Author(id="1", roles=frozenset({"moderator"}))
    )
    found = decide(owner, verdict(), policy, at=NOW)
    assert found.actions == (Escalate(),) and found.rule == "staff-link"
    assert {one.why.code for one in found.findings if one.rule == "advertising"} == {"staff"}
    member = replace(owner, author=Author(id="2"))
    assert "staff-link" not in [one.rule for one in decide(member, verdict(), policy, at=NOW).findings if one.matched]
    talk = replace(owner, text="오늘 저녁에 모여요")
    assert not decide(talk, verdict(), policy, at=NOW).is_incident


def test_a_rule_about_staff_never_sanctions_them() -> None:
    hard = Rule(name="r", when=(ByStaff(),), then=(Delete(), Ban(), Warn()), reason=REASON)
    said = replace(built("1", "말"), author=Author(id="1", roles=frozenset({"owner"})))
    found = decide(said, verdict(), Policy(rules=(hard,)), at=NOW)
    assert found.actions == (Flag(),)
    assert found.withheld == (Delete(), Warn(), Ban()) and found.restraints == (Explanation("staff"),)
    room = Policy(rules=(hard,), exempt_channels=frozenset({said.ref.channel_id}))
    assert not decide(said, verdict(), room, at=NOW).is_incident
