"""Files of labelled exchanges (JSON Lines, CSV, TSV, plain or .gz; Parquet) in; exchanges and their labels out.

A row has `prompt` and/or `response`, and for each task that was labelled a field of its name: `prompt_harm`,
`response_refusal`, `response_harm`. WildGuardMix's names (`prompt_harm_label` ...) and WildJailbreak's (`adversarial`,
`vanilla`, `completion`, `data_type`) are understood, and the Korean texts beside them in iknow-lab's translations
(`prompt_ko`, `response_ko` ...): where a file has those, no other text is read. Public Korean corpora of comments are
known by their file's name.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.base.errors import Broken, reason
from bot.core.evaluation.quality import Labelled
from bot.core.guarding.verdict import Exchange, Task

LONGEST = 2**31 - 1  # characters in a field of a table


@dataclass(frozen=True, slots=True)
class Corpus:
    """How one public corpus's own labels are read, and why so."""

    harmful: frozenset[str]
    harmless: frozenset[str]
    why: str
    is_list: bool = False  # comma-separated codes, harmful where any of them is


_BEEP = Corpus(frozenset({"offensive", "hate"}), frozenset({"none"}), "rude counts as harmful, like hate")
_KMHAS = Corpus(frozenset("01234567"), frozenset("8"), "every class of hate or profanity", is_list=True)

#: The one place where foreign labels become "harmful" or not, by file name. Policies differ from corpus to corpus, so
#: results are reported source by source. None of them labels "harmful request" in the sense of the guard models.
CORPORA: Mapping[str, Corpus] = {
    "beep_train": _BEEP,
    "beep_dev": _BEEP,
    "kmhas_valid": _KMHAS,
    "kmhas_test": _KMHAS,
    "kodoli": Corpus(
        frozenset({"LIKELY", "OFFEN"}),
        frozenset({"NOT"}),
        "implicit offence and abusive words without intent count too",
    ),
    "curse": Corpus(frozenset("1"), frozenset("0"), "swearing, slurs, sexual, demeaning, provoking; in doubt not"),
    "kosbi_valid": Corpus(
        frozenset({"unsafe"}), frozenset({"safe"}), "social bias of a sentence in its context, mostly in polite words"
    ),
    "chatbot": Corpus(frozenset(), frozenset({"benign"}), "daily talk: prompt and response are harmless throughout"),
}

_YES = frozenset({"true", "1", "1.0", "yes", "harmful", "unsafe", "refusal"})
_NO = frozenset({"false", "0", "0.0", "no", "unharmful", "harmless", "benign", "safe", "compliance"})
_UNLABELLED = frozenset({"", "none", "null", "nan", "n/a"})


def read_labelled(path: Path, columns: Mapping[str, str] | None = None) -> tuple[Labelled, ...]:
    """All rows of the file. `columns`: names that are understood -> those that the file has instead. Raises Broken
    where it cannot be read or is not what it should be; the message says where and what, and quotes nothing of the
    texts."""
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    named = columns or {}
    found = []
    for number, row in _rows(path):
        place = f"{path.name}:{number}"
        if missing := set(named.values()).difference(row):
            raise Broken("{place}: no column {column}", place=place, column=min(missing))
        found.append(_labelled({**row, **{name: row[theirs] for name, theirs in named.items()}}, stem, place, named))
    if not found:
        raise Broken("{file}: no rows", file=path.name)
    return tuple(found)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    kind = next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() != ".gz"), "")
    if kind == ".parquet":
        return _parquet(path)
    text = _text(path)
    return _table(path, text, "\t" if kind == ".tsv" else ",") if kind in (".csv", ".tsv") else _json_lines(path, text)


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise Broken('{file}: reading Parquet takes pyarrow: pip install "jikimi[parquet]"', file=path.name) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except FileNotFoundError:
        raise Broken("{path}: there is no such file", path=path) from None
    except (OSError, ArrowException) as problem:
        raise Broken("{file} cannot be read: {why}", file=path, why=reason(problem)) from problem
    return iter(enumerate(rows, start=1))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise Broken("{path}: there is no such file", path=path) from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as problem:
        raise Broken("{file} cannot be read: {why}", file=path, why=reason(problem)) from problem


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise Broken("{place}: not JSON", place=f"{path.name}:{number}") from None
        if not isinstance(row, dict):
            raise Broken("{place}: not a JSON object", place=f"{path.name}:{number}")
        yield number, row


