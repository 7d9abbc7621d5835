"""Who has come to a community and who has broken its rules there, lately -> whether that is a raid."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.core.base.bounded import Bounded
from bot.core.incidents.incident import Settlement
from bot.core.incidents.raids.raid import Sign
from bot.core.rules.policy import Mode

#: So many different members within so long. The longer spans find waves that stay below the shorter ones.
BARS = {
    Sign.JOINS: ((20, timedelta(minutes=1)), (50, timedelta(minutes=10))),
    Sign.OFFENCES: ((10, timedelta(minutes=1)), (25, timedelta(minutes=10))),
}
LATELY = timedelta(minutes=10)  # the longest of them: who belongs to a raid that is noticed now

#: Where many come and go on every day, it takes so many times as many as in the hour before.
TIMES, USUAL = 4, timedelta(hours=1)

NEW = timedelta(minutes=10)  # whoever is here for less has just come
REMEMBERED = 5_000  # members of each sign


@dataclass(slots=True)
class Crowd:
    """Different members in the order in which they came; who comes again is remembered where they first did."""

    _at: Bounded[str, datetime] = field(default_factory=lambda: Bounded(REMEMBERED))
    _times: deque[datetime] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def add(self, member: str, at: datetime) -> bool:
        """Whether they have not been seen in the last hour."""
        known = self._at.get(member)
        if known is not None and at - known <= USUAL:
            return False
        self._at[member] = at
        self._times.append(at)
        return True

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        for member in [member for member in self._at if is_theirs(member)]:
            del self._at[member]

    def since(self, moment: datetime) -> dict[str, datetime]:
        return {member: at for member, at in self._at.items() if at >= moment}

    def is_too_many(self, sign: Sign, now: datetime) -> bool:
        hour = [at for at in self._times if now - USUAL <= at < now - LATELY]
        usual = len(hour) / (USUAL - LATELY).total_seconds()
        for floor, within in BARS[sign]:
            bar = max(floor, TIMES * usual * within.total_seconds())
            if sum(at > now - within for at in self._times) >= bar:
                return True
        return False


def seen(settlement: Settlement) -> frozenset[Sign]:
    """What somebody has done that a raid is noticed by; nothing of what is late, and of whom no rule would touch."""
    decision = settlement.decision
    message, author = decision.message, decision.message.author
    if author.bot or author.no_account or author.is_staff or not author.id:
        return frozenset()
    if settlement.decided_at - message.sent_at > timedelta(minutes=2):
        return frozenset()
    signs = set()
    if author.since is not None and message.sent_at - author.since < NEW:
        signs.add(Sign.JOINS)
    if any(finding.matched and finding.mode is Mode.LIVE for finding in decision.findings):
        signs.add(Sign.OFFENCES)
    return frozenset(signs)
