"""What Telegram tells of who asks, comes and goes -> what is done about it at the door, each beside all other work."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from typing import Any

from telegram import ChatMemberUpdated, Message, Update

from adapters.chat.telegram.acting.executor import Executor
from adapters.chat.telegram.acting.tidying import Tidying, is_notice
from adapters.chat.telegram.joining.cas import Cas
from adapters.chat.telegram.joining.gate import Gate
from adapters.chat.telegram.joining.newcomers import Newcomers
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.receiving.joins import is_in
from adapters.chat.telegram.refs import group_ref
from bot.core.chat import message as chat
from bot.core.chat.message import Author, CommunityRef, MessageRef
from bot.core.communities.community import Tidied
from bot.core.incidents.case import Person
from bot.core.incidents.elsewhere.blocklists import Blocklists


@dataclass(slots=True)
class Door:
    """With the hands of the executor."""

    executor: InitVar[Executor]
    rooms: InitVar[Rooms]
    blocklist: InitVar[str]  # its address; empty: none
    announce: InitVar[Callable[[str, str], Awaitable[None]]]
    gate: Gate = field(init=False)
    newcomers: Newcomers = field(init=False)
    tidying: Tidying = field(init=False)
    cas: Cas | None = field(init=False, default=None)
    lists: Blocklists | None = field(init=False, default=None)

    def __post_init__(
        self, hands: Executor, rooms: Rooms, blocklist: str, announce: Callable[[str, str], Awaitable[None]]
    ) -> None:
        bot, limiter, desk, clock, complain = hands.bot, hands.limiter, hands.desk, hands.clock, hands.complain
        self.gate = Gate(bot=bot, limiter=limiter, rooms=rooms, desk=desk, clock=clock, complain=complain)
        self.newcomers = Newcomers(
            bot=bot, limiter=limiter, members=hands.members, desk=desk, clock=clock, complain=complain
        )
        self.tidying = Tidying(desk=desk, deletions=hands.deletions)
        if blocklist:
            self.cas = Cas(url=blocklist)
            self.lists = Blocklists(
                blocklist=self.cas, community_of=desk.community, deeds=desk.deeds, tell=announce, clock=clock,
                policy_of=lambda here: desk.policy(_anything(here, clock.now())),
            )  # fmt: skip

    def heard(self, update: Update) -> Iterator[Coroutine[Any, Any, None]]:
        """What there is to do because of it."""
        if request := update.chat_join_request:
            yield self.gate.ask(request)
        if change := update.chat_member:
            yield self.newcomers.hear(change)
            if self.lists and _has_come_in(change):
                who = change.new_chat_member.user
                came = Person(str(who.id), who.full_name)
                yield self.lists.came(group_ref(change.chat.id), came, change.date.astimezone(UTC))
        if update.message and is_notice(update.message):
            yield self.tidying.take(update.message, Tidied.JOINS)

    async def close(self) -> None:
        await self.gate.close()
        if self.cas:
            await self.cas.close()

    async def after(self, serving: Awaitable[bool], command: Message) -> None:
        """A command that was served may go."""
        if await serving:
            await self.tidying.take(command, Tidied.COMMANDS)


def _has_come_in(change: ChatMemberUpdated) -> bool:
    is_new = is_in(change.new_chat_member) and not is_in(change.old_chat_member)
    return is_new and not change.new_chat_member.user.is_bot


def _anything(here: CommunityRef, at: datetime) -> chat.Message:
    """Stands for whatever is said in a group."""
    ref = MessageRef(here.platform, here.id, "0")
    return chat.Message(ref=ref, community_id=here.id, author=Author(id="0"), sent_at=at)
