"""Whatever a member writes: every function that reads it takes time in proportion to its length."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from math import log
from typing import Any

import pytest

from adapters.guards.dialects import DIALECTS
from adapters.guards.dialects.user_text import harmless
from bot.config import preset
from bot.core.chat.links import link_to, links_in, place_of
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.guarding.verdict import NOTHING_TO_JUDGE, Exchange
from bot.core.incidents.card import masked
from bot.core.moderation.recent import RecentActivity
from bot.core.rules.conditions import Condition, Group, Link, NoText, Overrides, Situation, Text
from bot.core.text.likeness import sketch
from bot.core.text.patterns import expression
from bot.core.text.views import canonical, readings, views
from tests.builders import REHEARSAL
from tests.servers.guards import shipped

parser = import_module("re._parser")  # see bot/core/text/patterns.py

NOW = datetime(2026, 5, 15, 12, tzinfo=UTC)
STEEPEST = 1.2  # of the log-log slope; squared work has 2
MEASURABLE = 0.0005  # seconds of processor time
LONGEST = 10_000  # characters; what is still not measurable there is no danger

#: What communities and operators may ask for, the well-known traps of backtracking engines among them.
OWN = Text(
    any_of=("/(가+)+나/", "/(시|시발)*점/", r"/\b\w+\b.*끝/", "/.*.*=.*죽/", r"/([^\W_]+\s?)*!$/", "바보", "ㅂㅅ"),
    unless=("/(바|보)*바보다/", r"/\B보.{0,50}봐/"),
)


def groups() -> dict[str, Group]:
    asked: list[Condition] = [c for rule in preset("strict") for c in rule.rule().when]
    texts = [c.text if isinstance(c, NoText) else c for c in asked if isinstance(c, Text | NoText)]
    return {text.group.name: text.group for text in texts if text.group}


def message(text: str) -> Message:
    return Message(ref=MessageRef(REHEARSAL, "a", "1"), community_id="c", author=Author(id="1"), sent_at=NOW, text=text)


def holds(condition: Condition) -> Callable[[str], object]:
    """Without the bound on what is read: it hides growth, and does not excuse it."""

    def check(text: str) -> object:
        said = message("")
        object.__setattr__(said, "text", text)
        return condition.check(Situation(message=said, screening=NOTHING_TO_JUDGE))

    return check


KINDS, COMMENTS, MODEL = shipped.kinds(encoder=False), shipped.comments(), DIALECTS["wildguard-ko"]

READERS: dict[str, Callable[[str], object]] = {
    "canonical": canonical,
    "readings": readings,
    "views": views,
    "memory of repeats": lambda text: RecentActivity().hear(message(text)),
    "mask": masked,
    "kind of link": link_to,
    "sketch": sketch,
    "links of a text": links_in,
    "place": place_of,
    "link": holds(Link(to=frozenset({"nowhere.kr"}))),
    "overrides": holds(Overrides()),
    "embedded guard": lambda text: KINDS.model.judged([text]),
    "embedded guard before": lambda text: COMMENTS.model.score([text]),
    "text in a prompt": lambda text: harmless(text, MODEL.sections),
    "questions": lambda text: MODEL.questions(Exchange(prompt=text, response=text)),
    "own words": OWN.find,
    **{name: Text(group=group).find for name, group in groups().items()},
}

PERIODIC = [
    "ㄱ.,", "ㄱ,", "ㄱ1", "ㄱ._l", ".,", "가.", "가 ", "가1", "가\u00a0", "시 발 ", "ㅅ!", "ㅣ1", "이", "아어", "ㅏㅓ",
    "ㅗㅏ", "^|", "77", "tlqkf ", "a", "A", " ", ". ", "시 . 발", "\"가", "“가”", "https://a.", "https://a b.c/",
    "a.b", "a.b/", "점컴", "점 ", "a 점", "a . ", "(.)", "[", " dot ", "텔레 ", "톡아이디", "오픈채팅", "오픈채팅 검색",
    "가.com", "가a.",
    "discord.gg/", "@", "1", "010-1234-5678", "😀", "\u200b", "시\u200b발\u200b", "\ufdfa", "ﾞ\u0338",
    "か\uff9e\u0338", "a\u0301", "\u0301\u0316\u0327\u031b", "\u0f71\u0f72\u0f80",
    "\u202e가", "\u202e\u2066\u2069가", "\u202b가\u202c",
    "\u200f가\u200f나", "\u2067가\u2069", "\u2066", "가\u2029", "\u202e(가[", "<|", "[INST]", "\n", "\nAI assistant",
    "\n\u200b", "</s>", "가가나",
]  # fmt: skip


def repeated(unit: str, head: str = "") -> Callable[[int], str]:
    return lambda n: head + (unit * (n // len(unit) + 1))[:n]


def nested(opening: str, closing: str) -> Callable[[int], str]:
    return lambda n: opening * (n // 2) + "가" + closing * (n // 2)


def letters(items: Any) -> Iterator[str]:
    """What a parsed expression is made of."""
    for item in items if isinstance(items, list | tuple | parser.SubPattern) else ():
        if isinstance(item, tuple) and len(item) == 2 and str(item[0]) == "LITERAL":
            yield chr(item[1])
        else:
            yield from letters(item)


@cache
def attacks() -> dict[str, Callable[[int], str]]:
    """Texts of any length, by name."""
    made = {f"{head}{unit!a}": repeated(unit, head) for unit in PERIODIC for head in ("", "ㄱ")}
    made |= {
        f"nested {a!a}": nested(a, b) for a, b in ("()", "[]", "「」", "\u2067\u2069", "\u202b\u202c", "\u202e\u202c")
    }
    dice = random.Random(11)
    for name, group in groups().items():
        patterns = [*group.any_of, *group.unless]
        for pattern in dice.sample(patterns, min(6, len(patterns))):
            parts = list(letters(parser.parse(expression(pattern)))) or [" "]
            unit = "".join(dice.choice([*parts, *parts, " ", ".", "가", "\u200b"]) for _ in range(dice.randint(1, 12)))
            head = "".join(parts[: dice.randint(0, 6)])
            made[f"{name}: {pattern} {unit!a}"] = repeated(unit, head)
    return made


def seconds(reader: Callable[[str], object], text: str) -> float:
    """Of processor time: what else the machine does is hardly counted."""
    gc.disable()
    try:
        began = time.process_time()
        reader(text)
        return time.process_time() - began
    finally:
        gc.enable()


def slope(reader: Callable[[str], object], attack: Callable[[int], str]) -> float:
    """Log-log, over a quadrupling that is long enough to measure; where it looks steep, measured again in turns, best
    of five, up to three times: what is squared stays so."""
    n = 1_000
    while (took := seconds(reader, attack(n))) < MEASURABLE:
        n *= 2
        if n > LONGEST:
            return 0.0
    steep = log(seconds(reader, attack(4 * n)) / took, 4)
    for _ in range(3):
        if steep <= STEEPEST:
            break
        n *= 2
        short, long = zip(
            *((seconds(reader, attack(n)), seconds(reader, attack(4 * n))) for _ in range(5)), strict=True
        )
        steep = log(min(long) / min(short), 4)
    return steep


@pytest.mark.timeout(600)
@pytest.mark.parametrize("reader", READERS)
def test_time_grows_with_the_length(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.chat.message.MOST_READ", 1 << 30)
    steep = {name: found for name, attack in attacks().items() if (found := slope(READERS[reader], attack)) > STEEPEST}
    assert not steep
