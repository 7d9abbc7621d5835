"""Recorded guard outputs: a JSON Lines file (plain or .gz) in, rows with the labels the guard wrote out.

A row has `prompt_ko`, `response`, `wg_raw_output` (what WildGuard-ko wrote about the pair) and `label`, the author's
"safe" or "unsafe" for the prompt, as in Marker-Inc-Korea/K-OverRefusal@22c61e6. The prompt verdict measured here is the
pair form's, which the dialect itself never uses: that is what was recorded.
"""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.guards.dialects import DEFAULT, DIALECTS, Form
from bot.core.base.errors import Broken
from bot.core.evaluation.measures import Confusion, confusion
from bot.core.evaluation.quality import Labelled
from bot.core.guarding.verdict import Exchange, Task

_PAIR_FORM = next(form for form in DIALECTS[DEFAULT].forms if form.judges == "response")

# Sources of what is labelled.
PROMPTS, SAID_OF_PROMPTS, SAID_OF_ANSWERS = "recorded_prompts", "said_of_prompts", "said_of_answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOutput:
    """One recorded row. `labels` maps the guard's fields to what it wrote; None where the output does not parse."""

    prompt: str
    response: str
    unsafe: bool
    raw: str
    labels: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptHarm:
    """How the recorded prompt verdicts agree with the authors' labels. Rows that do not parse are in no cell."""

    counts: Confusion
    rows: int
    unparsed: int
    skipped: int  # rows whose prompt occurs with both labels


def read_outputs(path: Path, form: Form = _PAIR_FORM) -> tuple[RecordedOutput, ...]:
    """All rows of the file, parsed with the given form. Raises Broken where the file cannot be read or is not what it
    should be; the message quotes nothing of it."""
    lines = enumerate(_lines(path), start=1)
    return tuple(_row(line, form, f"{path.name}, line {number}") for number, line in lines if line.strip())


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as problem:
        raise Broken(
            "{file} cannot be read as JSON Lines: {why}", file=path.name, why=type(problem).__name__
        ) from problem


def _row(line: str, form: Form, place: str) -> RecordedOutput:
    try:
        row = json.loads(line)
        raw, unsafe = row["wg_raw_output"], {"safe": False, "unsafe": True}[row["label"]]
        return RecordedOutput(
            prompt=row["prompt_ko"], response=row["response"], unsafe=unsafe, raw=raw, labels=form.labels(raw)
        )
    except (ValueError, KeyError, TypeError):
        raise Broken("{place}: not a recorded output", place=place) from None


def measure_prompt_harm(rows: Iterable[RecordedOutput], *, skip_double_labelled: bool = True) -> PromptHarm:
    """The recorded `Harmful request` against the safe/unsafe label. Prompts that occur with both labels cannot be
    judged right and are left out, unless told otherwise."""
    rows = tuple(rows)
    labels = defaultdict(set)
    for row in rows:
        labels[row.prompt].add(row.unsafe)
    kept = [row for row in rows if not skip_double_labelled or len(labels[row.prompt]) == 1]
    parsed = [(row.unsafe, row.labels["harmful_request"] == "yes") for row in kept if row.labels is not None]
    return PromptHarm(
        counts=confusion((truth for truth, _ in parsed), (said for _, said in parsed)),
        rows=len(rows),
        unparsed=len(kept) - len(parsed),
        skipped=len(rows) - len(kept),
    )


def labelled(rows: Iterable[RecordedOutput]) -> list[Labelled]:
    """What was asked of LLM bots and what they answered, as data like any other; the sources say whose the labels are.
    Of a prompt the author's, and what the guard wrote beside most of its responses; of a response what the guard wrote.
    Prompts that occur with both labels are left out."""
    said: defaultdict[str, list[bool]] = defaultdict(list)
    authors: defaultdict[str, set[bool]] = defaultdict(set)
    answered: dict[Exchange, bool] = {}
    for row in rows:
        authors[row.prompt].add(row.unsafe)
        if row.labels is not None:
            said[row.prompt].append(row.labels["harmful_request"] == "yes")
            exchange = Exchange(prompt=row.prompt, response=row.response)
            answered[exchange] = row.labels["harmful_response"] == "yes"
    prompts = {prompt: unsafe for prompt, (unsafe, *others) in authors.items() if not others}
    found = [(PROMPTS, Exchange(prompt=prompt), {Task.PROMPT_HARM: unsafe}) for prompt, unsafe in prompts.items()]
    found += [
        (SAID_OF_PROMPTS, Exchange(prompt=prompt), {Task.PROMPT_HARM: 2 * sum(said[prompt]) > len(said[prompt])})
        for prompt in prompts
        if said[prompt]
    ]
    found += [(SAID_OF_ANSWERS, exchange, {Task.RESPONSE_HARM: harmful}) for exchange, harmful in answered.items()]
    return [Labelled(exchange=exchange, labels=labels, source=source) for source, exchange, labels in found]
