"""`python -m adapters.guards.embedded.training`: our lines and public corpora come in; the model of kinds of harm, or
the table of candidates, goes out. Both go on where they were interrupted."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

from adapters.guards.embedded.training import comparison
from adapters.guards.embedded.training.candidates import candidates
from adapters.guards.embedded.training.comparison import SEED, Figures
from adapters.guards.embedded.training.corpora import kmhas_test, own, public, sampled
from adapters.guards.embedded.training.run import Run, say
from adapters.guards.embedded.training.teach import PUBLIC, read, teach

COMMENTS = 3_000  # of K-MHaS test: a candidate needs minutes for all of it


def compare(corpus: Path, data: Path, work: Path, names: Sequence[str], most: int) -> Iterator[tuple[str, Figures]]:
    """A row a candidate and size, as soon as it is known; what an earlier go has found is not sought again."""
    near, away = comparison.apart(own(corpus))
    others = sampled(public(data), PUBLIC, Random(SEED))
    comments = kmhas_test(data)
    tests = {"K-MHaS": Random(SEED).sample(comments, min(len(comments), COMMENTS))}
    run = Run.of(work, comparison.provenance(read(corpus, data)), say)
    for name in names:
        for size in (*comparison.SIZES, len(near)):
            if size > most:
                continue
            row = f"{name}, {size} lines"

            def measured(path: Path, name: str = name, size: int = size) -> None:
                ours, theirs = comparison.fewer(near, others, size)
                found = comparison.measured(candidates()[name](ours, theirs, say), away, tests)
                path.write_text(json.dumps(asdict(found)))

            found = run.step(f"{row}.json".replace(" ", "-"), measured)
            yield row, Figures(**json.loads(found.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser("python -m adapters.guards.embedded.training", description=__doc__)
    parser.add_argument("what", choices=("compare", "teach"))
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the public corpora, NAME.jsonl.gz")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the model files")
    parser.add_argument("--work", type=Path, default=Path("build/training"), help="folder of what is made on the way")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(candidates()), default=tuple(candidates()), help="candidates to compare"
    )
    parser.add_argument("--most", type=int, default=sys.maxsize, help="of our lines that a candidate learns from")
    given = parser.parse_args()
    if given.what == "teach":
        teach(given.corpus, given.data, given.out, given.work, say)
        return
    rows = []
    for row in compare(given.corpus, given.data, given.work / "compare", given.only, given.most):
        rows.append(row)
        say(comparison.table(rows))
    print(comparison.table(rows))
    print(f"\n{comparison.provenance(read(given.corpus, given.data))}")


if __name__ == "__main__":
    main()
