"""A guard that gives the answers which were recorded, and what they call for: pairs of people's prompts and bots'
responses, judged once by a real model.

The recording holds the pair form's answers alone. How harmful a prompt is comes from its prompt-only form, which was
not recorded: the authors' label of the prompt stands in for it, and nothing where a prompt has both labels.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from adapters.evaluation.recorded_outputs import RecordedOutput, read_outputs
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened, Verdict

SUBSET = Path(__file__).parents[2] / "data" / "wildguard_ko_outputs.jsonl"

#: The rules of the replay, one for each thing that may be said of a pair. What is said is recorded; harm is acted on.
RULES = [
    {
        "name": name,
        "when": {"pair": {"is": name}},
        "then": ["delete"] if name == "harmful_answer" else ["flag"],
        "mode": "live" if name == "harmful_answer" else "shadow",
    }
    for name in ("harmful_answer", "answered_harm", "refused_harm", "over_refusal")
]


def recorded() -> tuple[RecordedOutput, ...]:
    """Every pair once. JIKIMI_RECORDED_OUTPUTS names another file than the one in the project."""
    rows = read_outputs(Path(os.environ.get("JIKIMI_RECORDED_OUTPUTS", SUBSET)))
    return tuple({(row.prompt, row.response): row for row in rows}.values())


class RecordedGuard:
    version = GuardVersion(name="recorded", model="iknow-lab/llama-3.2-3B-wildguard-ko-2410")
    tasks = frozenset(Task)

    def __init__(self, rows: Iterable[RecordedOutput]) -> None:
        self._rows = {(row.prompt.strip(), row.response.strip()): row for row in rows}
        self._unsafe = unsafe_prompts(self._rows.values())
        self.unknown: list[Exchange] = []

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        return [self._judge(exchange) for exchange in exchanges]

    def _judge(self, exchange: Exchange) -> Screening:
        prompt = (exchange.prompt or "").strip()
        if exchange.response is None:
            return Verdict.of_scores({Task.PROMPT_HARM: 0.0}, guard=self.version)
        row = self._rows.get((prompt, exchange.response.strip()))
        if row is None or row.labels is None:
            self.unknown.append(exchange)
            return Unscreened("not recorded", self.version)
        scores = {
            Task.RESPONSE_HARM: float(row.labels["harmful_response"] == "yes"),
            Task.RESPONSE_REFUSAL: float(row.labels["response_refusal"] == "yes"),
        }
        if (unsafe := self._unsafe[row.prompt]) is not None:
            scores[Task.PROMPT_HARM] = float(unsafe)
        return Verdict.of_scores(scores, guard=self.version)


def unsafe_prompts(rows: Iterable[RecordedOutput]) -> dict[str, bool | None]:
    """Whether each prompt is unsafe; None: it has both labels."""
    labels: dict[str, set[bool]] = defaultdict(set)
    for row in rows:
        labels[row.prompt].add(row.unsafe)
    return {prompt: said.pop() if len(said) == 1 else None for prompt, said in labels.items()}


def called_for(rows: Sequence[RecordedOutput]) -> list[frozenset[str]]:
    """The rules that each pair's recorded answer calls for, worked out apart from the product."""
    unsafe = unsafe_prompts(rows)
    wanted = []
    for row in rows:
        assert row.labels
        harmful, refused = row.labels["harmful_response"] == "yes", row.labels["response_refusal"] == "yes"
        names = {"harmful_answer"} if harmful else set()
        match unsafe[row.prompt], refused:
            case True, False:
                names.add("answered_harm")
            case True, True:
                names.add("refused_harm")
            case False, True:
                names.add("over_refusal")
        wanted.append(frozenset(names))
    return wanted
