"""A period's incidents, boiled down for the moderators."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core.communities.journal import Tally
from bot.core.guarding.verdict import Unscreened
from bot.core.incidents.incident import Incident
from bot.core.rules.actions import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """`start` <= decided < `end`. Counts are incidents, except `actions`, which counts what was really done."""

    start: datetime
    end: datetime
    kept: int
    settled: int
    incidents: tuple[Incident, ...]
    by_rule: Mapping[str, int]
    by_channel: Mapping[str, int]
    actions: Mapping[str, int]
    unscreened: int
    refused: Mapping[str, int]  # reason -> how often the platform said no


def summarise(incidents: Iterable[Incident], tally: Tally, *, start: datetime, end: datetime) -> Digest:
    listed = tuple(incidents)
    outcomes = [(action, outcome) for incident in listed for action, outcome in incident.outcomes]
    return Digest(
        start=start,
        end=end,
        kept=tally.kept,
        settled=tally.settled,
        incidents=listed,
        by_rule=_count(incident.decision.rule or "" for incident in listed),
        by_channel=_count(incident.decision.message.ref.channel_id for incident in listed),
        actions=_count(action.kind for action, outcome in outcomes if outcome and outcome.kind in ("done", "gone")),
        unscreened=sum(isinstance(incident.decision.screening, Unscreened) for incident in listed),
        refused=_count(outcome.reason for _, outcome in outcomes if isinstance(outcome, Refused)),
    )


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
