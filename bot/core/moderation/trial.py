"""Decided messages, and a guard on trial -> what would have been decided with it: counted, and never done."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable, raised
from bot.core.chat.message import CommunityRef
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Exchange, Part, Verdict, is_provisional
from bot.core.moderation.ports import Trials, Tried
from bot.core.rules.conditions import Past
from bot.core.rules.decider import Decider
from bot.core.rules.decision import Decision
from bot.core.rules.difference import difference
from bot.core.rules.policy import Policy

WRITTEN = 5.0  # seconds between two times that what was tried is written down
MOST = 10_000  # that are kept while they cannot be

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Trial:
    """Nobody waits for it: while others wait for the guard in office (`present`), or the guard on trial has `each` of a
    community's messages before it, it is not asked. Once it breaks, the trial is over. Lost with the process are the
    last seconds. Who of those found by it alone is staff, nobody has asked the platform."""

    queue: GuardQueue
    present: GuardQueue
    decider: Decider
    trials: Trials
    clock: Clock
    each: int = 64
    _asked: Counter[CommunityRef] = field(default_factory=Counter)
    _tasks: dict["asyncio.Task[None]", Decision] = field(default_factory=dict)
    _tried: deque[Tried] = field(default_factory=lambda: deque(maxlen=MOST))
    _is_over: bool = False

    def watch(self, exchange: Exchange, decision: Decision, policy: Policy, *, at: datetime, past: Past) -> None:
        """`decision` is what the guard in office has led to, under the same policy. Raises nothing."""
        if self._is_over or is_provisional(decision.screening) or not isinstance(decision.screening, Verdict):
            return
        community = decision.message.community
        if self.present.figures.waiting or not self.queue.room or self._asked[community] >= self.each:
            self._note(decision)
            return
        self._asked[community] += 1
        task = asyncio.create_task(self._try(exchange, decision, policy, at, past))
        self._tasks[task] = decision
        task.add_done_callback(partial(self._ended, community))

    async def run(self) -> None:
        """Until cancelled, whatever happens."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._judge())
            group.create_task(self._write())

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        """What these members have said is not tried any more."""
        for task, decision in self._tasks.items():
            if decision.message.community == community and is_theirs(decision.message.author.id):
                task.cancel()

    async def _try(self, exchange: Exchange, decision: Decision, policy: Policy, at: datetime, past: Past) -> None:
        message = decision.message
        screening = await self.queue.submit(exchange, community=message.community, fresh=False)
        other = None
        if isinstance(screening, Verdict):
            other = await self.decider.decide(message, screening, policy, at=at, past=past, guest=True)
        self._note(decision, other)

    def _note(self, decision: Decision, other: Decision | None = None) -> None:
        """`other`: None where the guard on trial has no verdict. Nobody's words are kept."""
        message, version = decision.message, self.queue.guard.version
        what = difference(decision, other) if other else None
        tried = Tried(
            ref=message.ref,
            community=message.community,
            sent_at=message.sent_at,
            guard=f"{version.name} {version.model}".strip(),
            judged=other is not None,
            difference=what,
            kind=_likeliest(other if other and other.rule else decision) if what else None,
            is_incident=decision.is_incident,
        )
        self._tried.append(tried)

    def _ended(self, community: CommunityRef, task: "asyncio.Task[None]") -> None:
        del self._tasks[task]
        self._asked[community] -= 1
        if not self._asked[community]:
            del self._asked[community]
        if not task.cancelled() and (error := task.exception()):
            _log.error("the trial of a guard failed on a message", error=raised(error))

    async def _judge(self) -> None:
        try:
            await self.queue.run()
        except* Exception as errors:
            self._is_over = True
            _log.error("the trial of a guard is over", error=raised(errors.exceptions[0]))
        finally:
            for task in self._tasks:
                task.cancel()

    async def _write(self) -> None:
        while True:
            await self.clock.sleep(WRITTEN)
            some = [self._tried.popleft() for _ in range(len(self._tried))]
            try:
                if some:
                    await self.trials.record(some)
            except Unavailable as error:
                _log.warning("what was tried is not written down yet", reason=error)
                self._tried.extendleft(reversed(some))
            except Exception as error:
                _log.error("what was tried is lost", error=raised(error), messages=len(some))


def _likeliest(decision: Decision) -> HarmKind:
    found = decision.screening.kinds if isinstance(decision.screening, Verdict) else {}
    scores = {**found.get(Part.PROMPT, {}), **found.get(Part.RESPONSE, {})}
    return max(sorted(decision.kinds), key=lambda kind: scores.get(kind, 0.0), default=HarmKind.UNSPECIFIED)
