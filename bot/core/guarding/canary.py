"""Exchanges that the published model has judged, asked of a guard at its start -> whether it says the same.

Weights, template and server that belong together do; a difference is said, counted, and stops nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable, raised
from bot.core.base.waiting import Backoff
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import YES, Exchange, Screening, Task, Verdict

_log = structlog.get_logger(__name__)

AGAIN = Backoff(first=1.0, longest=60.0)
ANOMALY = "a canary is judged otherwise than by the published model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """`labels`: of exactly the tasks that the model is known to have judged so."""

    exchange: Exchange
    labels: Mapping[Task, bool]

    def is_judged_so(self, screening: Screening) -> bool:
        said = screening.scores if isinstance(screening, Verdict) else {}
        return all(task in said and (said[task] >= YES) is label for task, label in self.labels.items())


async def listen(guard: Guard, canaries: Sequence[Canary], clock: Clock, figures: QueueFigures) -> None:
    """Asks as soon as the guard answers, and once."""
    attempt = 0
    while canaries:
        attempt += 1
        began = clock.monotonic()
        try:
            screenings = await guard.judge([canary.exchange for canary in canaries])
        except Unavailable as error:
            await clock.sleep(AGAIN.after(attempt, asked=error.retry_after))
            continue
        except Broken:
            return  # the queue says so
        except Exception as error:
            _log.error("the guard failed on its canaries", error=raised(error))
            return
        wrong = [
            n for n, (one, said) in enumerate(zip(canaries, screenings, strict=True), 1) if not one.is_judged_so(said)
        ]
        figures.anomalies[ANOMALY] += len(wrong)
        figures.anomalies += type(figures.anomalies)()  # without those that did not occur
        if wrong:
            _log.warning(
                "the guard judges known examples otherwise than the published model: is it the right model, with the "
                "right template? `jikimi eval --compare` tells on labelled data (docs/en/guards.md)",
                guard=guard.version.name,
                model=guard.version.model,
                wrong=wrong,
                of=len(canaries),
            )
        else:
            _log.info(
                "the guard judges known examples as published",
                of=len(canaries),
                seconds=round(clock.monotonic() - began, 2),
            )
        return
