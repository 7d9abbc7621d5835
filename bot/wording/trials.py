"""How a guard on trial does -> sentences."""

from collections.abc import Iterator

from bot.core.reporting.figures import TrialFigures
from bot.core.rules.difference import Difference
from bot.core.text.catalogue import Texts


def trial_lines(found: TrialFigures, say: Texts) -> Iterator[str]:
    yield say("trial.judged", guard=found.guard, count=found.judged, passed_over=found.passed_over)
    if not any(found.counts.values()):
        yield say["trial.same"]
    for one in Difference:
        if kinds := found.counts[one]:
            most = sorted(kinds.items(), key=lambda of: (-of[1], of[0]))
            named = ", ".join(say("trial.kind", kind=say[f"kind.{kind}"], count=number) for kind, number in most)
            yield say(f"trial.{one}", count=sum(kinds.values()), kinds=named) + _called(found, one, say)


def _called(found: TrialFigures, one: Difference, say: Texts) -> str:
    wrong, right = found.wrong[one], found.right[one]
    return " " + say("trial.called", wrong=wrong, right=right) if wrong or right else ""
