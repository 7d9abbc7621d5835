"""What somebody typed -> the command that they mean, with its arguments, for networks on which commands are words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any, TypeAlias

from bot.core.moderators.answer import Channel, Member
from bot.core.moderators.argument import (
    AChannel,
    Argument,
    Kind,
    Like,
    Number,
    OneOf,
    Someone,
    Span,
    Suggested,
    Switch,
    Text,
    arguments,
)
from bot.core.moderators.command import Command
from bot.core.text.catalogue import LANGUAGES, Texts, texts

ON, OFF = ("on", "켜기"), ("off", "끄기", "끝", "해제")
ME = ("me", "나")

MOST_WORDS = 8  # of what one of a few words is called

_WORDS = re.compile(r"\S+")
_WORD = re.compile(r"(\S+)\s*(.*)", re.DOTALL)
_NUMBER = re.compile(r"#?([0-9]{1,18}(?:\.[0-9]{1,6})?)(?::00|시)?")
_SPAN = re.compile(
    r"([0-9]{1,4})\s*(m(?:in(?:ute)?s?)?|h(?:ours?)?|d(?:ays?)?|분|시간?|일)(?:간|동안)?(?:\s+(.*))?",
    re.DOTALL | re.IGNORECASE,
)
_UNITS = {"m": "minutes", "분": "minutes", "h": "hours", "시": "hours", "d": "days", "일": "days"}
_MEMBER = re.compile(r"-?[0-9]{5,19}")
_CHANNEL = re.compile(r"-?[0-9]{5,18}|-[0-9]+")

#: Whose vocabulary is narrower is asked first.
_ORDER = (OneOf, Switch, Span, Like, Number, Someone, Suggested, AChannel, Text)

Read: TypeAlias = tuple[Any, str]  # a value, and what was written behind it
Suggestions: TypeAlias = Callable[[Suggested], Mapping[str, str]]


def names(command: type[Command]) -> frozenset[str]:
    """What it is called, in both languages, as far as it can be typed without its group."""
    called = (texts(language)[f"command.{command.name}"] for language in LANGUAGES)
    return frozenset({command.name}.union(() if _is_nameless(command) else called))


def phrases(command: type[Command]) -> tuple[str, ...]:
    """What else people type for it, of several words or one."""
    if not command.group:
        return command.also
    groups = {command.group, *(texts(language)[f"command.{command.group}"] for language in LANGUAGES)}
    called = {texts(language)[f"command.{command.name}"] for language in LANGUAGES}
    return (*command.also, *(f"{group} {name}" for group, name in product(sorted(groups), sorted(called))))


def as_typed(command: type[Command], say: Texts) -> str:
    """How it is called where commands are words."""
    name = say[f"command.{command.name}"]
    if _is_nameless(command):
        return f"{say[f'command.{command.group}']} {name}"
    return name if say.language == "ko" else command.name


def _is_nameless(command: type[Command]) -> bool:
    """Its own name says too little without that of its group."""
    return bool(command.group) and command.name.startswith(f"{command.group}_")


def meant(name: str, rest: str, table: Iterable[type[Command]]) -> Iterator[tuple[type[Command], str]]:
    """Which commands that may be, the likeliest first, each with the words that are left for its arguments."""
    table = tuple(table)
    known = [command for command in table if name in names(command)]
    yield from ((command, rest) for command in known)
    typed = f"{known[0].name if known else name} {rest}".strip()
    for command in table:
        for phrase in sorted(phrases(command), key=len, reverse=True):
            if typed == phrase or re.match(rf"{re.escape(phrase)}\s", typed):
                yield command, typed[len(phrase) :].strip()
                break


def read(
    command: type[Command], rest: str, known: Mapping[str, Any], suggestions: Suggestions, me: str = ""
) -> Command | None:
    """`known`: what the message says otherwise, as by what it answers; `me`: where who asks is written to in private.
    None: the words make no such command."""
    given = dict(known)
    open_ = [one for one in arguments(command) if one.name not in known and type(one.kind) in _ORDER]
    open_.sort(key=lambda one: _ORDER.index(type(one.kind)))
    has_text = any(isinstance(one.kind, Text) for one in open_)
    while match := _WORD.fullmatch(rest.strip()):
        word, after = match.groups()
        if (named := _named(word.lower(), open_)) and (found := _behind(named, after, suggestions, me)):
            argument, (value, rest) = named, found
        elif named and not has_text:
            rest = after
            continue
        else:
            for argument in open_:
                if not _has_to_be_named(argument.kind) and (
                    found := _take(argument.kind, rest.strip(), suggestions, me)
                ):
                    break
            else:
                return None
            value, rest = found
        given[argument.name] = value
        open_.remove(argument)
    return command(**given) if all(one.name in given for one in arguments(command) if one.is_needed) else None


def span(typed: str, kind: Span) -> timedelta | None:
    """A time as people write it: 30m, 2h, 3일."""
    found = _span(kind, typed.strip())
    return found[0] if found and not found[1] else None


def _named(word: str, open_: Iterable[Argument]) -> Argument | None:
    """The argument that is called by a word, or by its beginning."""
    if len(word) < 2:
        return None
    for one in open_:
        called = {one.name, *(texts(language)[f"option.{one.name}"] for language in LANGUAGES)}
        called.update(OFF if one.name in OFF else ())
        if not isinstance(one.kind, Text) and any(name.startswith(word) for name in called):
            return one
    return None


def _behind(named: Argument, after: str, suggestions: Suggestions, me: str) -> Read | None:
    """The value that stands behind an argument's name."""
    if isinstance(named.kind, Switch):
        return _take(named.kind, after, suggestions, me) or (True, after)
    return _take(named.kind, after, suggestions, me) if after else None


