"""What a guard said, or why it said nothing, <-> its part of a stored decision."""

from pydantic import Field

from bot.core.guarding.verdict import GuardVersion, Route, Screening, Task, Unscreened, Verdict
from storage.codec.stored import Stored
from storage.tables import writable


class _Guard(Stored):
    name: str
    model: str = ""
    dialect: str = ""
    calibration: str = ""


class StoredScreening(Stored):
    """A verdict, or, where `unscreened` gives a reason, none."""

    guard: _Guard
    unscreened: str | None = None
    scores: dict[Task, float] = Field(default_factory=dict)
    categories: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    windows: int = 1
    route: Route | None = None


def write_screening(screening: Screening) -> StoredScreening:
    version = screening.guard
    guard = _Guard(name=version.name, model=version.model, dialect=version.dialect, calibration=version.calibration)
    if isinstance(screening, Unscreened):
        return StoredScreening(guard=guard, unscreened=screening.reason)
    return StoredScreening(
        guard=guard,
        scores=dict(screening.scores),
        categories=tuple(sorted(screening.categories)),
        evidence=tuple(map(writable, screening.evidence)),
        windows=screening.windows,
        route=screening.route,
    )


def read_screening(stored: StoredScreening) -> Screening:
    version = stored.guard
    guard = GuardVersion(
        name=version.name, model=version.model, dialect=version.dialect, calibration=version.calibration
    )
    if stored.unscreened is not None:
        return Unscreened(reason=stored.unscreened, guard=guard)
    return Verdict(
        guard=guard,
        scores=stored.scores,
        categories=frozenset(stored.categories),
        evidence=stored.evidence,
        windows=stored.windows,
        route=stored.route,
    )
