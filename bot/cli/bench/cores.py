"""Some of this machine's cores -> a model that has them to itself, as it has a card to itself."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def named(given: str) -> tuple[int, ...]:
    """By their numbers (Linux). Raises ValueError where they are not there, or none would be left."""
    cores = tuple(int(number) for number in given.split(",") if number)
    if not set(cores) < os.sched_getaffinity(0):
        raise ValueError(given)
    return cores


@contextmanager
def of_its_own(cores: Collection[int]) -> Iterator[None]:
    """What is started within runs on these, and this process afterwards on the others. None: nothing is bound."""
    if not cores:
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), allowed - set(cores))
