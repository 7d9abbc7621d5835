"""The parts of a running application -> how it is doing, and the counts that no part keeps for itself."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.core.chat.message import Platform
from bot.core.chat.ports import Connection, MessageSource
from bot.core.guarding.figures import Histogram, QueueFigures, ReplicaFigures
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import GuardVersion, Route, Verdict
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.operations.division import Division
from bot.core.operations.outside.standing import Standings
from bot.core.rules.actions import NO_ROOM, Outcome, Refused


@dataclass(slots=True, kw_only=True)
class FlowFigures:
    """Messages and actions. `routes` counts the verdicts of a cascade, `actions` by kind of action and of outcome (or
    NO_ROOM); `lag`: from when messages were sent until they were decided about."""

    settled: int = 0
    incidents: int = 0
    lag: Histogram = field(default_factory=Histogram)
    routes: Counter[Route] = field(default_factory=Counter)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)


class Part(NamedTuple):
    """Of a kind of work: how many of its shares this process holds, how often it has begun with one, and how often it
    was too late with one."""

    held: int
    taken: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """All of them at this moment. `guard_is_away`: the circuit in front of the guard is open. `judges`: somebody relies
    on the guard of this process. `connections`: of every platform that it is its turn to hear, those that it has lost
    among them. `works`: what it shares with other processes."""

    guard: GuardVersion
    guard_is_away: bool
    has_room: bool  # the queue takes more
    queue: QueueFigures
    flow: FlowFigures
    replicas: Sequence[ReplicaFigures] = ()
    judges: bool = True
    connections: Mapping[Platform, Connection] = field(default_factory=dict)
    works: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMonitor:
    """The `HealthSource` of a running application. `settled` and `done` are told what has happened; `chats` are named
    once they are connected, `works` once this process takes part in them."""

    queue: GuardQueue
    standings: Standings
    judges: bool = True
    replicas: Callable[[], Sequence[ReplicaFigures]] = tuple
    flow: FlowFigures = field(default_factory=FlowFigures)
    chats: dict[Platform, MessageSource] = field(default_factory=dict)
    works: dict[str, Division] = field(default_factory=dict)

    async def guard_answers(self) -> bool:
        return await self.queue.meet()

    def snapshot(self) -> HealthSnapshot:
        return HealthSnapshot(
            guard=self.queue.guard.version,
            guard_is_away=self.queue.is_away,
            has_room=self.queue.room > 0,
            queue=self.queue.figures,
            flow=self.flow,
            replicas=self.replicas(),
            judges=self.judges,
            connections={platform: chat.connection for platform, chat in self.chats.items()},
            works={name: Part(len(one.mine), one.taken, one.shares.refused) for name, one in self.works.items()},
        )

    def settled(self, settlements: Sequence[Settlement]) -> None:
        self.flow.settled += len(settlements)
        self.flow.incidents += sum(settlement.decision.is_incident for settlement in settlements)
        for one in settlements:
            self.flow.lag.add(max(0.0, (one.decided_at - one.decision.message.sent_at).total_seconds()))
        screenings = (settlement.decision.screening for settlement in settlements)
        self.flow.routes.update(
            screening.route for screening in screenings if isinstance(screening, Verdict) and screening.route
        )

    def done(self, planned: PlannedAction, outcome: Outcome) -> None:
        shown = not (isinstance(outcome, Refused) and outcome.reason == NO_ROOM)
        self.flow.actions[planned.action.kind, outcome.kind if shown else NO_ROOM] += 1
