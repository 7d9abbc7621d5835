"""A parser and some seconds -> its corpus, grown by what went somewhere new, and the smallest input it failed at."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.courses.fuzzing.changing import Value, like
from tests.courses.fuzzing.parsers import Parser
from tests.courses.fuzzing.reached import Step, steps

ROUND = 300  # inputs between two looks at the clock
LONGEST = 20_000  # characters of an input that is kept


@dataclass(slots=True, kw_only=True)
class Found:
    inputs: int = 0
    new: list[Value] = field(default_factory=list)  # that went where none before went
    failed_at: Value = None
    fault: str = ""  # the traceback


def fuzzed(parser: Parser, corpus: Sequence[Value], seconds: float, *, beginning: int = 0) -> Found:
    """`beginning`: of the random numbers, another in every run."""
    found, known, until = Found(), set[Step](), time.monotonic() + seconds
    for value in corpus:
        try:
            _try(parser, value, known)
        except Exception:
            found.failed_at, found.fault = value, traceback.format_exc()
            return found
    while not found.fault and time.monotonic() < until:
        _round(parser, [*corpus, *found.new], known, found, beginning + found.inputs)
    return found


def _round(parser: Parser, corpus: Sequence[Value], known: set[Step], found: Found, beginning: int) -> None:
    last: list[Value] = [None]

    @seed(beginning)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(like(corpus))
    def one(value: Value) -> None:
        last[0] = value
        found.inputs += 1
        many = len(known)
        _try(parser, value, known)
        if len(known) > many and len(repr(value)) < LONGEST:
            found.new.append(value)

    try:
        one()
    except Exception:
        found.failed_at, found.fault = last[0], traceback.format_exc()


def _try(parser: Parser, value: Value, known: set[Step]) -> None:
    with steps(known):
        parser.run(value)
