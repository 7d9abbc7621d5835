"""A guard's finished screenings in a file beside the run: a run that was killed goes on where it stopped.

One line an exchange, under the hash of its texts, so that the file holds no text and serves any data that has the same
exchange. Each guard version has a file of its own: other weights, templates or calibration never share scores.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.core.base.errors import Broken, reason
from bot.core.guarding.verdict import Exchange, GuardVersion, Route, Screening, Task, Unscreened, Verdict


class FinishedScores:
    """Use it with `with`. `add` has written when it returns; a line that a crash cut short is dropped at the next
    start."""

    def __init__(self, folder: Path, guard: GuardVersion) -> None:
        self._guard = guard
        self.path = folder / f"{guard.name}-{_hash(astuple(guard))[:12]}.jsonl"
        self._found: dict[str, Screening] = {}

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise Broken("{path}: {why}", path=self.path, why=reason(error)) from error
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)
        for line in content[:whole].splitlines():
            try:
                row = json.loads(line)
                self._found[row["exchange"]] = self._screening(row)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def get(self, exchange: Exchange) -> Screening | None:
        return self._found.get(_key(exchange))

    def add(self, finished: Iterable[tuple[Exchange, Screening]]) -> None:
        lines = []
        for exchange, screening in finished:
            key = _key(exchange)
            self._found[key] = screening
            lines.append(json.dumps({"exchange": key, **_content(screening)}) + "\n")
        self._file.write("".join(lines).encode())
        self._file.flush()

    def _screening(self, row: Mapping[str, Any]) -> Screening:
        if "unscreened" in row:
            return Unscreened(str(row["unscreened"]), self._guard)
        return Verdict.of_scores(
            {Task(task): float(score) for task, score in row["scores"].items()},
            guard=self._guard,
            route=Route(row["route"]) if "route" in row else None,
        )


def _content(screening: Screening) -> dict[str, Any]:
    if isinstance(screening, Unscreened):
        return {"unscreened": screening.reason}
    scores = {str(task): score for task, score in screening.scores.items()}
    return {"scores": scores} | ({"route": screening.route} if screening.route else {})


def _key(exchange: Exchange) -> str:
    asked = [exchange.prompt, exchange.response]
    return _hash(asked if exchange.is_chat else [*asked, "of an LLM"])[:32]


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
