"""Members to ban -> as few requests as Discord allows: what comes together in one server goes in bulk.

A bulk ban takes 200 members and needs MANAGE_GUILD beside BAN_MEMBERS; without it each is banned alone, and so is
whom it leaves out: then Discord says why not.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import discord
from discord.http import HTTPClient

from adapters.chat.discord.errors import OUT_OF_REACH, outcome_of
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.rules.actions import Outcome
from bot.core.text.catalogue import Texts

BAN_DELETES = timedelta(hours=1)  # a banned member's messages of this long before go, too
BULK = 200
GATHER = 0.25  # seconds that a crowd is given to come together


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    user_id: int
    seconds: int  # of what they wrote, to be deleted
    reason: str
    say: Texts
    outcome: "asyncio.Future[Outcome]"


@dataclass(slots=True)
class Bans:
    http: HTTPClient
    clock: Clock
    _waiting: dict[int, deque[_Request]] = field(default_factory=dict)  # by server; present while a task works on it
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def ban(self, guild_id: int, user_id: int, seconds: int, reason: str, say: Texts) -> Outcome:
        request = _Request(user_id, seconds, reason, say, asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(guild_id)) is not None:
            waiting.append(request)
        else:
            self._waiting[guild_id] = deque([request])
            task = asyncio.create_task(self._work(guild_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await request.outcome

    async def _work(self, guild_id: int) -> None:
        """Empty one server's line. What comes in while a request is under way goes together in the next."""
        waiting, batch = self._waiting[guild_id], list[_Request]()
        try:
            while waiting:
                await self.clock.sleep(GATHER)
                seconds = waiting[0].seconds
                batch = [one for one in waiting if one.seconds == seconds][:BULK]
                for one in batch:
                    waiting.remove(one)
                failed = await self._in_bulk(guild_id, batch) if len(batch) > 1 else batch
                for request in failed:
                    alone = self.http.ban(
                        request.user_id, guild_id, delete_message_seconds=seconds, reason=request.reason
                    )
                    await _answer(request, alone)
        finally:
            del self._waiting[guild_id]
            for request in (*batch, *waiting):
                if not request.outcome.done():  # stopped in the middle
                    request.outcome.cancel()

    async def _in_bulk(self, guild_id: int, requests: Sequence[_Request]) -> Sequence[_Request]:
        """Gives those whom it has left out."""
        ids: list[int | str] = list(dict.fromkeys(request.user_id for request in requests))
        reason = requests[0].reason if len({request.reason for request in requests}) == 1 else None
        try:
            told = await self.http.bulk_ban(guild_id, ids, requests[0].seconds, reason)
        except OUT_OF_REACH as error:
            if isinstance(error, discord.HTTPException) and error.status in (400, 403):
                return requests
            for request in requests:
                await _answer(request, _raising(error))
            return ()
        banned = {str(one) for one in told["banned_users"] or ()}
        for request in requests:
            if str(request.user_id) in banned:
                await _answer(request, _nothing())
        return [request for request in requests if str(request.user_id) not in banned]


async def _raising(error: Exception) -> None:
    raise error


async def _nothing() -> None: ...


async def _answer(request: _Request, asked: Awaitable[Any]) -> None:
    async def without_receipt() -> str:
        await asked
        return ""

    try:
        outcome = await outcome_of(without_receipt(), request.say, needs="ban_members")
    except BotError as problem:
        if not request.outcome.done():
            request.outcome.set_exception(problem)
    else:
        if not request.outcome.done():  # whoever asked may have gone
            request.outcome.set_result(outcome)
