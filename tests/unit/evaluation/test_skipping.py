"""What a cascade's first look keeps from its second guard is counted, chat and what is asked of LLMs apart."""

from pathlib import Path

from adapters.evaluation.recorded_outputs import PROMPTS, SAID_OF_ANSWERS, SAID_OF_PROMPTS, labelled, read_outputs
from bot.core.evaluation.quality import Labelled
from bot.core.evaluation.skipping import Skipping, skipping
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened, Verdict

FIXTURE = Path(__file__).parents[2] / "data" / "wildguard_ko_outputs.jsonl"
FIRST = GuardVersion(name="first")


def said(score: float) -> Screening:
    return Verdict.of_scores({Task.PROMPT_HARM: score}, guard=FIRST)


def row(text: str, *, harmful: bool, chat: bool = True) -> Labelled:
    return Labelled(exchange=Exchange(prompt=text, is_chat=chat), labels={Task.PROMPT_HARM: harmful}, source="talk")


def test_chat_and_what_llms_are_asked_stand_apart() -> None:
    rows = [
        row("가", harmful=False), row("나", harmful=True), row("다", harmful=True), row("라", harmful=False),
        row("마", harmful=True, chat=False), row("바", harmful=True, chat=False),
    ]  # fmt: skip
    screenings = [said(0.01), said(0.02), said(0.05), Unscreened("away", FIRST), said(0.0), said(0.5)]
    found = skipping(rows, screenings, below=0.05)
    assert found == [
        Skipping(source="talk", is_chat=True, rows=4, low=2, harmful=2, missed=1),
        Skipping(source="talk", is_chat=False, rows=2, low=1, harmful=2, missed=1),
    ]
    share = found[0].missed_share
    assert share and share.low < 0.5 < share.high
    (harmless,) = skipping(rows[:1], screenings[:1], below=0.05)
    assert harmless.missed_share is None


def test_recorded_outputs_are_data_of_what_llms_are_asked() -> None:
    rows = labelled(recorded := read_outputs(FIXTURE))
    sources = (PROMPTS, SAID_OF_PROMPTS, SAID_OF_ANSWERS)
    of = {source: [one for one in rows if one.source == source] for source in sources}
    assert sum(map(len, of.values())) == len(rows) and not any(one.exchange.is_chat for one in rows)
    both = {one.prompt for one in recorded if one.unsafe} & {one.prompt for one in recorded if not one.unsafe}
    prompts = {one.prompt for one in recorded}
    assert both and {one.exchange.prompt for one in of[PROMPTS]} == prompts - both
    assert len(of[PROMPTS]) == len(of[SAID_OF_PROMPTS]) == len(prompts - both), "each once"
    assert sum(one.labels[Task.RESPONSE_HARM] for one in of[SAID_OF_ANSWERS]) == 4, "as their triples say"
