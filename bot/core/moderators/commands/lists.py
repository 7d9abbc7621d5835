"""What a community forbids and allows by lists of its own."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import Annotated

from bot.core.chat.links import place_of
from bot.core.chat.message import Message
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.moderators.answer import Lines, Said, said
from bot.core.moderators.argument import Suggested, Switch, Text
from bot.core.moderators.command import Answer, Asked, Command, Seen, Usage
from bot.core.moderators.ports import Desk
from bot.core.rules.lists import MOST, Lists
from bot.core.rules.policy import Watch
from bot.core.text.words import initials, objection

MOST_SHOWN = 600  # characters of one list in an answer
LONGEST_LINK = 100  # characters of one that is listed: no network takes longer ones in a choice
MOST_REFUSED = 5  # entries of which it is said why they are not taken

_BETWEEN = re.compile(r"[,\n]")


@dataclass(frozen=True)
class Forbid(Command, name="forbid", right=Right.MANAGE, also=("금지어",)):
    """Words and links that are deleted here, from the next message on; with `initials` words also as their bare
    consonants, with `trial` only recorded. Of a message that is answered, its words."""

    words: Annotated[str | None, Text(lines=True)] = None
    initials: Annotated[bool, Switch(by_name=True)] = False
    trial: Annotated[bool, Switch(by_name=True)] = False
    target: Message | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        typed = self.words or (self.target.text if self.target else "")
        entries = list(_entries(typed))
        if self.initials:
            entries += [short for word in entries if (short := initials(word))]
        if not entries:
            return Usage(type(self))
        if self.trial:
            words = [entry for entry in entries if not place_of(entry)]
            tried = await _add_each(asked, desk, words, "tried_words", "forbidden_words")
            return Lines.of(*tried) if words else Usage(type(self))
        told = await _add(asked, desk, entries, "forbidden", "allowed")
        watching = desk.policy(asked.message("")).mode is Watch.WATCH
        return Lines.of(*told, said("lists.watching") if watching else None)


@dataclass(frozen=True)
class Allow(Command, name="allow", right=Right.MANAGE, also=("허용어",)):
    """Words, such as a game's or a member's name, in which no rule finds anything, and links that are none to any."""

    words: Annotated[str | None, Text(lines=True)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if not (entries := list(_entries(self.words or ""))):
            return Usage(type(self))
        return Lines.of(*await _add(asked, desk, entries, "allowed", "forbidden"))


def _listed(asked: Asked, desk: Desk) -> Mapping[str, str]:
    """Everything that stands in a list."""
    return {entry: entry for _, entries in desk.community(asked.community).lists for entry in entries}


@dataclass(frozen=True)
class Unlist(Command, name="unlist", right=Right.MANAGE):
    """Take an entry off the list in which it stands."""

    entry: Annotated[str, Suggested(_listed)]

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        entry, was_there = self.entry.strip(), False
        entry = place_of(entry) or entry

        def edit(now: Community) -> Community:
            nonlocal was_there
            was_there = any(entry in entries for _, entries in now.lists)
            return replace(now, lists=_without(now.lists, {entry}))

        await asked.change(desk, edit)
        return Lines.of(said("lists.unlisted" if was_there else "lists.unknown", entry=entry))


@dataclass(frozen=True)
class ShowLists(Command, name="lists", right=Right.REVIEW, seen=Seen.MODERATORS):
    """What stands in the lists."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        lists = desk.community(asked.community).lists
        if not any(entries for _, entries in lists):
            return Lines.of(said("lists.nothing", command=Forbid))
        return Lines.of(*(_line(name, entries) for name, entries in lists if entries))


def _entries(typed: str) -> Iterator[str]:
    """What was written between commas and line breaks, once each."""
    words = (" ".join(word.split()) for word in _BETWEEN.split(typed))
    yield from dict.fromkeys(filter(None, words))


async def _add(asked: Asked, desk: Desk, entries: Iterable[str], to: str, from_: str) -> list[Said]:
    """To the lists of what is `to`, the words to that of words and the links to that of links; what came of it."""
    links = {entry: place for entry in entries if (place := place_of(entry))}
    told: list[Said] = []
    for what, given in (("words", [one for one in entries if one not in links]), ("links", [*links.values()])):
        told += await _add_each(asked, desk, given, f"{to}_{what}", f"{from_}_{what}") if given else ()
    return told


async def _add_each(asked: Asked, desk: Desk, entries: list[str], to: str, from_: str) -> list[Said]:
    refused = {entry: why for entry in entries if (why := _objection(entry, to))}
    added, there, left = list[str](), list[str](), list[str]()

    def edit(now: Community) -> Community:
        had = getattr(now.lists, to)
        known = set(had)
        new = [entry for entry in dict.fromkeys(entries) if entry not in refused and entry not in known]
        fitting = max(0, MOST - len(had))
        added[:], left[:] = new[:fitting], new[fitting:]
        there[:] = [entry for entry in entries if entry in known]
        return replace(
            now, lists=replace(_without(now.lists, set(added), from_, "tried_words"), **{to: (*had, *added)})
        )

    await asked.change(desk, edit)
    told = [said(f"lists.added_{to}", words=_shown(added), command=Forbid)] if added else []
    told += [said("lists.there", words=_shown(there))] if there else []
    told += [said("lists.full", words=_shown(left), most=MOST)] if left else []
    reasons = [*refused.items()][:MOST_REFUSED]
    return [*told, *(said("lists.refused", word=word, why=said(f"word.{code}")) for word, code in reasons)]


def _objection(entry: str, to: str) -> str | None:
    if to.endswith("_words"):
        return objection(entry)
    return "long_link" if len(entry) > LONGEST_LINK else None


def _without(lists: Lists, entries: set[str], *names: str) -> Lists:
    """`names`: of the lists that are meant; none: all."""
    return replace(
        lists,
        **{
            name: tuple(entry for entry in had if entry not in entries)
            for name, had in lists
            if not names or name in names
        },
    )


def _line(name: str, entries: tuple[str, ...]) -> Said:
    return said("lists.line", label=f"lists.{name}", count=len(entries), words=_shown(entries))


def _shown(entries: Iterable[str]) -> Said:
    """As many of them as people read."""
    entries = tuple(entries)
    fit = len(list(takewhile(lambda size: size <= MOST_SHOWN, accumulate(len(entry) + 2 for entry in entries))))
    if fit == len(entries):
        return said("lists.words", words=entries)
    return said("lists.and_more", words=entries[:fit], count=len(entries) - fit)
