"""What a process is there for, as whoever starts it says."""

from enum import StrEnum


class Role(StrEnum):
    CHAT = "chat"  # connected: it hears, answers, and does its part of everything that needs no connection
    GUARD = "guard"  # judges what is heard
    ACT = "act"  # does what was decided, without being connected
    REPORT = "report"  # makes and posts reports, without being connected
    API = "api"  # judges what is asked over HTTP
    ALL = "all"


#: What takes the networks, what does there what was decided, and what takes the guard.
REACHING = frozenset({Role.CHAT, Role.ACT, Role.REPORT})
ACTING = frozenset({Role.CHAT, Role.ACT})
JUDGING = frozenset({Role.CHAT, Role.GUARD, Role.API})
