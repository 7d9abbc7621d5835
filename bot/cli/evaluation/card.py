"""The model card's table again: the guards measured here, the card's own figures below them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.app import tools
from bot.cli.evaluation.judging import Study, judge_rows, sampled
from bot.cli.evaluation.tables import Outlet, Tabular
from bot.config import Config
from bot.core.base.errors import Broken
from bot.core.evaluation.quality import evaluate
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts

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


async def card(files: Mapping[str, Path], study: Study, config: Config, say: Texts, outlet: Outlet) -> None:
    """`files`: one for each column that is to be measured. Cells that a guard cannot judge stay empty."""
    measured: dict[str, list[float | None]] = {}
    for name in study.guards:
        f1: dict[str, float | None] = {}
        version = None
        for file in dict.fromkeys(files.values()):
            rows = sampled(tools.labelled(file), study.limit)
            judged = await judge_rows(rows, name, config, say, study.scores)
            version = judged.guard
            tasks = evaluate(judged.guard, rows, judged.screenings, threshold=study.threshold).tasks
            for column, path in files.items():
                quality = tasks.get(CARD_COLUMNS[column]) if path == file else None
                if quality and quality.measures:
                    f1[column] = quality.measures.f1.value
        if version:
            measured[version.name] = [None if (v := f1.get(c)) is None else 100 * v for c in CARD_COLUMNS]
    content = {
        "measured": {name: dict(zip(CARD_COLUMNS, values, strict=True)) for name, values in measured.items()},
        "card": {name: dict(zip(CARD_COLUMNS, values, strict=True)) for name, values in CARD.items()},
    }
    shown: list[tuple[str, Sequence[float | None]]] = [
        *((say("eval.measured", guard=name), values) for name, values in measured.items()),
        *((say("eval.stated", guard=name), values) for name, values in CARD.items()),
    ]
    table = Tabular(
        title=say["eval.card"],
        columns=["", *CARD_COLUMNS],
        rows=[[name, *("-" if value is None else f"{value:.3f}" for value in vs)] for name, vs in shown],
        notes=[say["eval.card_note"]],
    )
    outlet.take(content, [table])


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
