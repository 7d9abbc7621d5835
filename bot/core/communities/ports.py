"""Where settings are kept, and what befell the bot.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from bot.core.chat.message import CommunityRef, Platform
from bot.core.communities.community import Community
from bot.core.communities.journal import AuditEntry, Outage
from bot.core.communities.versions import Version
from bot.core.text.catalogue import Texts


class Changes(NamedTuple):
    """What became of settings: those stored since then, in order, and how many communities have settings now."""

    communities: Sequence[Community]
    number: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a file is no policy, in words."""

    why: str


class PolicyFiles(Protocol):
    """Policies as files that people keep, compare and hand on."""

    def written(self, policy: Community) -> str:
        """Reads back as the same policy."""
        ...

    def read(self, content: bytes, say: Texts) -> Community | Unfit:
        """A policy under the name of the community of which it was written, and nothing set besides; or why it is
        none. Takes up to a second."""
        ...


class Communities(Protocol):
    """What communities have set."""

    async def all(self) -> Sequence[Community]: ...

    async def refs(self) -> Collection[CommunityRef]:
        """Of all, and nothing that they have set."""
        ...

    async def since(self, version: int) -> Changes:
        """What was stored after this version, the newest last; after 0: everything."""
        ...

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        """Store what `edit` makes of the settings that are stored now (empty ones where there are none), in the
        transaction that reads them: of two changes at a time, neither undoes the other. Their version counts up over
        all communities, and what changed is noted in the journal. `by` is the name of who changed it, empty for the
        bot itself. Where nothing changes, nothing is written. Returns what is stored then."""
        ...

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        """What its policy was after each change of it, the newest first, `versions.MOST` at most; where there is one,
        the last stands for what it was before. Written with the change."""
        ...

    async def move(self, community: CommunityRef, new_id: str) -> None:
        """A community has a new id (a Telegram group became a supergroup): settings, messages, incidents, journal and
        everything planned follow, in one transaction, and so does what any community's settings say about a channel
        of that id; repeating it changes nothing. Messages keep their refs: they were sent where they were sent."""
        ...


class Owners(Protocol):
    """Whom a network names as the owners of its communities."""

    async def owner(self, community: CommunityRef) -> str | None:
        """By the network's id, as it is now; None: it does not say."""
        ...


class Journal(Protocol):
    """What befell the bot itself. Changes of settings come in through `Communities.change`."""

    async def guard_went(self, since: datetime) -> datetime:
        """The guard is away. Changes nothing while it is on record as away. Returns since when it is."""
        ...

    async def guard_came_back(self, at: datetime) -> datetime | None:
        """Returns since when it had been away, whoever wrote down that it is back; None: it never was."""
        ...

    async def is_first_to_tell(self, began: datetime, word: str, platform: Platform) -> bool:
        """Whether nobody has asked this before: of several processes, one tells people about an outage."""
        ...

    async def guard_is_away(self) -> bool:
        """Whether the last that was written down is that it went; a process that died cannot have seen it return."""
        ...

    async def outages(self, start: datetime, end: datetime) -> Sequence[Outage]:
        """Those that were going on at some moment in start <= t < end, whole, oldest first."""
        ...

    async def amendments(self, community: CommunityRef, start: datetime, end: datetime) -> Sequence[AuditEntry]:
        """Settings that a community changed in start <= t < end, oldest first."""
        ...
