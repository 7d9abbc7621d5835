"""A chat command, declared once: what it is called, what it is given, whom it takes, and what it does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, TypeAlias

from bot.core.chat.message import Author, CommunityRef, Message, MessageRef
from bot.core.chat.post import Post
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.moderators.answer import Found, Handed, Lines, Member, Offer, Proposal
from bot.core.moderators.permissions import needed
from bot.core.moderators.ports import Desk, Host


class Seen(StrEnum):
    """Who is to see the answer, where others might."""

    ANYBODY = "anybody"
    ASKER = "asker"
    MODERATORS = "moderators"  # it is refused in front of members


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, about which community, and where."""

    community: CommunityRef
    community_name: str  # "": the network does not say here
    by: Member
    rights: frozenset[Right]
    at: datetime
    sent_at: datetime  # by the network's clock: the same however often it is delivered
    channel_id: str
    is_apart: bool  # only moderators will see the answer
    host: Host
    language: str = "ko"  # in which whoever asks reads
    part: str = ""  # of the community, where it was asked in one that cannot be chosen (a topic)

    def message(self, text: str) -> Message:
        """A text as if an ordinary member had said it here."""
        return Message(
            ref=MessageRef(self.community.platform, self.channel_id, "0"),
            community_id=self.community.id,
            author=Author(id="0"),
            sent_at=self.at,
            text=text,
        )

    async def change(self, desk: Desk, edit: Callable[[Community], Community]) -> Community:
        """In the asker's name."""
        return await desk.change(
            self.community, lambda now: replace(edit(now), name=self.community_name or now.name), by=self.by.name
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What was given makes no command: how it is written."""

    command: "type[Command]"


Answer: TypeAlias = Lines | Usage | Found | Post | Offer | Handed | Proposal


class Command:
    """What every command says of itself, in the line of its class:

    - `name`: by which the texts know it. `command.NAME` is what people type, `command.NAME_does` what menus say about
      it, `usage.NAME` how it is written where that is not plain; with a target `command.NAME_menu` is its entry in the
      menu of a message, with a text of several lines `command.NAME_window` the window for it.
    - `right`: what it takes; None: anybody may.
    - `seen`: who sees the answer.
    - `filters`: it is about the network's own filter, and offered only where there is one.
    - `doors`: it is about who comes in, and offered only where the network leaves that to us.
    - `also`: what else people type for it. Where several commands begin alike, the first that can read what follows is
      meant.
    - `group`: the family that it belongs to, `command.GROUP` (`GROUP_does`) in the texts; it is typed behind that one's
      name. One whose own name begins with its group's is typed no other way.
    - `alone`: a network that puts the bot's name before commands leaves it away: people know this one from elsewhere.
    - `led`: a conversation of several steps (menus, windows), led by each network in its own way. All others `run`.

    Its fields are its arguments (`argument.py`), called `option.NAME` and described `option.NAME_is`; where another
    command describes one of that name in other words, `option.COMMAND_NAME_is`. docs/adding/command.md.
    """

    name: ClassVar[str]
    right: ClassVar[Right | None]
    seen: ClassVar[Seen]
    filters: ClassVar[bool]
    doors: ClassVar[bool]
    also: ClassVar[tuple[str, ...]]
    group: ClassVar[str]
    alone: ClassVar[bool]
    led: ClassVar[bool]

    def __init_subclass__(
        cls,
        *,
        name: str,
        right: Right | None,
        seen: Seen = Seen.ASKER,
        filters: bool = False,
        doors: bool = False,
        also: tuple[str, ...] = (),
        group: str = "",
        alone: bool = False,
        led: bool = False,
    ) -> None:
        cls.name, cls.right, cls.seen, cls.filters, cls.also = name, right, seen, filters, also
        cls.doors = doors
        cls.group, cls.alone, cls.led = group, alone or right is None, led

    @property
    def rights(self) -> frozenset[Right]:
        """What it takes with what it is given."""
        return needed(self.right)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        """Do it. Whoever asks has the rights; raises `BotError` where it cannot be done now."""
        raise NotImplementedError(f"{self.name} is led by each network")
