"""The shipped policies, in the same language that users write theirs in."""
