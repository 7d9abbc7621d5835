"""`python -m adapters.guards.embedded.training`: our lines and public corpora come in; the model of kinds of harm, or
the table of candidates, goes out."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from adapters.guards.embedded.ngrams import Ngrams
from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training import comparison, joint, linear_kinds
from adapters.guards.embedded.training.comparison import AWAY, SEED, Figures
from adapters.guards.embedded.training.corpora import HEADS, Lesson, kmhas_test, own, public, said, sampled
from adapters.guards.embedded.training.disguises import disguised
from adapters.guards.embedded.training.linear_kinds import Judge
from adapters.guards.embedded.training.side_by_side import beside

#: How many texts of each public corpus n-grams learn from beside our lines, and which tell them what a comment is.
PUBLIC = {"beep_train": 2_000, "kodoli": 4_000, "curse": 1_500, "kosbi_valid": 400, "chatbot": 1_500, "komuchat": 8_000}
COMMENTS = dict.fromkeys(("kodoli", "curse", "kosbi_valid"), 0) | {
    "kmhas_valid": 4_500, "beep_train": 4_000, "komuchat": 5_000, "chatbot": 1_000,
}  # fmt: skip
AGAIN = 0.6  # of the lines learned from twice: how many are disguised then
TAUGHT = HEADS[: HEADS.index("quotes") + 1]  # of n-grams


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def lessons(corpus: Path, data: Path) -> tuple[list[Lesson], list[Lesson], list[Lesson]]:
    """Our lines to learn from, those of pens kept away, and the public corpora."""
    lines = own(corpus)
    near, away = ([line for line in lines if (line.source in AWAY) == kept] for kept in (False, True))
    return near, away, public(data)


def compare(corpus: Path, data: Path, *, with_encoder: bool) -> Iterator[tuple[str, Figures]]:
    near, away, others = lessons(corpus, data)
    others = sampled(others, PUBLIC, Random(SEED))
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
    """Twice: without the pens kept away, to see what each half's word is worth, and with them."""
    from adapters.guards.embedded.training import encoder

    near, away, others = lessons(corpus, data)
    network, tokeniser = encoder.learned(near, others, SEED, say)
    texts = [line.text for line in away]
    fit = joint.fitted(
        encoder.judge(network, tokeniser)(texts)[:, : len(TAUGHT)],
        ngrams(near, others).logits([reading(text) for text in texts])[:, :-1],
        said(away),
    )
    network, tokeniser = encoder.learned([*near, *away], others, SEED, say)
    notes = {"jikimi": json.dumps({"heads": HEADS, "tokens": encoder.TOKENS}), "tokeniser": tokeniser.to_str()}
    encoder.export(network, out / "encoder.onnx", notes)
    about = {
        "licence": "CC BY-SA 4.0; see LICENSE-MODEL.md",
        "calibrated on": AWAY,
        "from": comparison.provenance(read(corpus, data)),
    }
    joint.save(out / "kinds.npz", ngrams([*near, *away], others), fit, TAUGHT, about)


def ngrams(ours: Sequence[Lesson], others: Sequence[Lesson]) -> Ngrams:
    """Learned from the lines as they are, and from some of them disguised or beside innocent ones."""
    chance = Random(SEED)
    theirs = sampled(others, PUBLIC, chance)
    again = beside([*chance.sample(ours, len(ours) // 2), *chance.sample(theirs, len(theirs) // 4)], chance)
    again = [replace(one, text=disguised(one.text, chance)) if chance.random() < AGAIN else one for one in again]
    return linear_kinds.learned([*ours, *theirs, *again], TAUGHT, [*ours, *sampled(others, COMMENTS, chance)])


def read(corpus: Path, data: Path) -> list[Path]:
    return [*(corpus / "lines").glob("*.jsonl"), *data.glob("*.jsonl.gz")]


def main() -> None:
    parser = argparse.ArgumentParser("python -m adapters.guards.embedded.training", description=__doc__)
    parser.add_argument("what", choices=("compare", "teach"))
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the public corpora, NAME.jsonl.gz")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the model files")
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
