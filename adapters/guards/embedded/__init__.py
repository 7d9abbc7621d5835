"""The embedded guard, which needs no GPU, no download and no token, and the one before it, which can be pinned."""

from adapters.guards.embedded.guard import EmbeddedGuard
from adapters.guards.embedded.kinds_guard import KindsGuard

__all__ = ["EmbeddedGuard", "KindsGuard"]
