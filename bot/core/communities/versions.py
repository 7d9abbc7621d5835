"""The part of a community's settings that is its policy: what has versions, and is handed out and taken in."""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.core.communities.community import Community

#: Those of its settings.
POLICY = (
    "preset", "mode", "kinds", "thresholds", "shadow", "rules", "lists", "night", "quiet", "ladder", "care",
    "exempt_roles", "exempt_channels", "overrides", "house_rules",
)  # fmt: skip
#: Those that name its own places, roles and people, and mean nothing anywhere else.
OWN = ("exempt_roles", "exempt_channels", "overrides")

MOST = 50  # versions of one community that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A policy as it was after a change. `number` counts the community's own; `by` is a name, empty: the bot itself,
    or unknown."""

    number: int
    at: datetime
    by: str
    policy: Community


def only_policy(community: Community) -> Community:
    """Without everything that is set besides."""
    return with_policy(Community.blank(community.ref), community)


def with_policy(now: Community, policy: Community, *, own: bool = True) -> Community:
    """`own`: with the places, roles and people that it names."""
    names = [name for name in POLICY if own or name not in OWN]
    return replace(now, **{name: getattr(policy, name) for name in names})


def is_versioned(before: Community, after: Community) -> bool:
    return only_policy(before) != only_policy(after)
