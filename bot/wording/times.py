"""A moment, or how long something lasts -> as people write it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.core.text.catalogue import Texts


def moment(at: datetime, timezone: str, now: datetime) -> str:
    """With its year where that is not this year's; `now`: when somebody reads it, or what it stands beside."""
    here, year = at.astimezone(ZoneInfo(timezone)), now.astimezone(ZoneInfo(timezone)).year
    return here.strftime("%m-%d %H:%M" if here.year == year else "%Y-%m-%d %H:%M")


def span(lasting: timedelta, say: Texts) -> str:
    """In the largest unit that fits: "10분", "2시간", "3일"."""
    seconds = int(lasting.total_seconds())
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= length and seconds % length == 0:
            return say(f"span.{unit}", count=seconds // length)
    return say("span.minutes", count=max(1, round(seconds / 60)))


def age(seconds: float, say: Texts) -> str:
    """How long ago, in the largest unit of which it is a whole one."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return say(f"span.{unit}", count=int(seconds // length))
    return say("span.seconds", count=int(seconds))
