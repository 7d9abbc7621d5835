"""The embedded guard, which needs no GPU, no download and no token, and the one before it, which can be pinned."""

from adapters.guards.embedded.comments_guard import CommentsGuard
from adapters.guards.embedded.kinds_guard import KindsGuard

__all__ = ["CommentsGuard", "KindsGuard"]
