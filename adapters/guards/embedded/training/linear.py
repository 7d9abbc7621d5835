"""Training of the embedded model: a folder of labelled Korean comments comes in, the model file and a report of what it
reaches go out. The same data give the same file, byte for byte."""

import gzip
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import BITS, features, lessons, read
from adapters.guards.embedded.model import Model
from bot.core.text.views import canonical, views


@dataclass(frozen=True, slots=True)
class Corpus:
    """One public data set and how its own labels are read. All label decisions of the product are in this list."""

    name: str  # of the file: <name>.jsonl.gz
    harmful: Callable[[Mapping[str, Any]], bool]
    credit: str


#: Whose idea of harm the guard follows where the corpora disagree: the only one labelled for hate *and* profanity.
GUIDE = "kmhas_valid"

_BEEP = "BEEP! (Moon, Cho, Lee, 2020), CC BY-SA 4.0"
_KMHAS = "K-MHaS (Lee et al., 2022), CC BY-SA 4.0"

TRAINING = (
    Corpus("beep_train", lambda row: row["label"] != "none", _BEEP),
    Corpus(GUIDE, lambda row: row["label"] != "8", _KMHAS),
    Corpus("kodoli", lambda row: row["label"] != "NOT", "KODOLI (Park et al., 2023), CC BY-SA 4.0"),
    Corpus("curse", lambda row: row["label"] == "1", "Curse-detection-data (2runo, 2020), MIT"),
    Corpus("kosbi_valid", lambda row: row["label"] == "unsafe", "KoSBi (NAVER Cloud, 2023), MIT"),
    Corpus("chatbot", lambda row: False, "Chatbot_data (Song, 2018), MIT"),
)
_GUIDE_COLUMN = [corpus.name for corpus in TRAINING].index(GUIDE)

#: What the lexicon teaches, beside the corpora and in the spirit of the guide.
LEXICON = "lexicon"

#: Never trained on, nor is any text of theirs that another corpus repeats.
TESTS = (
    Corpus("kmhas_test", lambda row: row["label"] != "8", _KMHAS),
    Corpus("beep_dev", lambda row: row["label"] != "none", _BEEP),
)

FOLDS = 5
INVERSE_PENALTY = 4.0  # C of scikit-learn
STEM_SIZE = 0.5  # a stem found counts as this much; an n-gram counts 1 / sqrt(distinct n-grams)
DELETE_PRECISION = 0.97


@dataclass(frozen=True, slots=True)
class Sample:
    corpus: str
    text: str
    harmful: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """How well scores separate harmful from harmless texts; F1, precision and recall at the threshold `flag`."""

    texts: int
    auroc: float
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class TrainingReport:
    trained_on: dict[str, int]  # corpus -> texts left after removing duplicates
    thresholds: dict[str, float]  # probabilities
    folds: Quality  # texts of the guide corpus, each judged by a model that did not see it
    tests: dict[str, Quality]
    file_bytes: int


