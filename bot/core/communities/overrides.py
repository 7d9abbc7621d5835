"""What holds in one part of a community, or for who has one role, instead of what the community has set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core.chat.message import Message
from bot.core.rules.policy import Watch

MOST = 100  # of one community


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """None: as the community has it. `off`: no rule applies. `until`: then it holds no longer."""

    mode: Watch | None = None
    preset: str | None = None
    off: bool = False
    until: datetime | None = None

    def __str__(self) -> str:
        until = self.until.isoformat(timespec="minutes") if self.until else None
        return " ".join(filter(None, (self.mode, self.preset, "off" if self.off else None, until)))


#: By the platform's id of a place (a channel with its threads, a topic, a category) or of a role.
Overrides = Mapping[str, Override]


def about(overrides: Overrides, message: Message, at: datetime) -> tuple[tuple[str, Override], ...]:
    """Those that hold for a message: what is further off first, of its own channel then, of its author's roles last."""
    author, own = message.author, message.ref.channel_id
    held = [
        (of, one)
        for of, one in sorted(overrides.items())
        if (of in message.places or of in author.roles) and (one.until is None or at < one.until)
    ]
    return tuple(sorted(held, key=lambda pair: (pair[0] in author.roles, pair[0] == own)))
