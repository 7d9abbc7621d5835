"""Message, screening and policy -> decision: a short text at once, a long one beside the event loop, in turns."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from bot.core.chat.message import CommunityRef, Message
from bot.core.guarding.verdict import Screening
from bot.core.rules.conditions import Past, Sought, Words
from bot.core.rules.decision import Decision, decide
from bot.core.rules.policy import Policy
from bot.core.rules.ports import Searcher

LONG = 2_000  # characters from which on reading a text would hold everybody else up

Work = Callable[[], None]


class _Lines:
    """Work that waits, one line a community; the communities take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[CommunityRef, deque[Work]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def join(self, community: CommunityRef, work: Work) -> None:
        self._lines.setdefault(community, deque()).append(work)

    def next(self) -> Work:
        community, waiting = next(iter(self._lines.items()))
        work = waiting.popleft()
        if waiting:
            self._lines.move_to_end(community)
        else:
            del self._lines[community]
        return work


@dataclass(slots=True, kw_only=True)
class Decider:
    """`searcher` looks for what only a slow engine understands; without one such a search counts as given up."""

    searcher: Searcher | None = None
    _chats: _Lines = field(default_factory=_Lines)
    _guests: _Lines = field(default_factory=_Lines)
    _is_busy: bool = False
    _hand: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "jikimi-deciding"))

    def is_quick(self, message: Message, policy: Policy) -> bool:
        """Whether `rules.decide` may be called at once."""
        return len(message.text) <= LONG and not policy.to_search

    async def decide(
        self, message: Message, screening: Screening, policy: Policy, *, at: datetime, past: Past, guest: bool = False
    ) -> Decision:
        """`guest`: who asks is no chat, and waits until those are served."""
        searched = {text: words async for text, words in self._searched(message, policy)}
        call = partial(decide, message, screening, policy, at=at, past=past, searched=searched)
        if len(message.text) <= LONG:
            return call()
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        lines = self._guests if guest else self._chats
        lines.join(message.community, partial(self._begin, call, answer))
        self._go_on()
        return await answer

    def close(self) -> None:
        self._hand.shutdown(wait=False, cancel_futures=True)

    async def _searched(self, message: Message, policy: Policy) -> AsyncIterator[tuple[Sought, Words]]:
        if self.searcher is None:
            return
        for text in policy.to_search:
            with suppress(TimeoutError):
                yield text, await self.searcher.find(text, message.read)

    def _go_on(self) -> None:
        """One at a time: a second thread would only take processor time from the event loop."""
        while not self._is_busy and (lines := self._chats or self._guests):
            lines.next()()

    def _begin(self, call: Callable[[], Decision], answer: "asyncio.Future[Decision]") -> None:
        if answer.done():
            return  # nobody waits any more
        self._is_busy = True
        done = asyncio.get_running_loop().run_in_executor(self._hand, call)
        done.add_done_callback(partial(self._ended, answer))

    def _ended(self, answer: "asyncio.Future[Decision]", done: "asyncio.Future[Decision]") -> None:
        self._is_busy = False
        self._go_on()
        if done.cancelled():
            answer.cancel()
        elif answer.done():
            done.exception()  # nobody waits any more; it is not left unseen
        elif error := done.exception():
            answer.set_exception(error)
        else:
            answer.set_result(done.result())
