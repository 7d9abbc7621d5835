"""Jikimi on a machine that has never seen it: the README walked word for word, and what one installs it with."""
