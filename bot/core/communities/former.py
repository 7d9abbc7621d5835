"""Names that rules of the presets had in versions before -> the rules that do their work now."""

from collections.abc import Collection, Iterable, Mapping

_SUSPECTED = ("abuse", "hate", "sexual-harassment", "bullying", "doxxing", "advertising", "fraud", "unspecified")
_CERTAIN = ("abuse", "hate", "sexual-harassment", "unspecified")

#: Rules that looked at every kind of harm alike, and those that look at one kind each.
FORMER: Mapping[str, tuple[str, ...]] = {
    "abuse": (*(f"likely-{kind}" for kind in _SUSPECTED), "risky-request"),
    "severe-abuse": tuple(f"sure-{kind}" for kind in _CERTAIN),
}


def renewed(names: Iterable[str]) -> frozenset[str]:
    """All rules that these names stand for: themselves, and what was made of them."""
    return frozenset(new for name in names for new in (name, *FORMER.get(name, ())))


def renewed_bars(bars: Mapping[str, float], rules: Collection[str]) -> dict[str, float]:
    """By the names of today; where one was set under both, the name of today counts. `rules`: all that there are, for
    one of somebody's own may be called as another was before."""
    old = {name for name in bars if name in FORMER and name not in rules}
    made = {new: bars[name] for name in bars if name in old for new in FORMER[name]}
    return made | {name: bar for name, bar in bars.items() if name not in old}
