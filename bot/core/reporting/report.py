"""The figures of a period and of those before it -> what every form of a report tells: changes, days, rankings, advice.

What only one section of the page tells is computed in that section's folder.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from bot.core.chat.message import CommunityRef
from bot.core.reporting.advice import Advice, advise
from bot.core.reporting.figures import Entry, Figures, Totals
from bot.core.reporting.periods import Period
from bot.core.reporting.rankings import Line, ranking
from bot.core.reporting.shares import MEANINGFUL, Change, Share
from bot.core.rules.actions import NO_ROOM, Refused

#: How many periods before this one make the mean.
EARLIER = 4


@dataclass(frozen=True, kw_only=True)
class Report:
    """One community's period. `place`: where its messages and cards are to be opened. `earlier`: the periods before,
    the nearest first, from the first one with a message. `sent_to`: where what is said goes to be judged or read,
    beyond this machine."""

    community: str
    period: Period
    figures: Figures
    place: CommunityRef | None = None
    earlier: tuple[tuple[Period, Totals], ...] = ()
    sent_to: tuple[str, ...] = ()

    @cached_property
    def totals(self) -> Totals:
        return self.figures.totals

    @cached_property
    def live(self) -> tuple[Entry, ...]:
        return self.figures.live

    @property
    def before(self) -> Totals | None:
        return self.earlier[0][1] if self.earlier else None

    @property
    def is_empty(self) -> bool:
        return not self.figures.seen and not self.figures.entries

    @property
    def is_quiet(self) -> bool:
        """No live rule matched."""
        return not self.live

    @property
    def is_first(self) -> bool:
        return not self.earlier

    @property
    def is_ahead(self) -> bool:
        """Nothing of it was there yet."""
        return self.is_empty and self.figures.at is not None and self.figures.at < self.period.start

    @property
    def is_unfinished(self) -> bool:
        return self.figures.at is not None and self.period.start <= self.figures.at < self.period.end

    def change(self, of: Callable[[Totals], int]) -> Change:
        """`of` picks the number that is compared; a part of a period is not compared with a whole one."""
        if not self.earlier or self.is_unfinished:
            return Change(now=of(self.totals))
        numbers = [of(totals) for _, totals in self.earlier]
        return Change(now=of(self.totals), before=numbers[0], mean=sum(numbers) / len(numbers))

    @property
    def flagged_before(self) -> tuple[Share, Share] | None:
        """Of what was written what matched, in this period and in the one before; None: too little to tell."""
        shares = [Share(part=one.flagged, whole=one.seen) for one in (self.totals, self.before) if one]
        is_enough = all(one.interval and one.part >= MEANINGFUL for one in shares)
        return (shares[0], shares[1]) if len(shares) == 2 and is_enough and not self.is_unfinished else None

    @cached_property
    def actions_by_day(self) -> Mapping[date, Mapping[str, int]]:
        """Actions really done, for every day of the period, by the day of the decision."""
        counts: dict[date, Counter[str]] = {of: Counter() for of in self.period.days()}
        for entry in self.live:
            counts[self.local(entry.decided_at).date()].update(
                action.kind for action in entry.actions if action.is_done
            )
        return counts

    @cached_property
    def messages_by_day(self) -> Mapping[date, int]:
        counts = dict.fromkeys(self.period.days(), 0)
        for moment, count in self.figures.by_quarter.items():
            counts[self.local(moment).date()] += count
        return counts

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.period.timezone)

    @cached_property
    def rules(self) -> tuple[Line, ...]:
        before = self.before.rules if self.before else None
        return ranking(((entry.rule or "", entry.id) for entry in self.live), before)

    @cached_property
    def kinds(self) -> tuple[Line, ...]:
        """Of harm; under an empty name what is of none."""
        before = self.before.kinds if self.before else None
        return ranking(((str(kind), entry.id) for entry in self.live for kind in entry.kinds or ("",)), before)

    def failed(self, state: str) -> tuple[Line, ...]:
        """Why the platform refused actions (`Refused.kind`), or which may or may not be done (`Unconfirmed.kind`)."""
        actions = ((action, entry.id) for entry in self.figures.entries for action in entry.actions)
        return ranking((action.reason or action.kind, number) for action, number in actions if action.state == state)

    @property
    def refused(self) -> int:
        """Actions that the platform refused."""
        return sum(line.count for line in self.failed(Refused.kind) if line.name != NO_ROOM)

    @property
    def unshown(self) -> int:
        """What was to be shown to moderators who have chosen no place for it."""
        return sum(line.count for line in self.failed(Refused.kind) if line.name == NO_ROOM)

    @cached_property
    def advice(self) -> tuple[Advice, ...]:
        return advise(self.live)


def compose(
    community: str,
    period: Period,
    figures: Figures,
    earlier: Sequence[tuple[Period, Totals]],
    place: CommunityRef | None = None,
) -> Report:
    """`earlier`: the periods before, the nearest first. Those before a community's first message do not count."""
    known = [place for place, (_, totals) in enumerate(earlier) if totals.seen or totals.flagged]
    kept = tuple(earlier[: known[-1] + 1]) if known else ()
    return Report(community=community, period=period, figures=figures, place=place, earlier=kept)
