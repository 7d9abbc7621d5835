"""A group's doors: what members may do there is taken away for a while, and given back where nobody has done so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telegram import Bot, ChatPermissions

from adapters.chat.telegram.limits import Lane, Limiter
from bot.core.base.errors import Unavailable
from bot.core.incidents.case import CaseState
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Gone, Lock, Means, Outcome, Unlock

#: What members may not do while it is on; none named: anything. Links stay what they are: no bot shuts another admin's.
LOCKS: Mapping[Means, tuple[str, ...]] = {Means.WRITING: (), Means.JOINING: ("can_invite_users",)}


@dataclass(frozen=True, slots=True)
class Doors:
    bot: Bot
    limiter: Limiter

    async def lock(self, chat_id: int, planned: PlannedAction, action: Lock, now: datetime) -> Outcome:
        """What was there before is on record (`begun`) before anything is changed: who begins anew after that, changes
        nothing of it."""
        is_over = planned.message.sent_at + action.lasting <= now
        if is_over or (planned.case and planned.case.state is CaseState.UNDONE):
            return Gone()
        if not planned.begun:
            before = await self._permissions(chat_id)
            raise Unavailable("written down first", retry_after=0.1, begun=json.dumps(before, sort_keys=True))
        before, taken = json.loads(planned.begun), _taken(action.means)
        await self._allow(chat_id, {name: may and name not in taken for name, may in before.items()} if taken else {})
        return Done(planned.begun)

    async def unlock(self, chat_id: int, action: Unlock) -> Outcome:
        """Where somebody has allowed anything of it meanwhile, theirs stands."""
        before, now, taken = json.loads(action.receipt), await self._permissions(chat_id), _taken(action.means)
        if any(may for name, may in now.items() if not taken or name in taken):
            return Gone()
        await self._allow(chat_id, {**now, **{name: before.get(name, False) for name in taken or before}})
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


def _taken(means: Means) -> tuple[str, ...]:
    return LOCKS[means or Means.WRITING]
