"""A group's old id and its new one (it became a supergroup) -> everything known about the group follows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from telegram.error import ChatMigrated

from adapters.chat.telegram.refs import group_ref
from bot.core.moderators.ports import Desk

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Moves:
    """Telegram tells of a move by a message in either group, or by an error of whatever is done in the old one.
    `forget` is called with the old id."""

    desk: Desk
    forget: list[Callable[[int], None]] = field(default_factory=list)
    _new_ids: dict[int, int] = field(default_factory=dict)

    def id_now(self, chat_id: int) -> int:
        return self._new_ids.get(chat_id, chat_id)

    async def move(self, old_id: int, new_id: int) -> None:
        if self._new_ids.get(old_id) == new_id:
            return
        await self.desk.move(group_ref(old_id), str(new_id))
        self._new_ids[old_id] = new_id
        for forget in self.forget:
            forget(old_id)
        _log.info("a group became a supergroup", old=old_id, new=new_id)

    async def follow(self, chat_id: int, call: Callable[[int], Awaitable[Result]]) -> Result:
        """Call with the chat's id; where that turns out to be an old one, once more with the new one."""
        chat_id = self.id_now(chat_id)
        try:
            return await call(chat_id)
        except ChatMigrated as error:
            await self.move(chat_id, error.new_chat_id)
            return await call(error.new_chat_id)
