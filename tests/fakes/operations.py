"""API keys and shares in memory, and what is on record of people, by a script."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.base.errors import BotError
from bot.core.chat.message import CommunityRef, Platform
from bot.core.operations.division import PARTS, Taking
from bot.core.operations.erasing import Erased, Receipt
from bot.core.operations.keys import ApiKey
from bot.core.operations.privacy import Dossier, Privacy
from bot.core.operations.retention import Limits
from tests.builders import NOW
from tests.fakes.clock import ManualClock


class Work:
    """What processes share out: who takes part, and who has what under which epoch."""

    def __init__(self) -> None:
        self.part: set[int] = set()
        self.held: dict[int, tuple[int, int]] = {}  # by share, the process and the epoch


class MemoryShares:
    parts = PARTS

    def __init__(self, work: Work, me: int = 1) -> None:
        self.work, self.me = work, me
        self.refused = 0
        self.begun: set[int] = set()

    async def look(self, *, joins: bool = True) -> Taking:
        if joins:
            self.work.part.add(self.me)
        held = {share: holder for share, (holder, _) in self.work.held.items() if holder in self.work.part}
        return Taking(self.me, set(self.work.part), held)

    async def take(self, wanted: Collection[int]) -> Collection[int]:
        others = self.work.part - {self.me}
        free = [share for share in wanted if self.work.held.get(share, (0, 0))[0] not in others]
        for share in free:
            self.work.held[share] = (self.me, self.work.held.get(share, (0, 0))[1] + 1)
        return free

    def begin(self, taken: Collection[int]) -> None:
        self.begun.update(taken)

    def end(self, shares: Collection[int]) -> None:
        self.begun.difference_update(shares)

    async def give_back(self, shares: Collection[int]) -> None:
        for share, (holder, epoch) in self.work.held.items():
            if holder == self.me and share in shares:
                self.work.held[share] = (0, epoch)

    async def leave(self) -> None:
        self.begun.clear()
        await self.give_back(range(self.parts))
        self.work.part.discard(self.me)

    async def communities(self, shares: Collection[int]) -> Collection[CommunityRef]:
        return ()

    def stake(self, share: int) -> tuple[int, int]:
        return share, self.work.held.get(share, (0, 0))[1]

    def stands(self, stake: tuple[int, int] | None) -> bool:
        stands = stake is not None and self.work.held.get(stake[0]) == (self.me, stake[1])
        self.refused += not stands
        return stands


class MemoryApiKeys:
    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.trouble: BotError | None = None

    async def all(self) -> Sequence[ApiKey]:
        if self.trouble:
            raise self.trouble
        return sorted(self.keys.values(), key=lambda key: (key.created_at, key.id))

    async def add(self, key: ApiKey) -> None:
        self.keys[key.id] = key

    async def revoke(self, key_id: str, at: datetime) -> bool:
        key = self.keys.get(key_id)
        if key is None or key.revoked_at:
            return False
        self.keys[key_id] = replace(key, revoked_at=at)
        return True

    async def replace(self, key_id: str, successor: ApiKey, until: datetime) -> bool:
        key = self.keys.get(key_id)
        if key is None or key.revoked_at:
            return False
        self.keys[key_id] = replace(key, expires_at=min(key.expires_at or until, until))
        self.keys[successor.id] = successor
        return True

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        for key_id, at in uses.items():
            if (key := self.keys.get(key_id)) and (key.used_at is None or key.used_at < at):
                self.keys[key_id] = replace(key, used_at=at)


class ScriptedPeople:
    """What is on record of whom, and its erasing: by community and member. What is erased is gone from it."""

    def __init__(self) -> None:
        self.dossiers: dict[tuple[CommunityRef, str], Dossier] = {}
        self.trouble: BotError | None = None
        self.erased: list[tuple[datetime, Erased]] = []

    async def places(self, platform: Platform, member: str) -> Sequence[CommunityRef]:
        if self.trouble:
            raise self.trouble
        return sorted(place for place, who in self.dossiers if (place.platform, who) == (platform, member))

    async def sent(self, community: CommunityRef, member: str, channel: str, *, most: int) -> Sequence[str]:
        return ()

    async def of_member(self, community: CommunityRef, member: str) -> Dossier:
        return self.dossiers.get((community, member), Dossier(community=community))

    async def erase_member(self, community: CommunityRef, member: str) -> Receipt | None:
        if not self._knows(community):
            return None
        gone = self.dossiers.pop((community, member), None)
        return self._done(community, lambda who: who == member, 0 if gone is None else 1)

    async def erase_community(self, community: CommunityRef) -> Receipt | None:
        if not self._knows(community):
            return None
        theirs = [key for key in self.dossiers if key[0] == community]
        for key in theirs:
            del self.dossiers[key]
        self.erased = [(at, one) for at, one in self.erased if one.community != community]
        return self._done(community, lambda who: True, len(theirs))

    async def go_on(self) -> int:
        return 0

    async def since(self, moment: datetime) -> Sequence[Erased]:
        return [one for at, one in self.erased if at >= moment]

    def _knows(self, community: CommunityRef) -> bool:
        """Whether anybody has ever been there, and it was not erased since."""
        heard = any(one.community == community and not one.is_theirs("") for _, one in self.erased)
        return heard or any(place == community for place, _ in self.dossiers)

    def _done(self, community: CommunityRef, is_theirs: Callable[[str], bool], rows: int) -> Receipt:
        self.erased.append((NOW, Erased(receipt=f"{len(self.erased)}", community=community, is_theirs=is_theirs)))
        return Receipt(code="RECEIPT", at=NOW, rows=rows)


def scripted_privacy(people: ScriptedPeople | None = None) -> Privacy:
    people = people or ScriptedPeople()
    return Privacy(people=people, erasing=people, limits=Limits(), clock=ManualClock())
