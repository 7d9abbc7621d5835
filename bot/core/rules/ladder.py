"""What a community does about a member who has offended again: so many strikes -> a step, taken or only proposed."""

from dataclasses import dataclass
from datetime import timedelta

from bot.core.rules.actions import Action, Ban, Kick, Timeout, Warn

#: How far it may go by itself, by the kind of action; or not at all.
OFF = "off"
REACHES = (OFF, Warn.kind, Timeout.kind, Kick.kind, Ban.kind)

MOST_STRIKES = 10  # that one offence can give


@dataclass(frozen=True, slots=True)
class Strike:
    """`weight` 0: it counts no more. `lasting`: after which it is forgiven."""

    weight: int
    lasting: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The first strike leads to the first step, and so on; who has more than there are steps is on the last. `reach`:
    steps up to the last of that kind are taken by the rules, the others are proposed to moderators."""

    steps: tuple[Action, ...] = (
        Warn(), Timeout(timedelta(minutes=10)), Timeout(timedelta(hours=1)), Timeout(timedelta(days=1)), Kick(), Ban(),
    )  # fmt: skip
    reach: str = OFF
    lasting: timedelta = timedelta(days=30)

    def strike(self, weight: int) -> Strike:
        return Strike(weight, self.lasting)

    def step(self, strikes: int) -> int:
        """Its number from 1 on; 0: none."""
        return min(strikes, len(self.steps))

    def action(self, strikes: int) -> Action | None:
        return self.steps[self.step(strikes) - 1] if strikes and self.steps else None

    def takes(self, step: int) -> bool:
        """Whether the rules may take it."""
        kinds = [action.kind for action in self.steps]
        return self.reach in kinds and step <= len(kinds) - kinds[::-1].index(self.reach)


#: What holds where nothing is configured.
USUAL = Ladder()
