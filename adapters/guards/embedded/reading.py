"""How the guard reads a text: a message as it was typed comes in, one line goes out, its disguises taken off and what
tells nothing by itself (numbers, names to write to, addresses) written one way."""

import re

from bot.core.text.views import views

_ENDS = (
    "example|com|net|org|kr|co|io|gg|me|tv|ly|to|cc|xyz|top|shop|site|online|club|vip|info|biz|store|app|dev|icu|asia|bet"
    "|casino|link|live|page|pro|win|fun|jp|cn|tw|hk|vn|ru|uk|eu|us|be|gl"
)
_HOST = rf"(?<![\w@.])(?:[a-z0-9○◯●][\w○◯●-]*\.)+(?:{_ENDS})(?![a-z0-9])(?:[:/]\S*)?"
_NAME = r"(?<![a-z0-9])(?:@ ?(?!(?:everyone|here)(?![a-z]))[a-z0-9][\w.-]{2,31}|(?:made|exam)[_-][\w.#-]+)"
LATEST = 2  # what is taught today
_SAME: dict[int, tuple[tuple[re.Pattern[str], str], ...]] = {
    2: (
        (re.compile(r"[○◯●]+(?![\w-]*\.[a-z])"), "누구"),
        (re.compile(rf"https?://\S+|{_HOST}"), " 링크 "),
        (re.compile(_NAME), "@아이디"),
        (re.compile(r"(?<![\d-])0([68])0[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)"), r"0\g<1>0-123-4567"),
        (re.compile(r"(?<!\d)(?:\+?82[- ]?)?0(?![68]0)\d{1,2}[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)"), "010-1234-5678"),
        (re.compile(r"(?<!\d)(?!0)\d{2,6}-\d{2,6}-\d{4,8}"), "123-456-789012"),
        (re.compile(r"\|\||\*\*|~~|__|`"), ""),
    )
}
_SAME[1] = (
    (re.compile(r"(?<!\d)(?:\+?82[- ]?)?0\d{1,2}[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)"), "010-1234-5678"),
    (re.compile(r"\d{2,6}-\d{2,6}-\d{4,8}"), "123-456-789012"),
    (re.compile(r"(?:https?://)?[a-z0-9.-]+\.example\b(?:/\S*)?"), " "),  # only made-up harm has such addresses
    (re.compile(r"[a-z0-9.]*example[\w.]*(/\S*)?"), "sample"),
    (re.compile(r"[○◯●]+"), "누구"),
    _SAME[2][-1],
)


def reading(text: str, way: int = LATEST) -> str:
    """The text opened, with what its Latin words give on a Korean keyboard behind it. `way`: each model reads as it was
    taught, so that one that is pinned finds what it found."""
    seen = views(text)
    line = f"{seen.opened or seen.plain} {seen.typed}".strip()
    for pattern, one in _SAME[way]:
        line = pattern.sub(one, line)
    return " ".join(line.split())
