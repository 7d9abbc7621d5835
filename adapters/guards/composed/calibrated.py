"""A guard and the calibration fitted for it: the guard's screenings come out with calibrated scores."""

import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from bot.core.base.errors import Broken, reason
from bot.core.evaluation.calibration import Calibration
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.ports import Answered, Guard, counting, is_continuous, judge_each, replica_figures
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task

_log = structlog.get_logger(__name__)


class CalibratedGuard:
    """Another guard's scores, calibrated. Where the calibration was fitted for another model, revision or template,
    that is said once and the scores stay raw: a wrong scale is worse than none."""

    def __init__(self, guard: Guard, calibration: Calibration) -> None:
        self._guard = guard
        self._calibration: Calibration | None = calibration
        if different := calibration.mismatch(guard.version):
            self._calibration = None
            _log.warning(
                "calibration does not fit this guard, scores stay raw; run `jikimi calibrate` for it",
                different=str(different),
                calibrated=getattr(calibration.guard, different),
                running=getattr(guard.version, different),
            )

    @property
    def version(self) -> GuardVersion:
        return self._calibration.mark(self._guard.version) if self._calibration else self._guard.version

    @property
    def tasks(self) -> frozenset[Task]:
        return self._guard.tasks

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return replica_figures((self._guard,))

    def tokens(self, exchange: Exchange) -> int:
        return counting(self._guard)(exchange)

    @property
    def is_continuous(self) -> bool:
        return is_continuous(self._guard)

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        await judge_each(self._guard, exchanges, lambda place, screening: answered(place, self._scaled(screening)))

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        return [self._scaled(screening) for screening in await self._guard.judge(exchanges)]

    def _scaled(self, screening: Screening) -> Screening:
        return self._calibration.apply(screening) if self._calibration else screening


def read_calibration(path: Path) -> Calibration:
    """What `jikimi calibrate` wrote. Raises Broken where the file is not that."""
    try:
        return Calibration.from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise Broken("{path}: {why}", path=path, why=reason(error)) from error
    except ValueError as error:
        raise Broken("{path}: not a calibration written by `jikimi calibrate`", path=path) from error


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Raises Broken where the file cannot be written."""
    try:
        path.write_text(json.dumps(calibration.to_json(), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise Broken("{path}: {why}", path=path, why=reason(error)) from error
