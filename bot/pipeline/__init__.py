"""One asynchronous stage each, over ports."""
