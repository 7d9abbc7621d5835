"""The look that pages, charts and pictures share: colours that colour-blind readers tell apart, one Korean typeface."""

import base64
from functools import lru_cache

import uharfbuzz

from adapters import typeface

FAMILY = "Noto Sans KR"

#: Okabe and Ito's palette (2008), for the groups of words.GROUPS and for what stands out.
COLOURS = {"delete": "#d55e00", "sanction": "#cc79a7", "escalate": "#e69f00", "flag": "#56b4e9"}
ACCENT = "#0072b2"

#: Colours of a chart that follow the page's scheme, with the page's names for them.
INK, SOFT, RULE, PAPER = "#14171a", "#56606b", "#d7dce2", "#fffffe"
SCHEME = {INK: "var(--ink)", SOFT: "var(--soft)", RULE: "var(--rule)", PAPER: "var(--paper)", ACCENT: "var(--accent)"}


def font_file() -> str:
    return str(typeface.FILE)


@lru_cache
def _face() -> uharfbuzz.Face:
    return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(font_file()))


@lru_cache
def glyphs() -> frozenset[int]:
    """Every character that the typeface can show."""
    return frozenset(_face().unicodes)


def showable(text: str) -> str:
    """Without what the typeface has no sign for: emoji in the names of channels, mostly."""
    return " ".join("".join(sign for sign in text if ord(sign) in glyphs() or sign == " ").split()) or "?"


def font_for(text: str) -> str:
    """The typeface with the characters of a text only, as a data: URL."""
    wanted = uharfbuzz.SubsetInput()
    wanted.unicode_set.update(set(map(ord, text)) & glyphs())
    wanted.flags = uharfbuzz.SubsetFlags.NO_HINTING
    kept = uharfbuzz.subset(_face(), wanted).blob.data
    return "data:font/otf;base64," + base64.b64encode(kept).decode()
