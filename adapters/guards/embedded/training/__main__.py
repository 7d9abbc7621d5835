"""`python -m adapters.guards.embedded.training`: our lines and public corpora come in; the model of kinds of harm, or
the table of candidates, goes out."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from adapters.guards.embedded.training import comparison, linear_kinds
from adapters.guards.embedded.training.comparison import AWAY, SEED, Figures
from adapters.guards.embedded.training.corpora import HEADS, KINDS, Lesson, kmhas_test, own, public, said, sampled
from adapters.guards.embedded.training.linear_kinds import Judge

#: How many texts of each public corpus are learned from beside our lines.
PUBLIC = {"beep_train": 2_000, "kodoli": 2_000, "curse": 1_500, "kosbi_valid": 400, "chatbot": 500, "komuchat": 3_000}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def lessons(corpus: Path, data: Path) -> tuple[list[Lesson], list[Lesson], list[Lesson]]:
    """Our lines to learn from, those of pens kept away, and a sample of the public corpora."""
    lines = own(corpus)
    near, away = ([line for line in lines if (line.source in AWAY) == kept] for kept in (False, True))
    return near, away, sampled(public(data), PUBLIC, Random(SEED))


def compare(corpus: Path, data: Path, *, with_encoder: bool) -> Iterator[tuple[str, Figures]]:
    near, away, others = lessons(corpus, data)
    tests = {"K-MHaS": kmhas_test(data)}
    candidates: dict[str, Callable[[Sequence[Lesson], Sequence[Lesson]], Judge]] = {
        "n-grams": lambda ours, theirs: linear_kinds.taught([*ours, *theirs], linear_kinds.ngrams),
        "n-grams and jamo": lambda ours, theirs: linear_kinds.taught([*ours, *theirs], linear_kinds.jamo),
    }
    if with_encoder:
        from adapters.guards.embedded.training import encoder

        candidates["static embeddings"] = lambda ours, theirs: linear_kinds.taught([*ours, *theirs], encoder.static)
        candidates["encoder"] = lambda ours, theirs: encoder.judge(*encoder.learned(ours, theirs, SEED, say))
    for name, learn in candidates.items():
        for size in (*comparison.SIZES, len(near)):
            ours, theirs = comparison.fewer(near, others, size)
            say(f"{name}, {size} lines")
            yield f"{name}, {size} lines", comparison.measured(learn(ours, theirs), away, tests)


def teach(corpus: Path, data: Path, out: Path) -> None:
    from adapters.guards.embedded.training import encoder

    near, away, others = lessons(corpus, data)
    model, tokeniser = encoder.learned(near, others, SEED, say)
    slope, offset = comparison.calibrated(encoder.judge(model, tokeniser)([line.text for line in away]), said(away))
    about = {"heads": HEADS, "kinds": KINDS, "tokens": encoder.TOKENS, "slope": [*slope], "offset": [*offset]}
    about |= {
        "licence": "CC BY-SA 4.0; see LICENSE-MODEL.md",
        "calibrated on": AWAY,
        "from": comparison.provenance(read(corpus, data)),
    }
    encoder.export(model, out, {"jikimi": json.dumps(about), "tokeniser": tokeniser.to_str()})


def read(corpus: Path, data: Path) -> list[Path]:
    return [*(corpus / "lines").glob("*.jsonl"), *data.glob("*.jsonl.gz")]


def main() -> None:
    parser = argparse.ArgumentParser("python -m adapters.guards.embedded.training", description=__doc__)
    parser.add_argument("what", choices=("compare", "teach"))
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the public corpora, NAME.jsonl.gz")
    parser.add_argument("--out", type=Path, default=Path("encoder.onnx"))
    parser.add_argument(
        "--encoder", action="store_true", help="compare those, too, that need PyTorch (half an hour each)"
    )
    given = parser.parse_args()
    if given.what == "teach":
        teach(given.corpus, given.data, given.out)
    else:
        print(comparison.table(compare(given.corpus, given.data, with_encoder=given.encoder)))
        print(f"\n{comparison.provenance(read(given.corpus, given.data))}")


if __name__ == "__main__":
    main()
