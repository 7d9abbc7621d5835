"""What a platform lets somebody do in a community, moderators and the bot itself alike, as plain names."""

from enum import StrEnum


class Right(StrEnum):
    """What somebody may do in a community by the platform's own rules."""

    REVIEW = "review"  # be a moderator at all
    DELETE = "delete"
    MUTE = "mute"
    KICK = "kick"
    BAN = "ban"
    MANAGE = "manage"
    OWN = "own"

    @property
    def is_over_members(self) -> bool:
        """Platforms ask more of whoever uses it than to have it: to stand above the member."""
        return self in (Right.MUTE, Right.KICK, Right.BAN)
