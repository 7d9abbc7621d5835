"""A community or a member asks to be forgotten -> at once, everywhere."""

from typing import Protocol

from bot.core.chat.message import CommunityRef


class Erasing(Protocol):
    async def erase_community(self, community: CommunityRef) -> int:
        """Everything of it. Returns how many rows that were."""
        ...

    async def erase_member(self, community: CommunityRef, member: str) -> int:
        """The words, name and id of a member, everywhere. What counts against them stays, under a keyed hash: nobody
        gets rid of that by being erased. Returns how many rows that were."""
        ...
