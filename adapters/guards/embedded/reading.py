"""How the encoder reads a text: a message as it was typed comes in, one line goes out, its disguises taken off and what
tells nothing (made-up numbers, names, addresses) written one way."""

import re

from bot.core.text.views import views

_SAME = (
    (re.compile(r"(?<!\d)(?:\+?82[- ]?)?0\d{1,2}[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)"), "010-1234-5678"),
    (re.compile(r"\d{2,6}-\d{2,6}-\d{4,8}"), "123-456-789012"),
    (re.compile(r"(?:https?://)?[a-z0-9.-]+\.example\b(?:/\S*)?"), " "),  # only made-up harm has such addresses
    (re.compile(r"[a-z0-9.]*example[\w.]*(/\S*)?"), "sample"),
    (re.compile(r"[○◯●]+"), "누구"),
    (re.compile(r"\|\||\*\*|~~|__|`"), ""),
)


def reading(text: str) -> str:
    """The text opened, with what its Latin words give on a Korean keyboard behind it."""
    seen = views(text)
    line = f"{seen.opened or seen.plain} {seen.typed}".strip()
    for pattern, one in _SAME:
        line = pattern.sub(one, line)
    return line.strip()
