"""Labelled exchanges and a guard's screenings of them -> how good the guard is, task by task and source by source."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.core.evaluation.measures import Comparison, Measures, compare, measure
from bot.core.guarding.verdict import Exchange, GuardVersion, Route, Screening, Task, Unscreened, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An exchange and what people said of it: `labels` holds exactly the tasks that were labelled."""

    exchange: Exchange
    labels: Mapping[Task, bool]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuality:
    """One task on one set of rows. `measures` is over the rows with a score; the others are counted, never taken as
    safe: `unscreened` got no verdict, `not_judged` got one without this task."""

    labelled: int
    unscreened: int
    not_judged: int
    measures: Measures | None  # None where no row has a score


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One guard on one set of rows."""

    guard: GuardVersion
    rows: int
    threshold: float
    unscreened: Mapping[str, int]  # reason -> rows
    tasks: Mapping[Task, TaskQuality]
    sources: Mapping[str, Mapping[Task, TaskQuality]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeFigures:
    """Verdicts of a cascade. `skipped` and `second` add up to `first`; `sampled` are among `skipped`."""

    first: int  # judged by the first guard: all of them
    second: int  # needed the second guard's judgement
    skipped: int  # surely benign
    sampled: int  # skipped, and judged by the second guard all the same
    sampled_missed: int  # of those, harmful by the second guard

    @classmethod
    def of(cls, screenings: Iterable[Screening]) -> "CascadeFigures | None":
        """None where no cascade judged."""
        routes = Counter(
            screening.route for screening in screenings if isinstance(screening, Verdict) and screening.route
        )
        sampled = routes[Route.CLEARED] + routes[Route.MISSED]
        if not routes:
            return None
        return cls(
            first=routes.total(),
            second=routes[Route.SECOND],
            skipped=routes[Route.SKIPPED] + sampled,
            sampled=sampled,
            sampled_missed=routes[Route.MISSED],
        )

    @property
    def missed_share(self) -> float | None:
        """Estimated share of the skipped that the second guard would have found harmful; None without a sample."""
        return self.sampled_missed / self.sampled if self.sampled else None


def evaluate(
    guard: GuardVersion, rows: Sequence[Labelled], screenings: Sequence[Screening], *, threshold: float = 0.5
) -> Evaluation:
    """`screenings` in the order of `rows`; a score of `threshold` or more says yes."""
    by_source: dict[str, list[tuple[Labelled, Screening]]] = {}
    for row, screening in zip(rows, screenings, strict=True):
        by_source.setdefault(row.source, []).append((row, screening))
    everything = [pair for pairs in by_source.values() for pair in pairs]
    return Evaluation(
        guard=guard,
        rows=len(rows),
        threshold=threshold,
        unscreened=Counter(screening.reason for screening in screenings if isinstance(screening, Unscreened)),
        tasks=_by_task(everything, threshold),
        sources={source: _by_task(pairs, threshold) for source, pairs in by_source.items()},
    )


def _by_task(pairs: Sequence[tuple[Labelled, Screening]], threshold: float) -> dict[Task, TaskQuality]:
    found = {}
    for task in Task:
        labelled = [(row.labels[task], screening) for row, screening in pairs if task in row.labels]
        if not labelled:
            continue
        truth, scores = scored(task, pairs)
        unscreened = sum(isinstance(screening, Unscreened) for _, screening in labelled)
        found[task] = TaskQuality(
            labelled=len(labelled),
            unscreened=unscreened,
            not_judged=len(labelled) - unscreened - len(truth),
            measures=measure(truth, scores, prompts=_prompts(task, pairs), threshold=threshold) if truth else None,
        )
    return found


def _prompts(task: Task, pairs: Sequence[tuple[Labelled, Screening]]) -> list[str | int | None]:
    """Of the rows that `scored` gives; a row without a prompt shares it with none."""
    return [
        number if row.exchange.prompt is None else row.exchange.prompt
        for number, (row, screening) in enumerate(pairs)
        if task in row.labels and isinstance(screening, Verdict) and task in screening.scores
    ]


def scored(task: Task, pairs: Sequence[tuple[Labelled, Screening]]) -> tuple[list[bool], list[float]]:
    """Labels and scores of the rows that have both."""
    truth, scores = [], []
    for row, screening in pairs:
        if task in row.labels and isinstance(screening, Verdict) and task in screening.scores:
            truth.append(row.labels[task])
            scores.append(screening.scores[task])
    return truth, scores


def compare_guards(
    rows: Sequence[Labelled], a: Sequence[Screening], b: Sequence[Screening], *, threshold: float = 0.5
) -> dict[Task, Comparison]:
    """Two guards on the rows that both of them scored."""
    found = {}
    for task in Task:
        both = [
            (row.labels[task], one.scores[task] >= threshold, other.scores[task] >= threshold)
            for row, one, other in zip(rows, a, b, strict=True)
            if task in row.labels
            and isinstance(one, Verdict)
            and isinstance(other, Verdict)
            and task in one.scores
            and task in other.scores
        ]
        if both:
            truth, said_a, said_b = zip(*both, strict=True)
            labelled = sum(task in row.labels for row in rows)
            found[task] = replace(compare(truth, said_a, said_b), left_out=labelled - len(both))
    return found
