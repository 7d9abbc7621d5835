"""A group's doors: what members may do there is taken away for a while, and given back as it was."""

import json
from dataclasses import dataclass
from typing import Any

from telegram import Bot, ChatPermissions

from adapters.chat.telegram.limits import Lane, Limiter
from bot.core.base.errors import Unavailable
from bot.core.rules.actions import Done, Gone, Lock, Outcome, Unlock


@dataclass(frozen=True, slots=True)
class Doors:
    bot: Bot
    limiter: Limiter

    async def lock(self, chat_id: int, action: Lock, begun: str) -> Outcome:
        """What was there before is on record (`begun`) before anything is changed: who begins anew after that, changes
        nothing of it."""
        if not begun:
            before = await self._permissions(chat_id)
            raise Unavailable("written down first", retry_after=0.1, begun=json.dumps(before, sort_keys=True))
        await self._allow(chat_id, {})
        return Done(begun)

    async def unlock(self, chat_id: int, action: Unlock) -> Outcome:
        """Where somebody has allowed anything meanwhile, theirs stands."""
        if any((await self._permissions(chat_id)).values()):
            return Gone()
        await self._allow(chat_id, json.loads(action.receipt))
        return Done()

    async def _permissions(self, chat_id: int) -> dict[str, Any]:
        async with self.limiter.turn(chat_id, Lane.MODERATION):
            chat = await self.bot.get_chat(chat_id)
        allowed = chat.permissions or ChatPermissions.all_permissions()
        return {name: bool(value) for name, value in allowed.to_dict().items() if isinstance(value, bool)}

    async def _allow(self, chat_id: int, permissions: dict[str, Any]) -> None:
        allowed = ChatPermissions(**permissions) if permissions else ChatPermissions.no_permissions()
        async with self.limiter.turn(chat_id, Lane.MODERATION):
            await self.bot.set_chat_permissions(chat_id, allowed, use_independent_chat_permissions=True)
