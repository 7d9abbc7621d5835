"""What Telegram tells of who asks, comes and goes -> what is done about it at the door, each beside all other work."""

from collections.abc import Awaitable, Coroutine, Iterator
from dataclasses import InitVar, dataclass, field
from typing import Any

from telegram import Message, Update

from adapters.chat.telegram.acting.executor import Executor
from adapters.chat.telegram.acting.tidying import Tidying, is_notice
from adapters.chat.telegram.joining.gate import Gate
from adapters.chat.telegram.joining.newcomers import Newcomers
from bot.core.communities.community import Tidied


@dataclass(slots=True)
class Door:
    """With the hands of the executor."""

    executor: InitVar[Executor]
    gate: Gate = field(init=False)
    newcomers: Newcomers = field(init=False)
    tidying: Tidying = field(init=False)

    def __post_init__(self, hands: Executor) -> None:
        bot, limiter, desk, clock, complain = hands.bot, hands.limiter, hands.desk, hands.clock, hands.complain
        self.gate = Gate(bot=bot, limiter=limiter, desk=desk, clock=clock, complain=complain)
        self.newcomers = Newcomers(
            bot=bot, limiter=limiter, members=hands.members, desk=desk, clock=clock, complain=complain
        )
        self.tidying = Tidying(desk=desk, deletions=hands.deletions)

    def heard(self, update: Update) -> Iterator[Coroutine[Any, Any, None]]:
        """What there is to do because of it."""
        if request := update.chat_join_request:
            yield self.gate.ask(request)
        if change := update.chat_member:
            yield self.newcomers.hear(change)
        if update.message and is_notice(update.message):
            yield self.tidying.take(update.message, Tidied.JOINS)

    async def after(self, serving: Awaitable[bool], command: Message) -> None:
        """A command that was served may go."""
        if await serving:
            await self.tidying.take(command, Tidied.COMMANDS)
