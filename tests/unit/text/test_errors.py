"""Errors, why there is no verdict, the log: English where they arise, and Korean for each that somebody is shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from adapters.guards.dialects import DIALECTS
from bot.core.base.errors import Broken, Unavailable
from bot.core.text.catalogue import texts
from tests.unit.text.test_texts import placeholders

ROOT = Path(__file__).parents[3]
KOREAN = {key.removeprefix("errors."): said for key, said in texts("ko").sentences.items() if key.startswith("errors.")}
LOGGED = {key.removeprefix("log.") for key in texts("ko").sentences if key.startswith("log.")}
LEVELS = {"info", "warning", "error", "exception"}
ERRORS = {"BotError", "Broken", "Unavailable", "Lost", "_Failed"}
PASSING = {"Unavailable", "Lost"}
WORDS = re.compile("[a-z]{2,} [a-z]")


def sentences() -> Iterator[tuple[str, str]]:
    """Where somebody may be shown it. What the core or a network only waits for is logged, and tried again."""
    for path in (path for part in ("bot", "adapters", "storage") for path in sorted((ROOT / part).rglob("*.py"))):
        place = path.relative_to(ROOT).as_posix()
        passing = place.startswith(("bot/core/", "adapters/chat/")) and path.name != "errors.py"
        tree = ast.parse(path.read_text("utf-8"))
        named = {
            one.targets[0].id: one.value
            for one in tree.body
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
        }
        if place.startswith(("bot/core/guarding/", "adapters/guards/")) and "training" not in place:
            reasons = (text for value in named.values() if isinstance(value, ast.Constant) for text in texts_in(value))
            yield from ((place, text) for text in reasons if WORDS.search(text) and len(text) < 80)
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ERRORS - (PASSING if passing else set()):
                yield from ((place, text) for text in said(call.args[0], named))


def said(written: ast.expr, named: dict[str, ast.expr]) -> Iterator[str]:
    """The sentences in it, but for those that are in the reader's language already."""
    match written:
        case ast.Constant(value=str(text)) if WORDS.search(text):
            yield text
        case ast.JoinedStr(values=parts):
            yield from (text for part in parts for text in said(part, named))
        case ast.Name(id=name) if name in named:
            yield from said(named[name], {})
        case ast.Call(func=ast.Attribute(value=table), args=[_, *other]):
            yield from (text for one in (table, *other) for text in said(one, named))
        case ast.IfExp(body=one, orelse=other):
            yield from (*said(one, named), *said(other, named))
        case ast.Dict(values=several):
            yield from (text for one in several for text in said(one, named))
        case _:
            pass


def test_whatever_goes_wrong_is_said_in_korean_too() -> None:
    found = {text: place for place, text in sentences()}
    assert len(found) > 100
    assert {text: place for text, place in found.items() if text not in KOREAN} == {}


def test_what_was_not_checked_of_a_guard_is_said_in_korean_too() -> None:
    unchecked = {what for dialect in DIALECTS.values() for what in dialect.unverified}
    assert len(unchecked) > 20 and unchecked <= KOREAN.keys()


def test_no_korean_is_left_of_what_nobody_says_any_more() -> None:
    sources = "".join(
        "".join(texts_in(ast.parse(path.read_text("utf-8")))) + "\n"
        for part in ("bot", "adapters", "storage")
        for path in (ROOT / part).rglob("*.py")
    )
    assert [text for text in KOREAN if text not in sources] == []


def test_whatever_is_logged_is_said_in_korean_too_and_nothing_else() -> None:
    calls = (
        call
        for part in ("bot", "adapters", "storage")
        for path in (ROOT / part).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
    )
    found = set()
    for call in calls:
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"), attr=level), args=[event]) if level in LEVELS:
                found |= set(lines_in(event))
    assert len(found) > 100 and found == LOGGED


def lines_in(event: ast.expr) -> Iterator[str]:
    match event:
        case ast.Constant(value=str(line)):
            yield line
        case ast.IfExp(body=one, orelse=other):
            yield from (*lines_in(one), *lines_in(other))
        case _:
            raise AssertionError(f"{ast.unparse(event)}: a line that nobody could know again")


def texts_in(tree: ast.AST) -> Iterator[str]:
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_both_languages_say_the_same_facts() -> None:
    for english, korean in KOREAN.items():
        assert placeholders(english) == placeholders(korean), english


def test_an_error_in_an_error_is_said_in_the_same_language() -> None:
    inner = Unavailable("no answer within {seconds:g} s", seconds=2.0)
    error = Broken("no guard server answers ({why}); start one: {start}", why=inner, start="vllm serve {model}")
    assert str(error) == "no guard server answers (no answer within 2 s); start one: vllm serve {model}"
    assert texts("en").why(error) == str(error)
    assert (
        texts("ko").why(error)
        == "판정기 서버가 응답하지 않습니다(2초 안에 답이 없었습니다). 켜는 명령: vllm serve {model}"
    )
    assert texts("ko").why("the guard is away") == "판정기가 응답하지 않습니다"
    assert texts("ko").why(Broken("이미 {있는} 말")) == "이미 {있는} 말"
