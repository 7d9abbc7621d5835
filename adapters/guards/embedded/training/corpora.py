"""What the embedded model learns from: the project's own lines and public corpora come in, texts with what each source
says of them go out. Where a source says nothing of a kind, nothing is learned of it."""

import gzip
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot.core.text.views import canonical

#: The kinds of harm that the project's lines are labelled with, as they stand there.
KINDS = (
    "abuse", "hate", "threat", "self_harm", "sexual_harassment", "grooming", "doxxing", "advertising", "fraud",
    "bullying",
)  # fmt: skip
PUBLIC = ("kmhas_valid", "beep_train", "kodoli", "curse", "kosbi_valid")
#: What is said of a text: any harm, each kind, whether it quotes or reports; harm as each public corpus sees it.
HEADS = ("harm", *KINDS, "quotes", *PUBLIC)
#: What nobody writes about in comments on news.
_ELSEWHERE = ("self_harm", "grooming", "doxxing", "advertising", "fraud")
_HATE = {"0", "4", "5", "6", "7"}  # K-MHaS: origin, age, gender, race, religion


@dataclass(frozen=True, slots=True)
class Lesson:
    text: str
    source: str  # the pen or the corpus
    says: Mapping[str, bool] = field(default_factory=dict)  # by head; absent: nothing is said


def own(corpus: Path) -> list[Lesson]:
    """The lines of `corpus`/lines, pen by pen."""
    return [
        Lesson(
            row["text"],
            row["pen"],
            {"harm": row["kind"] != "none", "quotes": row["quotes"]} | {kind: row["kind"] == kind for kind in KINDS},
        )
        for path in sorted((corpus / "lines").glob("*.jsonl"))
        for row in map(json.loads, path.read_text("utf-8").splitlines())
    ]


def public(data: Path) -> list[Lesson]:
    """The texts of the public corpora, without what two of them share or K-MHaS test and BEEP! dev hold."""
    seen = {loosely(row["text"]) for name in ("kmhas_test", "beep_dev") for row in _rows(data, name)} | {""}
    kept = []
    for name in (*PUBLIC, "chatbot", "komuchat"):
        for row in _rows(data, name):
            if (key := loosely(row["text"])) not in seen:
                seen.add(key)
                if not (name == "komuchat" and _kept_away(key)):
                    kept.append(Lesson(row["text"], name, dict(_said(name, row))))
    return kept


def kmhas_test(data: Path) -> list[tuple[str, bool]]:
    """K-MHaS test as (text, whether it is hate speech or profane)."""
    return [(row["text"], row["label"] != "8") for row in _rows(data, "kmhas_test")]


def everyday_test(data: Path) -> list[str]:
    """Every fourth line of KOMUChat, of which nothing is learned: nearly all of it is by people who mean no harm."""
    return [row["text"] for row in _rows(data, "komuchat") if _kept_away(loosely(row["text"]))]


def _kept_away(key: str) -> bool:
    return crc32(key.encode()) % 4 == 0


def _said(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    label = row.get("label", "")
    harmless = {"kmhas_valid": "8", "beep_train": "none", "kodoli": "NOT", "curse": "0", "kosbi_valid": "safe"}.get(
        name
    )
    if name in PUBLIC:
        yield name, label != harmless
    if name not in PUBLIC or (label == harmless and name != "kosbi_valid"):
        yield from ((head, False) for head in ("harm", *KINDS))
    elif name in {"kmhas_valid", "beep_train"}:
        yield from ((head, False) for head in _ELSEWHERE)
        if name == "kmhas_valid" and _HATE & set(label.split(",")):
            yield "hate", True


def loosely(text: str) -> str:
    """What two texts share that differ in signs and spaces only."""
    return re.sub(r"\W|_", "", unicodedata.normalize("NFKC", canonical(text)).lower())


def sampled(lessons: Sequence[Lesson], most: Mapping[str, int], chance: Random) -> list[Lesson]:
    """At most so many texts of each source."""
    by_source: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        by_source.setdefault(lesson.source, []).append(lesson)
    return [one for name, of in by_source.items() for one in chance.sample(of, min(len(of), most.get(name, len(of))))]


def said(lessons: Iterable[Lesson]) -> NDArray[np.float32]:
    """(lessons, heads) 1, 0, or NaN where nothing is said."""
    rows = [[np.nan if (yes := lesson.says.get(head)) is None else float(yes) for head in HEADS] for lesson in lessons]
    return np.array(rows, np.float32).reshape(-1, len(HEADS))


def _rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
