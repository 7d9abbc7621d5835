"""What holds in one part of a community, or for some of its members, instead of what the community has set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core.chat.message import Message
from bot.core.rules.policy import Watch

MOST = 100  # of one community


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """None: as the community has it. `off`: no rule applies. `until`: then it holds no longer. `place`: it is about a
    place, not about people."""

    mode: Watch | None = None
    preset: str | None = None
    off: bool = False
    thresholds: tuple[tuple[str, float], ...] = ()  # rule and score from which it matches
    until: datetime | None = None
    place: bool = True

    def __str__(self) -> str:
        until = self.until.isoformat(timespec="minutes") if self.until else None
        bars = (f"{rule} {score:g}" for rule, score in self.thresholds)
        return " ".join(filter(None, (self.mode, self.preset, "off" if self.off else None, *bars, until)))


#: By the platform's id of a place (a channel with its threads, a topic, a category), of a role or of a member.
Overrides = Mapping[str, Override]


def about(overrides: Overrides, message: Message, at: datetime) -> tuple[tuple[str, Override], ...]:
    """Those that hold for a message: of places further off first, of its own channel then, of who wrote it last."""
    author, own = {*message.author.roles, message.author.id}, message.ref.channel_id
    held = [
        (of, one)
        for of, one in sorted(overrides.items())
        if (of in message.places or of in author) and (one.until is None or at < one.until)
    ]
    return tuple(sorted(held, key=lambda pair: (pair[0] in author, pair[0] == own)))


def with_others(overrides: Overrides, others: Overrides, at: datetime) -> Overrides | None:
    """With others in their stead, and without those that have ended; None where there would be too many."""
    left = {of: one for of, one in overrides.items() if one.until is None or at < one.until} | dict(others)
    return left if len(left) <= MOST else None
