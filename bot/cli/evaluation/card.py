"""The model card's table again: the guards measured here, the card's own figures below them."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.app import tools
from bot.cli.evaluation.judging import Study, judge_rows, sampled
from bot.cli.shown import Outlet, Tabular
from bot.config import Config
from bot.core.base.errors import Broken, reason
from bot.core.evaluation.quality import evaluate
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts

_HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")

#: Column -> the task it measures.
CARD_COLUMNS = {
    "WJ": Task.PROMPT_HARM,
    "WG-Prompt": Task.PROMPT_HARM,
    "WG-Refusal": Task.RESPONSE_REFUSAL,
    "WG-Resp": Task.RESPONSE_HARM,
}
#: What the model card of iknow-lab/llama-3.2-3B-wildguard-ko-2410 states (F1 in %, Korean translations).
CARD: Mapping[str, tuple[float | None, ...]] = {
    "wildguard-ko": (80.116, 87.381, 60.126, 84.653),
    "wildguard": (59.542, 80.925, 61.986, 80.666),
    "llama-guard-3-8b": (39.058, 75.355, None, 78.242),
    "shieldgemma": (35.33, 42.66, None, None),
    "kosafeguard": (None, None, None, 81.79),
}


#: What was measured, guard by guard: one that fills the card is asked in a run of its own.
COLLECTED = "card.json"


async def card(files: Mapping[str, Path], study: Study, config: Config, say: Texts, outlet: Outlet) -> None:
    """`files`: one for each column that is to be measured, by raw scores. Cells that a guard cannot judge stay empty;
    what earlier runs measured stands beside."""
    collected = _collected(study.scores / COLLECTED)
    notes = []
    for name in study.guards:
        cells: dict[str, dict[str, Any]] = {}
        version = None
        for file in dict.fromkeys(files.values()):
            rows = sampled(tools.labelled(file, study.columns), study.limit)
            if foreign := sum(not _HANGUL.search(row.exchange.prompt or row.exchange.response or "") for row in rows):
                notes.append(say("eval.card_not_korean", file=file.name, rows=foreign))
            judged = await judge_rows(rows, name, config, say, study.scores, raw=True, as_card=study.as_card)
            version = judged.guard
            tasks = evaluate(judged.guard, rows, judged.screenings, threshold=study.threshold).tasks
            for column, path in files.items():
                quality = tasks.get(CARD_COLUMNS[column]) if path == file else None
                if quality and quality.measures and (f1 := quality.measures.f1).value is not None:
                    interval = None if f1.interval is None else [100 * f1.interval.low, 100 * f1.interval.high]
                    cells[column] = {
                        "f1": 100 * f1.value,
                        "interval": interval,
                        "rows": quality.labelled,
                        "unscreened": quality.unscreened,
                        "file": file.name,
                    }
        if version:
            collected[version.name] = collected.get(version.name, {}) | cells
    _keep(study.scores / COLLECTED, collected)
    outlet.take(
        {
            "metric": {column: f"F1 of {task}" for column, task in CARD_COLUMNS.items()},
            "measured": {
                name: {column: cells.get(column, {}).get("f1") for column in CARD_COLUMNS}
                for name, cells in collected.items()
            },
            "details": collected,
            "card": {name: dict(zip(CARD_COLUMNS, values, strict=True)) for name, values in CARD.items()},
        },
        [_table(collected, list(dict.fromkeys(notes)), say)],
    )


def _table(collected: Mapping[str, Mapping[str, Mapping[str, Any]]], notes: Sequence[str], say: Texts) -> Tabular:
    measured = [
        [
            say("eval.measured", guard=name),
            *(f"{cells[column]['f1']:.3f}" if column in cells else "-" for column in CARD_COLUMNS),
        ]
        for name, cells in collected.items()
    ]
    stated = [
        [say("eval.stated", guard=name), *("-" if value is None else f"{value:.3f}" for value in values)]
        for name, values in CARD.items()
    ]
    unscreened = [
        say("eval.card_unscreened", guard=name, column=column, unscreened=cell["unscreened"], rows=cell["rows"])
        for name, cells in collected.items()
        for column, cell in cells.items()
        if cell["unscreened"]
    ]
    return Tabular(
        title=say["eval.card"],
        columns=["", *(f"{column}: F1, {say[f'task.{task}']}" for column, task in CARD_COLUMNS.items())],
        rows=[*measured, *stated],
        notes=[say["eval.card_note"], *unscreened, *notes],
    )


def _collected(file: Path) -> dict[str, dict[str, dict[str, Any]]]:
    try:
        found: dict[str, dict[str, dict[str, Any]]] = json.loads(file.read_text("utf-8"))
        return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise Broken("{file}: not what an earlier run has left; remove it", file=file) from None


def _keep(file: Path, collected: Mapping[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(collected, ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise Broken("{path}: {why}", path=file, why=reason(error)) from error


def card_files(given: Sequence[str], say: Texts) -> dict[str, Path]:
    """["WJ=file", "WG=file"] -> a file for each column; WG stands for its three. Raises `Broken`."""
    files: dict[str, Path] = {}
    for entry in given:
        name, _, file = entry.partition("=")
        columns = [column for column in CARD_COLUMNS if column == name or (name == "WG" and column.startswith("WG-"))]
        if not columns or not file:
            raise Broken(say("eval.bad_card", given=entry, names=", ".join((*CARD_COLUMNS, "WG"))))
        files |= dict.fromkeys(columns, Path(file))
    return files
