"""What an author did just before: of that author alone."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.core.chat.amounts import A_MESSAGE
from bot.core.chat.message import Kind
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Unscreened, Verdict
from bot.core.incidents.incident import Trace
from bot.core.moderation.recent import SPEAKERS, RecentActivity, SaidBefore
from bot.core.rules.actions import Delete, Flag, Warn
from bot.core.rules.policy import Policy, Reason, Rule
from tests.builders import DISCORD, GUARD, NOW, TELEGRAM, decision, home, later, message

RULES, TEN_MINUTES = Policy(rules=()), timedelta(minutes=10)

PICTURE = A_MESSAGE._replace(media=1)


def test_a_member_of_another_platform_is_somebody_else_even_where_all_ids_are_the_same() -> None:
    memory = RecentActivity()
    here, there = (message("1", community="7", platform=platform, author="9") for platform in (DISCORD, TELEGRAM))
    assert memory.hear(here) == memory.hear(there) == ()
    assert memory.hear(message("2", community="7", platform=DISCORD, author="9")) == (NOW,)
    memory.note(decision(here, Delete()), NOW, RULES)
    memory.recall(Trace(home("7", TELEGRAM), "9", "side", NOW, later(1), "flood", acted=True), RULES)
    assert memory.fired(here) == {"insult": NOW} and memory.fired(there) == {"flood": later(1)}
    assert (memory.offences(here), memory.offences(there)) == ((NOW,), ())


def test_only_a_rule_that_took_its_course_spares_the_member_and_never_for_longer() -> None:
    memory, said = RecentActivity(), message("1")
    rules = Policy(rules=(Rule(name="insult", when=(), then=(), reason=Reason(ko="", en=""), cooldown=TEN_MINUTES),))
    memory.note(replace(decision(said, Flag()), withheld=(Delete(), Warn())), NOW, rules)
    memory.recall(Trace(home(), said.author.id, "side", NOW, NOW, "insult", acted=False), rules)
    assert memory.fired(said) == {}, "what was only watched spares nobody"
    for seconds in (60, 120, 659):
        memory.note(decision(said, Delete()), later(seconds), rules)
    assert memory.fired(said) == {"insult": later(60)}, "ten minutes, whatever else is said in them"
    memory.note(decision(said, Delete()), later(660), rules)
    assert memory.fired(said) == {"insult": later(660)}


def test_of_whoever_is_forgotten_nothing_is_in_mind() -> None:
    recent = RecentActivity()
    verdict = Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, HarmKind.ABUSE, 0.9, "g"),))
    for who in ("minji", "jisu"):
        said = message(who, "말", author=who)
        recent.hear(said)
        recent.join(said)
        recent.found(said, verdict)
        recent.note(decision(said, Delete()), NOW, RULES)
    memories: list[Mapping[Any, Any]] = [recent._sent, recent._fired, recent._offences, recent._said, recent._found]
    assert [len(one) for one in memories] == [2] * 5
    recent.forget(home("other"), lambda who: True)
    recent.forget(home(), lambda who: who == "minji")
    assert [len(one) for one in memories] == [1] * 5 and "minji" not in str(memories)


def test_a_flood_that_spans_a_restart_goes_on() -> None:
    before = {"minji": [later(-700), later(-30), later(40)]}
    recent = RecentActivity()
    recent.go_on_from(SaidBefore(lambda one: before.get(one.author.id, ()), lambda one: ()), later(600))
    assert recent.hear(message("1")) == (later(-30),), "what is older than the window, or sent later, is none"
    assert recent.hear(message("2", sent_at=later(60))) == (later(-30), later(40), NOW)
    assert recent.hear(message("3", author="jisu", sent_at=later(61))) == ()
    assert recent.hear(message("4", sent_at=later(601))) == (later(60),), "by then nothing of before counts"


def test_whoever_leaves_a_community_has_nothing_of_it_in_mind() -> None:
    recent = RecentActivity()
    recent.go_on_from(SaidBefore(lambda one: [later(-9)], lambda one: [(later(-9), PICTURE)]), later(600))
    verdict = Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, HarmKind.ABUSE, 0.9, "g"),))
    for where in ("a", "b"):
        said = message("1", "말", community=where)
        recent.hear(said)
        recent.posted(said)
        recent.join(said)
        recent.found(said, verdict)
        recent.note(decision(said, Delete()), NOW, RULES)
    memories: list[Mapping[Any, Any]] = [
        recent._sent, recent._fired, recent._posted, recent._offences, recent._said, recent._found, recent._rude,
    ]  # fmt: skip
    assert [len(one) for one in memories] == [2] * 7
    recent.leave([home("a")])
    assert [len(one) for one in memories] == [1] * 7
    assert recent.hear(message("2", "말", community="b")) == (later(-9), NOW)
    recent.go_on_from(
        SaidBefore(lambda one: [later(-9), NOW], lambda one: [(later(-9), PICTURE), (NOW, A_MESSAGE)]), later(600)
    )
    assert recent.hear(message("2", "말", community="a")) == (later(-9), NOW), "nothing counts twice"
    assert recent.posted(message("3", community="a")) == ((later(-9), PICTURE), (NOW, A_MESSAGE))


def test_messages_of_before_are_counted_with_what_was_in_them() -> None:
    recent = RecentActivity()
    times = [later(-700), later(-30), later(-30), later(40)]  # some networks tell whole seconds
    recent.go_on_from(SaidBefore(lambda one: (), lambda one: [(at, PICTURE) for at in times]), later(600))
    assert recent.posted(message("1")) == ((later(-30), PICTURE),) * 2
    assert [at for at, _ in recent.posted(message("2", sent_at=later(60)))] == [later(-30), later(-30), later(40), NOW]
    assert recent.posted(message("3", sent_at=later(60), kind=Kind.EDIT)) == ()
    assert len(recent.posted(message("4", sent_at=later(601)))) == 1


def rude(probability: float = 0.5) -> Verdict:
    return Verdict(guard=GUARD, found=(Judgement(Part.PROMPT, HarmKind.ABUSE, probability, "g"),))


def test_who_quarrels_in_a_channel_is_known_there_alone_and_for_a_bounded_number() -> None:
    memory = RecentActivity(members=100)

    def says(id_: str, author: str, probability: float = 0.5, **more: Any) -> list[str]:
        about = message(id_, author=author, **more)
        about = replace(about, author=replace(about.author, bot=author == "bot"))
        memory.found(about, rude(probability))
        return sorted(memory.others(about))

    assert says("1", "minji") == []
    assert says("2", "jisu") == ["minji"]
    assert says("3", "calm", 0.01) == ["jisu", "minji"]
    assert says("4", "bot") == ["jisu", "minji"]
    assert says("5", "minji", channel="side") == [], "elsewhere nobody was rude"
    assert says("6", "minji", community="other") == []
    assert says("7", "minji") == ["jisu"], "nor the calm one, nor the bot"
    memory.found(message("2", author="jisu", kind=Kind.DELETE), rude())
    assert memory.others(message("8", author="minji")) == {}, "what was deleted is taken back"
    for number in range(50):
        says(f"9{number}", f"raider {number}")
    assert len(memory.others(message("x", author="minji"))) == SPEAKERS
    memory.forget(home(), lambda author: author.startswith("raider"))
    assert memory.others(message("x", author="minji")) == {} and not any(
        "raider" in who for (_, who), _ in memory._found
    )


def test_pieces_are_joined_as_they_were_sent_and_edits_replace() -> None:
    recent = RecentActivity()

    def words(id_: str, text: str, at: float, **more: Any) -> list[str]:
        return [said for _, said in recent.join(message(id_, text, sent_at=later(at), **more))]

    assert words("1", "너", 0) == []
    assert words("3", "죽", 20) == ["너"]
    assert words("2", "진짜", 10) == ["너"]  # came late, and was sent before
    assert words("4", "어", 30) == ["너", "진짜", "죽"]
    assert words("3", "줄", 40, kind=Kind.EDIT) == ["너", "진짜", "어"]
    assert words("5", "래", 50) == ["너", "진짜", "줄", "어"]
    assert words("50", "가", 50) == ["너", "진짜", "줄", "어", "래"]  # in the same moment: as it was heard
    assert words("6", "남", 51, author="other") == []
    assert words("7", "딴방", 52, channel="other") == []
    assert words("8", "한참 뒤", 1000) == []


def test_words_stay_for_minutes_and_are_few() -> None:
    recent = RecentActivity(members=100)
    for n in range(500):
        recent.join(message(str(n), "가" * 5000, sent_at=later(n)))
        recent.join(message(str(n), "가" * 5000, sent_at=later(n), author=str(n)))
    assert len(recent._said) <= 10
    assert all(len(said) <= 12 and all(len(text) <= 200 for _, text in said.values()) for said in recent._said.values())
    recent.join(message("x", "나", author="later", sent_at=later(5000)))
    assert len(recent._said) == 1


def test_what_was_found_is_of_one_member_and_channel_for_minutes_and_little() -> None:
    recent = RecentActivity(members=100)

    def before(id_: str, score: float | None, at: float, **more: Any) -> list[float]:
        rude = (Judgement(Part.PROMPT, HarmKind.ABUSE, score or 0.0, "g"),)
        screening = Unscreened("away", GUARD) if score is None else Verdict(guard=GUARD, found=rude)
        return [kinds[HarmKind.ABUSE] for _, kinds in recent.found(message(id_, sent_at=later(at), **more), screening)]

    assert before("1", 0.3, 0) == []
    assert before("2", None, 1) == [0.3]
    assert before("2", 0.4, 2) == [0.3], "nobody had judged it"
    assert before("1", 0.1, 3, kind=Kind.EDIT) == [0.4], "not twice of one message"
    assert before("3", 0.5, 4) == [0.4, 0.1]
    assert before("4", 0.5, 5, author="other") == before("5", 0.5, 5, channel="other") == []
    assert before("3", 0.5, 6, kind=Kind.DELETE) == [0.4, 0.1]
    assert before("6", 0.5, 7) == [0.4, 0.1], "what was taken back does not count"
    assert before("7", 0.5, 2000) == []
    for n in range(500):
        before(str(n), 0.5, 3000 + n / 10)
        before(str(n), 0.5, 3000, author=str(n))
    assert len(recent._found) <= 10 and all(len(one) <= 12 for one in recent._found.values())


def test_who_has_said_one_thing_takes_little_to_remember() -> None:
    """Twenty thousand members are; most of them have."""
    recent, number = RecentActivity(), 1_000
    said = [message(str(one), "안녕하세요", author=str(one)) for one in range(number)]
    tracemalloc.start()
    try:
        for one in said:
            recent.hear(one)
            recent.posted(one)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 1_500 * number
