"""Known examples are asked about at the start: what the published model says of them is said, or its difference is."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from structlog.testing import capture_logs

from adapters.guards.dialects import DIALECTS
from bot.app.guards import canaries
from bot.config import Config
from bot.config.guards import GuardSettings
from bot.core.base.errors import Unavailable
from bot.core.guarding.canary import ANOMALY, Canary, listen
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.verdict import Exchange, Screening, Task, Unscreened, Verdict
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard

RECORDED = Path(__file__).parents[2] / "data" / "wildguard_ko_outputs.jsonl"


def test_the_canaries_are_what_the_published_model_was_recorded_to_say() -> None:
    rows = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    recorded = {(row["prompt_ko"], row["response"]): row["wg_raw_output"] for row in rows}
    asked = DIALECTS["wildguard-ko"].canaries
    assert len(asked) == 3
    for one in asked:
        said = [
            line.rpartition(" ")[2] == "yes"
            for line in recorded[one.exchange.prompt, one.exchange.response].split("\n")[:3]
        ]
        assert list(one.labels.values()) == said and list(one.labels) == list(Task)
    assert all(any(one.labels[task] for one in asked) for task in Task), "each label is there both ways"


def test_they_are_asked_of_the_published_weights_alone() -> None:
    def asked(**chosen: str) -> int:
        return len(canaries(Config(guard=GuardSettings.model_validate(chosen))))

    assert asked(name="wildguard-ko") == asked(name="cascade") == asked(name="wildguard-ko-chat") == 3
    assert asked(name="wildguard-ko", model="mine") == asked(name="embedded") == asked(name="qwen3guard") == 0


GOOD = Canary(exchange=Exchange(prompt="착한 글"), labels={Task.PROMPT_HARM: False})
BAD = Canary(exchange=Exchange(prompt="나쁜 글"), labels={Task.PROMPT_HARM: True})


def heard(answers: dict[str, Screening | Exception | float], *, away: int = 0) -> tuple[int, str, int]:
    """Anomalies, what is said of them, and how often was asked."""

    class Coming(ScriptedGuard):
        async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
            if len(self.asked) < away:
                self.asked.append(())
                raise Unavailable("x")
            return await super().judge(exchanges)

    figures, guard, clock = QueueFigures(), Coming(answers), ManualClock()

    async def scenario() -> None:
        listening = asyncio.create_task(listen(guard, (GOOD, BAD), clock, figures))
        while not listening.done():
            await asyncio.sleep(0)
            await clock.advance(60)
        await listening

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert not any("글" in str(log) for log in logs), "no text is logged"
    return figures.anomalies[ANOMALY], logs[-1]["log_level"], len(guard.asked)


def test_a_guard_that_judges_otherwise_is_told_and_counted() -> None:
    assert heard({"나쁜 글": 0.9}) == (0, "info", 1)
    assert heard({"나쁜 글": 0.1}) == (1, "warning", 1)
    assert heard({"나쁜 글": 0.1, "착한 글": 0.7}) == (2, "warning", 1)
    assert heard({"나쁜 글": Unscreened("cut off", ScriptedGuard.version)}) == (1, "warning", 1)
    assert heard({"나쁜 글": Verdict(guard=ScriptedGuard.version)}) == (1, "warning", 1), "what it does not judge"


def test_one_that_is_away_is_asked_when_it_is_back_and_one_that_fails_stops_nothing() -> None:
    assert heard({"나쁜 글": 0.9}, away=3) == (0, "info", 4)
    assert heard({"나쁜 글": ValueError("x")}) == (0, "error", 1)