def train(data: Path, out: Path, progress: Callable[[str], None] = lambda line: None) -> TrainingReport:
    """Trains on the corpora in `data` (<name>.jsonl.gz) and writes the model file `out`.

    Raises FileNotFoundError for a missing training corpus; a missing test corpus is left out of the report.
    """
    tests = held_out(data)
    taught = [Sample(LEXICON, text, harmful) for text, harmful in lessons()]
    samples = _distinct(taught + [s for corpus in TRAINING for s in _samples(data, corpus)], tests.values())
    progress(f"{len(samples)} distinct texts from {len(TRAINING)} corpora and the lexicon")

    table = _Table.of(samples)
    fold = np.random.default_rng(0).permutation(len(samples)) % FOLDS
    unseen = np.zeros(len(samples))  # logits by a model that was not trained on the sample
    for k in range(FOLDS):
        model = _fitted(table.only(fold != k))
        judged = np.flatnonzero((fold == k) & table.guide)
        unseen[judged] = [score.logit for score in model.score([samples[i].text for i in judged])]
        progress(f"fold {k + 1} of {FOLDS} judged")

    logits, harmful = unseen[table.guide], table.harmful[table.guide]
    slope, offset = _platt(logits, harmful)
    probabilities = _probability(slope * logits + offset)
    thresholds = {
        "flag": _best_f1(probabilities, harmful),
        "delete": _first_precise(probabilities, harmful, DELETE_PRECISION),
    }
    trained_on = {corpus.name: sum(s.corpus == corpus.name for s in samples) for corpus in TRAINING}
    about = {
        "licence": "CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/ ; see LICENSE-MODEL.md",
        "trained_on": {corpus.name: {"texts": trained_on[corpus.name], "credit": corpus.credit} for corpus in TRAINING},
    }
    model = _fitted(table, slope=slope, offset=offset, thresholds=thresholds, about=about)
    model.save(out)
    progress(f"{out.name} written")

    shipped = Model.load(out)
    return TrainingReport(
        trained_on=trained_on,
        thresholds=thresholds,
        folds=quality(probabilities, harmful, thresholds["flag"]),
        tests={name: evaluate(shipped, held) for name, held in tests.items()},
        file_bytes=out.stat().st_size,
    )


def evaluate(model: Model, samples: Sequence[Sample]) -> Quality:
    """The quality of `model` on samples that it has not seen."""
    probabilities = np.array([score.probability for score in model.score([sample.text for sample in samples])])
    return quality(probabilities, np.array([sample.harmful for sample in samples]), model.thresholds["flag"])


def held_out(data: Path) -> dict[str, list[Sample]]:
    """The test corpora in `data`, by name."""
    return {corpus.name: list(_samples(data, corpus)) for corpus in TESTS if _file(data, corpus).exists()}


def quality(probabilities: NDArray[np.float64], harmful: NDArray[np.bool_], threshold: float) -> Quality:
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    precision, recall, f1, _ = precision_recall_fscore_support(
        harmful, probabilities >= threshold, average="binary", zero_division=0.0
    )
    auroc = float(roc_auc_score(harmful, probabilities))
    return Quality(len(harmful), auroc, float(f1), float(precision), float(recall))


# ---- corpora ----------------------------------------------------------------------------------------------------


def _file(data: Path, corpus: Corpus) -> Path:
    return data / f"{corpus.name}.jsonl.gz"


