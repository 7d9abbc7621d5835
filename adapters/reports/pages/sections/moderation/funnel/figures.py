"""A period's totals -> the steps that messages took, each a part of one before."""

from dataclasses import dataclass

from bot.core.reporting.figures import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`number` messages or incidents, of the `whole` of the step `of`. `filled`: the share of the bar, 0..100."""

    name: str
    number: int
    of: str = ""
    whole: int = 0
    top: int
    is_of_messages: bool = False  # of incidents otherwise

    @property
    def filled(self) -> float:
        return 100 * self.number / max(self.top, self.number, 1)


def steps(totals: Totals) -> tuple[Step, ...]:
    seen, flagged = totals.seen, totals.flagged
    return (
        Step(name="seen", number=seen, top=seen, is_of_messages=True),
        Step(name="judged", number=totals.judged, of="seen", whole=seen, top=seen, is_of_messages=True),
        Step(name="flagged", number=flagged, of="judged", whole=totals.judged, top=flagged),
        Step(name="acted", number=totals.acted, of="flagged", whole=flagged, top=flagged),
        Step(name="reviewed", number=totals.reviewed, of="flagged", whole=flagged, top=flagged),
    )
