"""What communities have set and who changed it, in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.communities.community import Community
from bot.core.communities.journal import AuditEntry, Outage, amendments
from bot.core.communities.ports import Changes
from bot.core.communities.versions import MOST, Version, is_versioned, only_policy
from tests.fakes.operations import MemoryApiKeys
from tests.fakes.record import Record
from tests.fakes.reporting import MemoryDeliveries


class MemoryJournal:
    def __init__(self) -> None:
        self.away: list[Outage] = []
        self.told: set[tuple[datetime, str, Platform]] = set()
        self.amended: dict[CommunityRef, list[AuditEntry]] = {}

    async def guard_went(self, since: datetime) -> datetime:
        if not await self.guard_is_away():
            self.away.append(Outage(since))
        return min(outage.begin for outage in self.away if outage.end is None)

    async def guard_came_back(self, at: datetime) -> datetime | None:
        self.away = [outage if outage.end else replace(outage, end=at) for outage in self.away]
        return max((outage.begin for outage in self.away), default=None)

    async def is_first_to_tell(self, began: datetime, word: str, platform: Platform) -> bool:
        telling = (began, word, platform)
        is_first = telling not in self.told
        self.told.add(telling)
        return is_first

    async def guard_is_away(self) -> bool:
        return any(outage.end is None for outage in self.away)

    async def outages(self, start: datetime, end: datetime) -> Sequence[Outage]:
        return [outage for outage in self.away if outage.begin < end and (outage.end is None or outage.end > start)]

    async def amendments(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[AuditEntry]:
        theirs = self.amended.get(community, [])
        return sorted((one for one in theirs if start <= one.at < end), key=lambda one: one.at)


class MemoryCommunities:
    def __init__(
        self, store: Record, journal: MemoryJournal, keys: MemoryApiKeys, deliveries: MemoryDeliveries
    ) -> None:
        self.store, self.journal, self.keys, self.deliveries = store, journal, keys, deliveries
        self.settings: dict[CommunityRef, Community] = {}
        self.version = 0
        self.noted: dict[CommunityRef, list[Version]] = {}

    async def all(self) -> Sequence[Community]:
        return [community for _, community in sorted(self.settings.items())]

    async def refs(self) -> Collection[CommunityRef]:
        return set(self.settings)

    async def since(self, version: int) -> Changes:
        newer = [community for community in self.settings.values() if community.version > version]
        return Changes(sorted(newer, key=lambda community: community.version), len(self.settings))

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        before = self.settings.get(community, Community.blank(community))
        after = replace(edit(before), platform=community.platform, id=community.id)
        if after == before:
            return before
        made = amendments(before, after, by=by, at=self.store.clock.now())
        self.journal.amended.setdefault(community, []).extend(made)
        if is_versioned(before, after):
            noted, at = self.noted.setdefault(community, []), self.store.clock.now()
            for by_, policy in [("", before)] * (not noted) + [(by, after)]:
                number = noted[-1].number + 1 if noted else 1
                noted.append(Version(number=number, at=at, by=by_, policy=only_policy(policy)))
            del noted[:-MOST]
        self.version += 1
        self.settings[community] = replace(after, version=self.version)
        return self.settings[community]

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        return self.noted.get(community, [])[::-1]

    async def move(self, community: CommunityRef, new_id: str) -> None:
        old, new = community, replace(community, id=new_id)

        def moved(message: Message) -> Message:
            return replace(message, community_id=new_id) if message.community == old else message

        store = self.store
        store.messages = {ref: moved(message) for ref, message in store.messages.items()}
        store.opened = {
            ref: replace(opened, decision=replace(opened.decision, message=moved(opened.decision.message)))
            for ref, opened in store.opened.items()
        }
        for action in store.actions.values():
            action.planned = replace(action.planned, message=moved(action.planned.message))
        for id_, robot in store.bots.pop(old, {}).items():
            known = store.bots.setdefault(new, {}).get(id_, Bot(id=id_))
            store.bots[new][id_] = replace(
                robot,
                messages=robot.messages + known.messages,
                answers=robot.answers + known.answers,
                prose=robot.prose + known.prose,
            )
        for community, author in [member for member in store.members if member[0] == old]:
            store.members[new, author] = store.members.pop((community, author))
        for version in self.noted.pop(old, []):
            theirs = self.noted.setdefault(new, [])
            number = theirs[-1].number + 1 if theirs else 1
            theirs.append(replace(version, number=number, policy=version.policy.moved(old, new.id)))
        amended = self.journal.amended
        amended.setdefault(new, []).extend(amended.pop(old, []))
        for key in [key for key in self.keys.keys.values() if key.community == old]:
            self.keys.keys[key.id] = replace(key, community=new)
        for number, one in self.deliveries.all.items():
            if one.community == old:
                self.deliveries.all[number] = replace(one, community=new)
        self.version += 1
        for ref, settings in list(self.settings.items()):
            other = settings.moved(old, new.id)
            if other != settings:
                del self.settings[ref]
                self.settings.setdefault(other.ref, replace(other, version=self.version))
