"""The look that pages, charts and pictures share: colours that colour-blind readers tell apart, one Korean typeface."""

import base64
import io
from functools import lru_cache

import pylopdf_fonts_ko
from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "Noto Sans KR"

#: Okabe and Ito's palette (2008), for the groups of words.GROUPS and for what stands out.
COLOURS = {"delete": "#d55e00", "sanction": "#cc79a7", "escalate": "#e69f00", "flag": "#56b4e9"}
ACCENT = "#0072b2"

#: Colours of a chart that follow the page's scheme, with the page's names for them.
INK, SOFT, RULE, PAPER = "#14171a", "#56606b", "#d7dce2", "#fffffe"
SCHEME = {INK: "var(--ink)", SOFT: "var(--soft)", RULE: "var(--rule)", PAPER: "var(--paper)", ACCENT: "var(--accent)"}


def font_file() -> str:
    return str(pylopdf_fonts_ko.sans_path())


@lru_cache
def glyphs() -> frozenset[int]:
    """Every character that the typeface can show."""
    with TTFont(font_file(), lazy=True) as font:
        return frozenset(font.getBestCmap())


def showable(text: str) -> str:
    """Without what the typeface has no sign for: emoji in the names of channels, mostly."""
    return " ".join("".join(sign for sign in text if ord(sign) in glyphs() or sign == " ").split()) or "?"


@lru_cache(maxsize=8)
def font_for(characters: frozenset[str]) -> str:
    """The typeface with only these characters, as a data: URL."""
    options = subset.Options()
    options.flavor = "woff2"
    options.hinting = False
    options.layout_features = ["kern", "liga"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters))
    stream = io.BytesIO()
    with subset.load_font(font_file(), options, lazy=True) as font:
        subsetter.subset(font)
        subset.save_font(font, stream, options)
    return "data:font/woff2;base64," + base64.b64encode(stream.getvalue()).decode()
