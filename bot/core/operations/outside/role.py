"""What a process is there for, as whoever starts it says."""

from enum import StrEnum


class Role(StrEnum):
    CHAT = "chat"  # connected: it hears, acts, answers and posts
    GUARD = "guard"  # judges what is heard
    API = "api"  # judges what is asked over HTTP
    ALL = "all"