def _has_to_be_named(kind: Kind) -> bool:
    return isinstance(kind, Number | Switch) and kind.by_name


def _take(kind: Kind, rest: str, suggestions: Suggestions, me: str) -> Read | None:
    match = _WORD.fullmatch(rest)
    if match is None:
        return None
    word, after = match[1].lower(), match[2]
    value: Any = None
    match kind:
        case Text():
            return rest, ""
        case Span():
            return _span(kind, rest)
        case Switch():
            value = {**dict.fromkeys(ON, True), **dict.fromkeys(OFF, False)}.get(word)
        case Number():
            value = _number(kind, word)
        case OneOf():
            return _one_of(kind, rest)
        case Like():
            value = word if re.fullmatch(kind.expression, word) else None
        case Someone():
            value = Member(word) if _MEMBER.fullmatch(word) else None
        case Suggested():
            offered = suggestions(kind)
            if (whole := rest.strip()) in offered:  # of several words
                return whole, ""
            value = chosen(offered, match[1])
        case AChannel(to_write=True):
            if word in ME and me:
                value = Channel(me)
            elif _CHANNEL.fullmatch(word):
                value = Channel(word)
    return None if value is None else (value, after)


def _span(kind: Span, rest: str) -> Read | None:
    word, _, after = rest.partition(" ")
    if kind.off and word.lower() in OFF:
        return timedelta(), after
    if (found := _SPAN.fullmatch(rest)) is None:
        return None
    lasting = timedelta(**{_UNITS[found[2][0].lower()]: int(found[1])})
    return (min(lasting, kind.most), found[3] or "") if lasting or kind.off else None


def _number(kind: Number, word: str) -> float | None:
    if kind.off and word in OFF:
        return 0
    if (found := _NUMBER.fullmatch(word)) is None:
        return None
    number = float(found[1]) if isinstance(kind.least, float) else int(found[1]) if found[1].isdecimal() else -1
    return number if kind.least <= number <= kind.most else None


def _one_of(kind: OneOf, rest: str) -> Read | None:
    """By its own name, by what it is called on any network in either language, or by how one of these begins: "mon",
    "월"; of several words as many as fit, however they are spaced."""
    ends = [word.end() for word in _WORDS.finditer(rest)][:MOST_WORDS]
    if kind.or_like and re.fullmatch(kind.or_like, rest[: ends[0]], re.IGNORECASE):
        return rest[: ends[0]].upper(), rest[ends[0] :]
    typed = {end: _closed_up(rest[:end]) for end in reversed(ends)}
    off = OFF[:2] if "same" in kind.words else OFF  # 해제 of what is different might mean either
    switches = {ON[0]: ON, OFF[0]: off}
    called = {one: _called(f"{kind.family}{one}") | {one, *switches.get(one, ())} for one in kind.words}
    for (end, phrase), (one, names) in product(typed.items(), called.items()):
        if phrase in names:
            return one, rest[end:]
    for (end, phrase), (one, names) in product(typed.items(), called.items()):
        if (len(phrase) > 2 or not phrase.isascii()) and any(name.startswith(phrase) for name in names):
            return one, rest[end:]
    return None


@cache
def _called(key: str) -> frozenset[str]:
    pages = [texts(language).sentences for language in LANGUAGES]
    return frozenset(
        _closed_up(said) for page in pages for of, said in page.items() if of == key or of.endswith(f".{key}")
    )


def _closed_up(words: str) -> str:
    return "".join(words.lower().split())


def chosen(offered: Mapping[str, str], word: str) -> str:
    """One of what is offered by value and name: by its place in the list, by what it is called, or as it is written."""
    values = list(offered)
    if word.isdecimal() and len(word) <= 3 and 1 <= int(word) <= len(values):
        return values[int(word) - 1]
    word = word.strip()
    return next((value for value, name in offered.items() if word in (value, name, *name.split())), word)
