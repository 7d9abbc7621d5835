"""A run of many minutes as steps: each makes a file, and what was interrupted goes on behind the last that is there."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic


def say(line: str) -> None:
    """To whoever waits at the terminal."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Run:
    folder: Path  # of this run alone: what is made of other lessons lies in another
    say: Callable[[str], None]

    @classmethod
    def of(cls, work: Path, learned_from: str, say: Callable[[str], None]) -> "Run":
        """Of these lessons, whose fingerprints it is known by."""
        folder = work / sha256(learned_from.encode()).hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, say)

    def step(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file of that name, made now unless an earlier go has made it: there is none or a whole one."""
        path = self.folder / name
        if not path.exists():
            began, part = monotonic(), path.with_name(f"part-{name}")
            make(part)
            part.rename(path)
            self.say(f"{name}: {(monotonic() - began) / 60:.1f} minutes")
        return path
