"""Incidents -> how often moderators agreed, what members objected to, and how long reviews took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.core.reporting.figures import Entry
from bot.core.reporting.shares import Share, middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    agreement: Share  # of what moderators reviewed, what they did not call wrong
    false_positives: Share  # of what members felt and moderators reviewed, what was called wrong
    overturned: tuple[int, ...]
    appealed: tuple[int, ...]  # what members objected to
    appellants: int  # how many members objected
    upheld_appeals: tuple[int, ...]  # where moderators agreed with the member
    appeals: Share  # of what members objected to and moderators reviewed, what was called wrong
    time_to_review: timedelta | None  # the median


def opinions(entries: Sequence[Entry]) -> Opinions:
    reviewed = [entry for entry in entries if entry.review]
    visible = [entry for entry in reviewed if entry.is_acted]
    appealed = [entry for entry in entries if entry.appealed]
    waits = [entry.review.at - entry.decided_at for entry in entries if entry.review]
    return Opinions(
        agreement=Share(part=sum(not entry.is_overturned for entry in reviewed), whole=len(reviewed)),
        false_positives=Share(part=sum(entry.is_overturned for entry in visible), whole=len(visible)),
        overturned=tuple(entry.id for entry in reviewed if entry.is_overturned),
        appealed=tuple(entry.id for entry in appealed),
        appellants=len({entry.author for entry in appealed}),
        upheld_appeals=tuple(entry.id for entry in appealed if entry.is_overturned),
        appeals=Share(
            part=sum(entry.is_overturned for entry in appealed),
            whole=sum(entry.review is not None for entry in appealed),
        ),
        time_to_review=middle(waits) if waits else None,
    )
