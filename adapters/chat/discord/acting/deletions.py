"""Messages to delete -> as few requests as Discord allows: one goes at once, a burst in one channel goes in bulk.

Discord lets about five single deletes a second through in a channel, but a hundred messages in one bulk delete, none
of them older than 14 days.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import discord
from discord.http import HTTPClient

from adapters.chat.discord.errors import OUT_OF_REACH, outcome_of
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.rules.actions import Outcome
from bot.core.text.catalogue import Texts

BULK = 100
TOO_OLD = timedelta(days=14) - timedelta(minutes=1)  # a margin: one old id fails the whole bulk
CALM = 3  # requests within a second in one channel; beyond that it is a burst
CHANNELS = 1000  # whose last requests are remembered
GATHER = 0.2  # seconds that a burst is given to come together


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    message_id: int
    reason: str
    say: Texts
    outcome: "asyncio.Future[Outcome]"


@dataclass(slots=True)
class Deletions:
    http: HTTPClient
    clock: Clock
    _waiting: dict[int, deque[_Request]] = field(default_factory=dict)  # by channel; present while a task works on it
    _recent: Bounded[int, deque[float]] = field(default_factory=lambda: Bounded(CHANNELS))  # the last of a channel
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def delete(self, channel_id: int, message_id: int, *, reason: str, say: Texts) -> Outcome:
        request = _Request(message_id, reason, say, asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(channel_id)) is not None:
            waiting.append(request)
        else:
            self._waiting[channel_id] = deque([request])
            task = asyncio.create_task(self._work(channel_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await request.outcome

    async def _work(self, channel_id: int) -> None:
        """Empty one channel's line. What comes in while a request is under way goes together in the next."""
        waiting, batch = self._waiting[channel_id], list[_Request]()
        recent = self._recent.refresh(channel_id, deque(maxlen=CALM))
        try:
            while waiting:
                if len(recent) == CALM and self.clock.monotonic() - recent[0] < 1:
                    await self.clock.sleep(GATHER)
                batch = [waiting.popleft() for _ in range(min(len(waiting), BULK))]
                horizon = discord.utils.time_snowflake(self.clock.now() - TOO_OLD)
                young = [request for request in batch if request.message_id > horizon]
                bulk = young if len({request.message_id for request in young}) > 1 else []
                if bulk:
                    recent.append(self.clock.monotonic())
                    await self._in_bulk(channel_id, bulk)
                for request in batch:
                    if request not in bulk:
                        recent.append(self.clock.monotonic())
                        await self._singly(channel_id, request)
        finally:
            del self._waiting[channel_id]
            for request in (*batch, *waiting):
                if not request.outcome.done():  # stopped in the middle
                    request.outcome.cancel()

    async def _in_bulk(self, channel_id: int, requests: Sequence[_Request]) -> None:
        ids: list[int | str] = list(dict.fromkeys(request.message_id for request in requests))
        reason = requests[0].reason if len({request.reason for request in requests}) == 1 else None
        try:
            await self.http.delete_messages(channel_id, ids, reason=reason)
        except discord.HTTPException as error:
            if error.status == 400:  # one of them spoils the rest
                for request in requests:
                    await self._singly(channel_id, request)
            else:
                await self._answer(requests, error)
        except OUT_OF_REACH as error:
            await self._answer(requests, error)
        else:
            await self._answer(requests, None)

    async def _singly(self, channel_id: int, request: _Request) -> None:
        try:
            await self.http.delete_message(channel_id, request.message_id, reason=request.reason)
        except OUT_OF_REACH as error:
            await self._answer([request], error)
        else:
            await self._answer([request], None)

    async def _answer(self, requests: Sequence[_Request], error: Exception | None) -> None:
        async def again() -> None:
            if error:
                raise error

        for request in requests:
            if request.outcome.done():  # whoever asked has gone
                continue
            try:
                request.outcome.set_result(await outcome_of(again(), request.say, needs="manage_messages"))
            except BotError as problem:
                request.outcome.set_exception(problem)
