"""A chat network as its package declares it: its section of a configuration -> a connection, and how a bot gets there.

Whatever must know the networks derives it from here: the section and its checks, what is connected, `jikimi invite`,
what a key may be for. docs/adding/platform.md.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar

from bot.core.base.clock import Clock
from bot.core.chat.message import Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.moderation.ports import Inbox
from bot.core.moderators.ports import ChatPlatform, Desk
from bot.core.operations.outside.checkup import Found
from bot.core.operations.outside.selftest import Ask, Tried
from bot.core.text.catalogue import Texts

#: What a field may hold, beside `str`, `int`, `bool`, `timedelta` and tuples of the first two.
Address = Annotated[str, "http(s)://…"]
Count = Annotated[int, "0 or more"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a connection works with. `say` speaks to whoever runs the bot. Not `hears`: everything goes over REST, and
    nothing ever comes. `among`: how many processes use a network's token now, and divide its limits."""

    desk: Desk
    inbox: Inbox
    bookmarks: Bookmarks
    clock: Clock
    say: Texts
    hears: bool = True
    among: Callable[[Platform], int] = lambda _: 1


@dataclass(frozen=True, kw_only=True)
class Network(ABC):
    """`platform` names the network everywhere: in the database, as its section of a configuration, and before the
    sentences that are its own (`title`: what people call it; `steps`: how its bot is made).

    Its fields are the keys of that section; each has a default, and below it what it means. What may hold a password
    has no repr, and is shown nowhere. Vendor libraries are imported when they are needed: in the methods."""

    platform: ClassVar[Platform]

    token: str = field(default="", repr=False)
    """The bot's token; empty: the network is off. JIKIMI_<SECTION>_TOKEN goes before it."""

    def __init_subclass__(cls, *, platform: Platform) -> None:
        cls.platform = platform

    @property
    def is_on(self) -> bool:
        return bool(self.token)

    def objection(self, say: Texts) -> str | None:
        """Why what is configured cannot work together; None: it can."""
        return None

    @property
    def looks_up(self) -> tuple[str, ...]:
        """The hosts of public lists that hear the numbers of members who come in, where a community wants that."""
        return ()

    @abstractmethod
    def connect(self, context: Context) -> ChatPlatform:
        """Nothing is asked of the network yet. Raises `Broken` where what is configured cannot work."""

    def steps(self, say: Texts) -> str:
        """How a bot is made there and brought into a community, for people to follow."""
        return say[f"{self.platform}.steps"]

    @abstractmethod
    async def link(self, say: Texts, bot: str = "") -> str:
        """What brings the bot into a community, with the rights that it needs. `bot`: as the network tells bots apart;
        "": the network is asked whose token it is. Raises `Broken` and `Unavailable`."""

    @staticmethod
    @abstractmethod
    def address(community: str, channel: str, message: str) -> str:
        """Where a message opens, for those who may read it; "": nowhere. Of what is on record, whatever it is."""

    @abstractmethod
    def examine(self, communities: Sequence[Community], say: Texts) -> AsyncIterator[Found]:
        """Whether the network takes the token, lets the bot hear, and gives it the rights it needs in each of these and
        wherever else it is; asks it, and changes nothing. Raises nothing."""

    @abstractmethod
    async def time(self) -> datetime | None:
        """What time it is there; None: it does not say."""

    @abstractmethod
    def selftest(self, community: str, ask: Ask, say: Texts) -> AsyncIterator[Tried]:
        """What is said of the network and nobody has confirmed, tried in a community of the operator's own, which has
        nobody else in it. Raises `Broken` and `Unavailable`."""
