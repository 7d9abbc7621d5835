"""A message that a member points to -> judged once more, and a case on a card that says how many pointed to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef, Kind, Message
from bot.core.incidents.ports import Changed, Flags
from bot.core.incidents.review import Filed
from bot.core.moderation.ports import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagging:
    """Who pointed to it is told to nobody, and hears what came of it."""

    flags: Flags
    inbox: Inbox
    clock: Clock
    on_change: Changed | None = None

    async def flag(self, message: Message, by: str) -> Filed:
        """`message` as it stands there now: its words are the evidence, whatever its author does next."""
        if message.author.myself:
            return Filed.OURS
        filed, incident = await self.flags.add(message, by, at=self.clock.now())
        if filed in (Filed.TOO_MANY, Filed.TOO_MANY_TODAY):
            return filed
        if incident is None:
            # Also where they have done so before: whoever was stopped between the two goes on.
            await self.inbox.keep([_flagged(message)])
        elif filed is Filed.HEARD and self.on_change:
            self.on_change(message.community, incident)
        return filed

    async def untold(self, community: CommunityRef, incident_id: int) -> Sequence[tuple[int, str]]:
        """See `Flags.untold`."""
        return await self.flags.untold(community, incident_id)

    async def told(self, flag: int) -> None:
        """See `Flags.told`."""
        await self.flags.told(flag, at=self.clock.now())


def _flagged(message: Message) -> Message:
    """A revision of its own, the same whoever points to it; the platform counts its revisions from 0 upwards."""
    ref = replace(message.ref, revision=-1 - message.ref.revision)
    return replace(message, ref=ref, kind=Kind.EDIT, flagged=True, more_to_come=False)
