"""The embedded guard: a small linear model that needs no GPU, no download and no token."""

from adapters.guards.embedded.guard import EmbeddedGuard

__all__ = ["EmbeddedGuard"]
