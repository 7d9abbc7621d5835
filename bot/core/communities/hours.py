"""Hours that come again every day, and what is different in them."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.core.rules.policy import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From one full hour to another, 0 to 23, by a community's clock; over midnight where the first is the later."""

    start: int
    end: int

    def hold(self, at: datetime, timezone: str) -> bool:
        hour = at.astimezone(ZoneInfo(timezone)).hour
        if self.start < self.end:
            return self.start <= hour < self.end
        return hour >= self.start or hour < self.end

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """None: as by day."""

    hours: Hours
    preset: str | None = None
    mode: Watch | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.hours), self.mode, self.preset)))
