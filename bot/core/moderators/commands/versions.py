"""A community's policy as a whole: what it was before, as a file, compared, taken in, and taken back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

from bot.core.chat.post import Attachment
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.communities.journal import AuditEntry, amendments
from bot.core.communities.ports import Unfit
from bot.core.communities.versions import Version, is_versioned, only_policy, with_policy
from bot.core.moderators.answer import File, Handed, Lines, Said, said
from bot.core.moderators.argument import LARGEST_FILE, Number, Text
from bot.core.moderators.command import Answer, Asked, Command, Seen, Usage
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts

FILE = "jikimi-policy.toml"
MOST_SHOWN, MOST_CHANGES = 10, 20  # versions, and changes of one


@dataclass(frozen=True)
class PolicyVersions(Command, name="policy_versions", right=Right.REVIEW, seen=Seen.MODERATORS, group="policy"):
    """Who has changed the policy, when, and what in it."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        versions = await desk.versions(asked.community)
        if not versions:
            return Lines.of(said("policy.unchanged"))
        changes = [_line(after, before) for after, before in pairwise(versions[: MOST_SHOWN + 1])]
        return Lines.of(*changes, said("policy.how_back", command=PolicyRollback))


@dataclass(frozen=True)
class PolicyRollback(Command, name="policy_rollback", right=Right.MANAGE, group="policy"):
    """The policy is again as it was in an earlier version, and that is a version, too."""

    number: Annotated[int, Number(1, 2**53 - 1)]

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = next((one for one in await desk.versions(asked.community) if one.number == self.number), None)
        if found is None:
            return Lines.of(said("policy.no_version", number=self.number))
        return Lines.of(*await _put(asked, desk, found.policy, own=True))


@dataclass(frozen=True)
class PolicyExport(Command, name="policy_export", right=Right.MANAGE, seen=Seen.MODERATORS, group="policy"):
    """The policy as a TOML file, to be kept, changed, and taken in here or by another community."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        policy = only_policy(desk.community(asked.community))
        written = await asyncio.to_thread(desk.policy_files.written, policy)
        file = Attachment(name=FILE, content=written.encode(), description=FILE)
        return Handed(Lines.of(said("policy.exported", command=PolicyImport)), file, alone=False)


@dataclass(frozen=True)
class PolicyCompare(Command, name="policy_compare", right=Right.MANAGE, seen=Seen.MODERATORS, group="policy"):
    """What a file would change. Nothing is changed."""

    toml: Annotated[str | None, Text(lines=True)] = None
    file: File | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        policy = await _read(asked, desk, self.toml, self.file)
        if not isinstance(policy, Community):
            return policy or Usage(type(self))
        now, own = desk.community(asked.community), policy.ref == asked.community
        return Lines.of(*_changes(asked, now, with_policy(now, policy, own=own)), _whose(own))


@dataclass(frozen=True)
class PolicyImport(Command, name="policy_import", right=Right.MANAGE, seen=Seen.MODERATORS, group="policy"):
    """The policy becomes what a file says, as a whole or not at all."""

    toml: Annotated[str | None, Text(lines=True)] = None
    file: File | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        policy = await _read(asked, desk, self.toml, self.file)
        if not isinstance(policy, Community):
            return policy or Usage(type(self))
        own = policy.ref == asked.community
        return Lines.of(*await _put(asked, desk, policy, own=own), _whose(own))


async def _read(asked: Asked, desk: Desk, toml: str | None, file: File | None) -> Community | Lines | None:
    """The policy, or why it is none; None: nothing was given."""
    content = file.content if file else toml.encode() if toml else None
    if content is None:
        return Lines.of(said("policy.too_large", most=LARGEST_FILE // 1024)) if file else None
    read = await asyncio.to_thread(desk.policy_files.read, content, texts(asked.language))
    return Lines.of(said("policy.unfit", why=read.why)) if isinstance(read, Unfit) else read


def _whose(own: bool) -> Said | None:
    """Places, roles and people of another community are none here."""
    return None if own else said("policy.of_another")


async def _put(asked: Asked, desk: Desk, policy: Community, *, own: bool) -> Sequence[Said]:
    """What it changes is told of what was stored in the moment of the change, whoever else has changed it."""
    changes: Sequence[Said] = ()

    def edit(now: Community) -> Community:
        nonlocal changes
        after = with_policy(now, policy, own=own)
        changes = _changes(asked, now, after)
        return after

    before = desk.community(asked.community)
    after = await asked.change(desk, edit)
    if not is_versioned(before, after):
        return changes
    return *changes, said("policy.undo", command=PolicyVersions)


def _changes(asked: Asked, before: Community, after: Community) -> Sequence[Said]:
    changed = amendments(replace(before, name=after.name), after, by=asked.by.name, at=asked.at)
    if not changed:
        return [said("policy.same")]
    left = [said("policy.more", count=len(changed) - MOST_CHANGES)] if len(changed) > MOST_CHANGES else []
    return [*(said("policy.change", change=one) for one in changed[:MOST_CHANGES]), *left]


def _line(after: Version, before: Version) -> Said:
    changed = amendments(before.policy, after.policy, by=after.by, at=after.at)
    return said("policy.version", number=after.number, at=after.at, by=after.by or "-", changes=_shortly(changed))


def _shortly(changed: Sequence[AuditEntry]) -> object:
    return tuple(changed) if len(changed) <= 3 else said("policy.several", first=changed[0], count=len(changed) - 1)