def _table(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    others = csv.field_size_limit(LONGEST)  # of the whole process, whose other tables are strangers'
    try:
        for row in reader:
            if None in row or None in row.values():
                raise Broken(
                    "{place}: another number of columns than in the first line",
                    place=f"{path.name}:{reader.line_num}",
                )
            yield reader.line_num, row
    except csv.Error:
        raise Broken("{place}: not a table", place=f"{path.name}:{reader.line_num}") from None
    finally:
        csv.field_size_limit(others)


_ASKED = {"adversarial", "vanilla", "data_type", "prompt_harm_label"}  # of sets that hold requests to LLMs
_PROMPTS, _ANSWERS = ("prompt", "adversarial", "vanilla", "text"), ("response", "completion")


def _labelled(row: Mapping[str, Any], stem: str, place: str, named: Mapping[str, str]) -> Labelled:
    if stem in CORPORA and "text" in row:
        return _of_corpus(row, stem, place)
    prompt, answer = (_text_of(row, names, place, named) for names in (_PROMPTS, _ANSWERS))
    if prompt is None and not answer:
        raise Broken("{place}: neither prompt nor response", place=place)
    labels = {}
    for task in Task:
        value = row.get(str(task), row.get(f"{task}_label"))
        if value is None and task is Task.PROMPT_HARM and row.get("data_type"):
            value = str(row["data_type"]).rpartition("_")[2]  # adversarial_harmful, vanilla_benign
        if (said := _said(value, f"{place}: {task}")) is not None:
            labels[task] = said
    if not labels:
        raise Broken("{place}: no label; it needs one of {names}", place=place, names=", ".join(Task))
    is_pair = bool(labels.keys() - {Task.PROMPT_HARM})
    asks_an_llm = is_pair or answer is not None or bool(_ASKED.intersection(row))
    if answer is None and is_pair:
        raise Broken("{place}: a label of a response, but no response", place=place)
    return Labelled(
        exchange=Exchange(prompt=prompt, response=answer if answer or is_pair else None, is_chat=not asks_an_llm),
        labels=labels,
        source=str(row.get("source") or row.get("data_type") or stem),
    )


def _of_corpus(row: Mapping[str, Any], stem: str, place: str) -> Labelled:
    corpus = CORPORA[stem]
    label = str(row.get("label", ""))
    given = {code.strip() for code in label.split(",")} if corpus.is_list else {label}
    if not given <= corpus.harmful | corpus.harmless:
        raise Broken("{place}: a label that {stem} does not have", place=place, stem=stem)
    harmful = bool(given & corpus.harmful)
    response = row.get("response")
    labels = {Task.PROMPT_HARM: harmful}
    if response is not None:
        labels[Task.RESPONSE_HARM] = harmful
    return Labelled(
        exchange=Exchange(prompt=str(row["text"]), response=response, is_chat=response is None),
        labels=labels,
        source=stem,
    )


def _text_of(row: Mapping[str, Any], names: tuple[str, ...], place: str, named: Mapping[str, str]) -> str | None:
    """The first of these fields that is not empty, the Korean ones where the file has any; an empty one where no other
    is there. English is never taken for the Korean that lacks: that is said."""
    if not named and any(name.endswith("_ko") for name in row):
        korean, other = (_first(row, some, place) for some in (tuple(f"{name}_ko" for name in names), names))
        if other and not korean:
            raise Broken("{place}: {name} has no Korean text beside it ({name}_ko)", place=place, name=names[0])
        return korean
    return _first(row, names, place)


def _first(row: Mapping[str, Any], names: tuple[str, ...], place: str) -> str | None:
    found = None
    for name in names:
        value = row.get(name)
        if value is None or isinstance(value, bool) or str(value).casefold() in ("true", "false"):
            continue  # WildGuardMix says in `adversarial` whether a prompt is one
        if not isinstance(value, str):
            raise Broken("{place}: {name} must be text", place=place, name=name)
        found = found or value
    return found


def _said(value: object, place: str) -> bool | None:
    word = "" if value is None else str(value).strip().casefold()
    if word in _UNLABELLED:
        return None
    if word not in _YES | _NO:
        raise Broken("{place} must be true or false (or harmful / unharmful, refusal / compliance)", place=place)
    return word in _YES
