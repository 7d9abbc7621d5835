"""The parts of a running application -> its pulse, and the counts that no part keeps for itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.domain.actions import Outcome
from bot.domain.figures import FlowFigures, Pulse, ReplicaFigures
from bot.domain.incident import PlannedAction, Settlement
from bot.domain.verdict import Verdict
from bot.pipeline.guard_queue import GuardQueue
from bot.ports import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSigns:
    """The `Vitals` of a running application. `settled` and `done` are told what has happened."""

    queue: GuardQueue
    inbox: Inbox
    replicas: Callable[[], Sequence[ReplicaFigures]] = tuple
    flow: FlowFigures = field(default_factory=FlowFigures)

    def pulse(self) -> Pulse:
        return Pulse(
            guard=self.queue.guard.version,
            guard_is_away=self.queue.is_away,
            has_room=self.queue.room > 0,
            queue=self.queue.figures,
            flow=self.flow,
            replicas=self.replicas(),
        )

    async def waiting(self) -> int:
        return await self.inbox.waiting()

    def settled(self, settlements: Sequence[Settlement]) -> None:
        self.flow.settled += len(settlements)
        self.flow.incidents += sum(settlement.decision.is_incident for settlement in settlements)
        screenings = (settlement.decision.screening for settlement in settlements)
        self.flow.routes.update(
            screening.route for screening in screenings if isinstance(screening, Verdict) and screening.route
        )

    def done(self, planned: PlannedAction, outcome: Outcome) -> None:
        self.flow.actions[planned.action.kind, outcome.kind] += 1
