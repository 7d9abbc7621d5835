"""A rule, another threshold for it, what is on record of the last days -> what it would have found more, and less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from bot.core.guarding.kinds import HarmKind
from bot.core.rules.conditions import Kind, Quarrel, Recurring
from bot.core.rules.policy import Rule

LOOKED_BACK = timedelta(days=30)
NEWEST = 2_000  # incidents that are looked at
STEPS = 20  # in which probabilities of messages are counted


class Scored(NamedTuple):
    """An incident: the first live rule that matched, how probable the kinds in question were (0..1; None: nobody has
    looked for them), and whether moderators have called it wrong (None: nothing yet)."""

    id: int
    rule: str | None
    probability: float | None
    wrong: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """`messages`: how many there were at each step, a twentieth wide; those of the lowest are not counted. `incidents`:
    the newest first."""

    messages: Mapping[int, int]
    incidents: Sequence[Scored]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """`more`: messages that it would have found, too, at most; `known` are incidents of other rules among them, and
    `known_wrong` those that were called wrong. `fewer`: its incidents that would have been none; None where nothing
    counts what it asks for."""

    rule: Rule
    before: float
    after: float
    more: int | None = 0
    known: int = 0
    known_wrong: int = 0
    fewer: int = 0
    fewer_wrong: int = 0
    fewer_right: int = 0


def kinds_of(rule: Rule) -> frozenset[HarmKind]:
    """Whose probability its threshold is about; none: it is about another score."""
    asked = (one.any_of for one in rule.when if isinstance(one, Kind | Recurring | Quarrel) and one.bar is not None)
    return next(asked, frozenset())


def bar_of(rule: Rule) -> float | None:
    return next((bar for condition in rule.when if (bar := condition.bar) is not None), None)


def what_if(rule: Rule, after: float, found: Probabilities) -> WhatIf | None:
    """None: the rule asks for no score."""
    if (before := bar_of(rule)) is None:
        return None
    if after >= before:
        lost = [one for one in found.incidents if one.rule == rule.name and one.probability is not None]
        lost = [one for one in lost if one.probability is not None and one.probability < after]
        wrong, right = (sum(one.wrong is called for one in lost) for called in (True, False))
        return WhatIf(rule=rule, before=before, after=after, fewer=len(lost), fewer_wrong=wrong, fewer_right=right)
    if not kinds_of(rule):
        return WhatIf(rule=rule, before=before, after=after, more=None)
    steps = [step for step in range(STEPS) if step / STEPS < before and (step + 1) / STEPS > after]
    among = [one for one in found.incidents if one.probability is not None and _step(one.probability) in steps]
    known = [one for one in among if one.probability is not None and after <= one.probability < before]
    beyond = len(among) - len(known)  # at the same step, and found already or not even then
    return WhatIf(
        rule=rule,
        before=before,
        after=after,
        more=max(sum(found.messages.get(step, 0) for step in steps) - beyond, len(known)),
        known=len(known),
        known_wrong=sum(one.wrong is True for one in known),
    )


def _step(probability: float) -> int:
    return min(int(probability * STEPS), STEPS - 1)
