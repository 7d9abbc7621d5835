"""Messages to delete -> as few calls as possible: one goes at once, what comes meanwhile goes together.

deleteMessages takes 100 ids and skips what is missing (fact T27), so a lone message is deleted by deleteMessage, which
says whether it was still there.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from bot.core.base.errors import BotError

BULK = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    ids: Sequence[int]  # an album has several
    done: "asyncio.Future[None]"


@dataclass(slots=True, kw_only=True)
class Deletions:
    bot: Bot
    limiter: Limiter
    _waiting: dict[int, deque[_Request]] = field(default_factory=dict)  # by chat; present while a task works on it
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def delete(self, chat_id: int, ids: Sequence[int]) -> None:
        """Raises what the call raises."""
        request = _Request(ids, asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(chat_id)) is not None:
            waiting.append(request)
        else:
            self._waiting[chat_id] = deque([request])
            task = asyncio.create_task(self._work(chat_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await request.done

    async def _work(self, chat_id: int) -> None:
        waiting = self._waiting[chat_id]
        try:
            while waiting:
                batch = [waiting.popleft()]
                while waiting and sum(len(request.ids) for request in (*batch, waiting[0])) <= BULK:
                    batch.append(waiting.popleft())
                await self._delete(chat_id, batch)
        finally:
            del self._waiting[chat_id]
            for request in waiting:
                request.done.cancel()

    async def _delete(self, chat_id: int, batch: Sequence[_Request]) -> None:
        ids = list(dict.fromkeys(id_ for request in batch for id_ in request.ids))
        try:
            async with self.limiter.turn(chat_id, Lane.MODERATION):
                if len(ids) == 1:
                    await self.bot.delete_message(chat_id, ids[0])
                else:
                    await self.bot.delete_messages(chat_id, ids)
        except BadRequest as error:
            if len(batch) == 1:
                _answer(batch, error)
                return
            for request in batch:  # one of them spoils the rest
                await self._delete(chat_id, [request])
        except (Forbidden, ChatMigrated, BotError) as error:
            _answer(batch, error)
        except BaseException:
            for request in batch:
                request.done.cancel()
            raise
        else:
            _answer(batch, None)


def _answer(batch: Sequence[_Request], error: Exception | None) -> None:
    for request in batch:
        if not request.done.done():
            if error:
                request.done.set_exception(error)
            else:
                request.done.set_result(None)
