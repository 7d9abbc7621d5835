"""Labelled rows -> a guard's screenings of them, with a progress bar; those of earlier runs come from their file."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.app import guards
from bot.cli.evaluation.finished_scores import FinishedScores
from bot.config import Config
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import Backoff
from bot.core.evaluation.quality import CascadeFigures, Labelled
from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening
from bot.core.text.catalogue import Texts

BATCH, LANES = 32, 4  # exchanges a call, calls at once
AGAIN = Backoff(first=0.5, longest=30.0)
PATIENCE = 10  # times that one call may find the guard away before the run gives up


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is to be measured: which guards (None: the configured one), from which score on they say yes, on how many
    rows at most, the folder of finished scores, what the file's columns are called, whether guards are asked as their
    model cards do, and how much of what is judged in earnest is harmful."""

    guards: tuple[str | None, ...]
    threshold: float
    limit: int | None
    scores: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    as_card: bool = False
    prevalence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One guard's screenings, in the order of the rows."""

    guard: GuardVersion
    screenings: Sequence[Screening]
    cascade: CascadeFigures | None = None  # None: the guard is none; every text counts once


async def judge_rows(
    rows: Sequence[Labelled],
    name: str | None,
    config: Config,
    say: Texts,
    scores: Path,
    *,
    raw: bool = False,
    as_card: bool = False,
) -> Judged:
    """All rows judged, those of earlier runs taken from their file. Raises `Unavailable` when the guard stays away;
    what is finished is kept."""
    async with guards.guard(config, say, name, raw=raw or as_card, as_card=as_card) as guard:
        version = guard.version
        with FinishedScores(scores, version) as finished:
            asked = dict.fromkeys(row.exchange for row in rows)
            left = [exchange for exchange in asked if finished.get(exchange) is None]
            if left:
                await _judge(left, guard, finished, say, already=len(asked) - len(left))
            found = {exchange: screening for exchange in asked if (screening := finished.get(exchange))}
        return Judged(
            guard=version,
            screenings=[found[row.exchange] for row in rows],
            cascade=CascadeFigures.of(found.values()),
        )


async def _judge(
    exchanges: Sequence[Exchange], guard: Guard, finished: FinishedScores, say: Texts, *, already: int
) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(
            say("eval.judging", guard=guard.version.name), total=already + len(exchanges), completed=already
        )
        batches = (exchanges[start : start + BATCH] for start in range(0, len(exchanges), BATCH))

        async def lane() -> None:
            for batch in batches:
                screenings = await _patiently(guard, batch)
                finished.add(zip(batch, screenings, strict=True))
                progress.advance(bar, len(batch))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(LANES):
                    group.create_task(lane())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None


async def _patiently(guard: Guard, batch: Sequence[Exchange]) -> Sequence[Screening]:
    for attempt in range(1, PATIENCE):
        try:
            return await guard.judge(batch)
        except Unavailable as error:
            await asyncio.sleep(min(AGAIN.after(attempt, asked=error.retry_after), AGAIN.longest))
    return await guard.judge(batch)


def sampled(rows: Sequence[Labelled], limit: int | None) -> Sequence[Labelled]:
    """At most `limit` rows, drawn at random, the same ones each time."""
    return rows if limit is None or limit >= len(rows) else random.Random(0).sample(rows, limit)
