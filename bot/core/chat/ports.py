"""What a chat network is to us before anything is decided.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.core.chat.message import Author, CommunityRef, Message, Platform


@dataclass(frozen=True, slots=True)
class Connection:
    """`is_up`: what is said there is heard now. `communities`: how many the bot is in; None: the platform does not
    say."""

    is_up: bool
    communities: int | None = None


class MessageSource(Protocol):
    """Where messages come from."""

    platform: Platform

    @property
    def connection(self) -> Connection:
        """As it is at this moment."""
        ...

    def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        """Yield what has arrived, in order, in batches as they come. Asking for the next batch says that the
        last one is kept: only then may the platform be told that we have it. Closing this says nothing about it."""
        ...

    async def meet(self, message: Message) -> Author:
        """Who wrote a message, as the platform knows them now: asked where an author is `unmet`, before anything is
        done about the message. May take a moment: those asked about together are asked about at once."""
        ...

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        """What is still in mind of what people said, of those whose ids these are, and what was posted with names of
        their community. Returns at once."""
        ...


class Announcer(Protocol):
    """Where moderators are told what befalls the bot itself."""

    async def announce(self, channel_id: str, text: str) -> None:
        """Write to a moderators' channel. One that does not exist or may not be written to is passed over."""
        ...


class Bookmarks(Protocol):
    """How far a platform has been read, for a process that starts after another has died."""

    async def place(self, name: str) -> str | None: ...

    async def within(self, name: str) -> Mapping[str, str]:
        """The places of all whose name begins with `name` and a slash, by what comes after it."""
        ...

    async def put(self, name: str, place: str) -> None: ...

    async def put_all(self, places: Mapping[str, str | None]) -> None:
        """By name, all or nothing; None takes one away."""
        ...
