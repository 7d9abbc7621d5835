"""The guards that ship, their files read once in a process: that takes longest."""

from functools import cache

from adapters.guards.embedded import CommentsGuard, KindsGuard

comments, kinds = cache(CommentsGuard), cache(KindsGuard)