def _samples(data: Path, corpus: Corpus) -> Iterator[Sample]:
    with gzip.open(_file(data, corpus), "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Sample(corpus.name, row["text"], corpus.harmful(row))


def _distinct(samples: Sequence[Sample], tests: Iterable[Sequence[Sample]]) -> list[Sample]:
    """The samples whose text, read loosely, is neither in a test set nor in an earlier sample."""
    seen = {_loosely(sample.text) for test in tests for sample in test} | {""}
    kept = []
    for sample in samples:
        key = _loosely(sample.text)
        if key not in seen:
            seen.add(key)
            kept.append(sample)
    return kept


def _loosely(text: str) -> str:
    return re.sub(r"\W|_", "", unicodedata.normalize("NFKC", canonical(text)).lower())


# ---- fitting ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What the model looks at, one line a sample."""

    grams: Any  # (n, 2 ** BITS) sparse: 1 / sqrt(distinct n-grams) where the n-gram occurs
    stems: NDArray[np.float32]  # (n, groups of the lexicon)
    origin: NDArray[np.bool_]  # (n, corpora)
    guided: NDArray[np.bool_]  # (n,) labelled as the guide corpus would
    harmful: NDArray[np.bool_]  # (n,)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "_Table":
        from scipy import sparse

        seen = features([read(views(sample.text).plain) for sample in samples])
        values = (1 / np.sqrt(np.maximum(seen.size, 1)))[seen.row]
        starts = np.concatenate([[0], np.cumsum(seen.size)])
        return cls(
            grams=sparse.csr_matrix((values, seen.bucket, starts), shape=(len(samples), 1 << BITS)),
            stems=seen.stems * STEM_SIZE,
            origin=np.array([[sample.corpus == corpus.name for corpus in TRAINING] for sample in samples]),
            guided=np.array([sample.corpus in {GUIDE, LEXICON} for sample in samples]),
            harmful=np.array([sample.harmful for sample in samples]),
        )

    @property
    def guide(self) -> NDArray[np.bool_]:
        """(n,) whether the sample is from the guide corpus."""
        return self.origin[:, _GUIDE_COLUMN]

    def only(self, chosen: NDArray[np.bool_]) -> "_Table":
        return _Table(
            self.grams[chosen], self.stems[chosen], self.origin[chosen], self.guided[chosen], self.harmful[chosen]
        )


def _importance(grams: Any, harmful: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(columns,) how freely the weight of each n-gram may grow: more for one that takes sides by its counts alone.

    Half the naive Bayes log-count ratio, half 1 (Wang and Manning, "Baselines and Bigrams", 2012).
    """
    there = grams.astype(bool)
    bad, good = (np.asarray(there[of].sum(axis=0), float).ravel() + 0.5 for of in (harmful, ~harmful))
    ratio: NDArray[np.float64] = np.abs(np.log((bad / bad.sum()) / (good / good.sum())))
    return 0.5 + 0.5 * ratio / float(np.average(ratio, weights=bad + good))


def _fitted(
    table: _Table,
    *,
    slope: float = 1.0,
    offset: float = 0.0,
    thresholds: Mapping[str, float] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Model:
    """The model that reads a text as the guide corpus would.

    Corpora disagree about what harm is, so that every feature has two columns: one that all corpora share and one of
    the guide's own, which learns where it differs (Daume III, "Frustratingly Easy Domain Adaptation", 2007). A column
    for each corpus takes up how freely it says yes. What is kept is the sum that holds for the guide.
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    used = np.unique(table.grams.indices)
    grams = table.grams[:, used]
    importance = _importance(grams, table.harmful)
    shared = sparse.hstack([grams @ sparse.diags(importance), sparse.csr_matrix(table.stems)], "csr")
    own = sparse.diags(table.guided.astype(float)) @ shared
    columns = sparse.hstack([shared, own, sparse.csr_matrix(table.origin.astype(float))], "csr")
    fit = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", tol=0.01, random_state=0)
    fit.fit(columns, table.harmful)

    of_all, of_guide, of_corpora = np.split(fit.coef_[0], [shared.shape[1], 2 * shared.shape[1]])
    exact, stems = np.split((of_all + of_guide) * slope, [len(used)])
    exact *= importance
    scale = float(np.abs(exact).max()) / 127 or 1.0
    weights = np.zeros(1 << BITS, np.int8)
    weights[used] = np.rint(exact / scale)
    return Model(
        weights=weights,
        scale=scale,
        stems=(stems * STEM_SIZE).astype(np.float32),
        bias=float(fit.intercept_[0] + of_corpora[_GUIDE_COLUMN]) * slope + offset,
        thresholds=dict(thresholds or {}),
        about=dict(about or {}),
    )


def _probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


def _platt(logits: NDArray[np.float64], harmful: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that turn logits into calibrated ones."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=1e6).fit(logits[:, None], harmful)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def _best_f1(probabilities: NDArray[np.float64], harmful: NDArray[np.bool_]) -> float:
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(harmful, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return round(float(thresholds[np.argmax(f1[:-1])]), 3)


def _first_precise(probabilities: NDArray[np.float64], harmful: NDArray[np.bool_], wanted: float) -> float:
    """The lowest threshold from which on the wanted precision is kept."""
    from sklearn.metrics import precision_recall_curve

    precision, _, thresholds = precision_recall_curve(harmful, probabilities)
    too_low = np.flatnonzero(precision[:-1] < wanted)
    return round(float(thresholds[min(too_low[-1] + 1, len(thresholds) - 1)]) if len(too_low) else 0.5, 3)
