"""What a guard said, or why it said nothing, <-> its part of a stored decision."""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Route, Screening, Task, Unscreened, Verdict
from storage.codec.stored import Stored
from storage.columns import writable


class _Guard(Stored):
    name: str
    model: str = ""
    dialect: str = ""
    calibration: str = ""


class _Judgement(Stored):
    part: Part
    kind: HarmKind
    p: float
    guard: str


class StoredScreening(Stored):
    """A verdict, or, where `unscreened` gives a reason, none. Earlier versions stored `scores`, of no kind."""

    guard: _Guard
    unscreened: str | None = None
    found: tuple[_Judgement, ...] = ()
    refusal: float | None = None
    quotes: float | None = None
    scores: dict[Task, float] = Field(default_factory=dict)
    categories: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    windows: int = 1
    route: Route | None = None


def judgements(screening: Screening) -> Iterator[tuple[str, str, str, float]]:
    """Part, kind, guard and probability of each row of tables.verdicts. That an answer refuses is a kind of its own."""
    if isinstance(screening, Unscreened):
        return
    for one in screening.found:
        yield one.part, one.kind, writable(one.guard), one.probability
    if screening.refusal is not None:
        yield Part.RESPONSE, "refusal", writable(screening.guard.name), screening.refusal


def write_screening(screening: Screening) -> StoredScreening:
    version = screening.guard
    guard = _Guard(name=version.name, model=version.model, dialect=version.dialect, calibration=version.calibration)
    if isinstance(screening, Unscreened):
        return StoredScreening(guard=guard, unscreened=screening.reason)
    return StoredScreening(
        guard=guard,
        found=tuple(
            _Judgement(part=one.part, kind=one.kind, p=one.probability, guard=writable(one.guard))
            for one in screening.found
        ),
        refusal=screening.refusal,
        quotes=screening.quotes,
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
    verdict = Verdict.of_scores(
        stored.scores,
        guard=guard,
        quotes=stored.quotes,
        categories=frozenset(stored.categories),
        evidence=stored.evidence,
        windows=stored.windows,
        route=stored.route,
    )
    if stored.scores:
        return verdict
    found = tuple(Judgement(one.part, one.kind, one.p, one.guard) for one in stored.found)
    return replace(verdict, found=found, refusal=stored.refusal)
