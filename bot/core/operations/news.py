"""What is otherwise since the version before -> moderators are told, once."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from bot.core.base.clock import Clock
from bot.core.base.waiting import patiently
from bot.core.chat.message import Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.operations.alarm import Sentence
from bot.core.text.catalogue import Texts

LOOK = 10.0  # seconds between two looks at where this process is connected
PLACE = "news"  # the bookmark of each platform: the changes that its moderators know of


class Tell(Protocol):
    """See `Alarm.tell`."""

    def __call__(self, sentence: Sentence, among: Collection[Platform]) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """`changes`: a name without spaces -> what is said of it, to those whom it concerns. A process that dies while it
    tells begins anew."""

    changes: Mapping[str, Sentence]
    platforms: Collection[Platform]
    tell: Tell
    bookmarks: Bookmarks
    clock: Clock
    _known: set[Platform] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled: another process may have been connected until now."""
        while True:
            await self.look()
            await self.clock.sleep(LOOK)

    async def look(self) -> None:
        for platform in [one for one in self.platforms if one not in self._known]:
            name = f"{PLACE}/{platform}"
            known = (await patiently(partial(self.bookmarks.place, name), self.clock) or "").split()
            if unknown := [change for change in self.changes if change not in known]:
                await self.tell(partial(self._said, unknown), {platform})
                await patiently(partial(self.bookmarks.put, name, " ".join([*known, *unknown])), self.clock)
            self._known.add(platform)

    def _said(self, unknown: Collection[str], community: Community, say: Texts) -> str:
        lines = [line for change in unknown if (line := self.changes[change](community, say))]
        return "\n".join([say["alarm.news"], *lines]) if lines else ""
