"""A call -> which steps from line to line it took in our own code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

_OURS = tuple(f"{Path(__file__).parents[3] / top}/" for top in ("bot", "adapters", "storage"))

Step = tuple[str, int, int]


@contextmanager
def steps(taken: set[Step]) -> Iterator[None]:
    """Adds them to `taken`."""

    def entered(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        file = frame.f_code.co_filename
        if not file.startswith(_OURS):
            return None
        last = frame.f_code.co_firstlineno

        def went(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            nonlocal last
            taken.add((file, last, frame.f_lineno))
            last = frame.f_lineno
            return went

        return went

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)
