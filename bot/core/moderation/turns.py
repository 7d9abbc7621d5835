"""What is under way, and what waits -> what is begun next: what protects first, the communities taking turns, and
nobody with more than a share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import TypeVar

from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.incident import PlannedAction

Waiting = TypeVar("Waiting")
Share = CommunityRef | Platform | None  # whose it is; None: the whole


@dataclass(frozen=True, slots=True)
class Lane:
    """Those who wait for the same: the actions of one community that protect, or those that do not."""

    community: CommunityRef
    protects: bool

    @classmethod
    def of(cls, planned: PlannedAction) -> "Lane":
        return cls(planned.message.community, planned.action.protects)


@dataclass(slots=True, kw_only=True)
class UnderWay:
    """Counts what is under way. A platform or a community that does not answer holds its share, and no more; of every
    share a quarter is kept for what protects."""

    whole: int
    platform: int
    community: int
    _counts: Counter[Share] = field(default_factory=Counter)

    def begin(self, lane: Lane) -> None:
        for share, _ in self._shares(lane):
            self._counts[share] += 1

    def end(self, lane: Lane) -> None:
        for share, _ in self._shares(lane):
            self._counts[share] -= 1
            if not self._counts[share]:
                del self._counts[share]

    @property
    def is_empty(self) -> bool:
        return not self._counts

    def room(self, lane: Lane) -> int:
        """How many more of a lane may be begun now."""
        left = (
            (size if lane.protects else size - size // 4) - self._counts[share] for share, size in self._shares(lane)
        )
        return max(0, min(left))

    def in_turns(self, waiting: Mapping[Lane, Sequence[Waiting]], limit: int) -> list[Waiting]:
        """One of each lane, then the next of each, in the order of the lanes; those that protect before all others."""
        after, chosen = replace(self, _counts=Counter(self._counts)), list[Waiting]()
        for protects in (True, False):
            lanes = [[(lane, one) for one in waiting[lane]] for lane in waiting if lane.protects is protects]
            for turn in chain.from_iterable(zip_longest(*lanes)):
                if turn and len(chosen) < limit and after.room(turn[0]):
                    after.begin(turn[0])
                    chosen.append(turn[1])
        return chosen

    def _shares(self, lane: Lane) -> tuple[tuple[Share, int], ...]:
        return (None, self.whole), (lane.community.platform, self.platform), (lane.community, self.community)
