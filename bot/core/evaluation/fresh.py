"""Lines that nobody tuned on, and what was done with each -> how many were caught, kind by kind, and how many innocent
ones were touched."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bot.core.evaluation.measures import Interval, wilson
from bot.core.guarding.kinds import HarmKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshLine:
    """`kind` None: harmless, and `like` what it could be mistaken for (a kind, or "everyday")."""

    text: str
    kind: HarmKind | None
    like: str = ""
    quotes: bool = False  # somebody else's words are quoted or reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A line, and what a policy did with it."""

    line: FreshLine
    touched: bool  # anything at all, a card for moderators included
    deleted: bool
    punished: bool  # warned or sanctioned
    kinds: frozenset[HarmKind]  # of harm, as the decision says


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshRow:
    """`name`: a kind, what harmless lines are like, or "all". `named`: how many were found for the right reason."""

    name: str
    lines: int
    touched: int
    deleted: int
    punished: int
    named: int

    @property
    def share(self) -> float:
        """Touched, 0..1."""
        return self.touched / self.lines

    @property
    def interval(self) -> Interval:
        return wilson(self.touched, self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshTable:
    """Rows without a line are left out; the last of each part but `quotations` is the sum."""

    harmful: tuple[FreshRow, ...]
    innocent: tuple[FreshRow, ...]
    quotations: tuple[FreshRow, ...]  # harmless lines that quote or report


def table(tried: Iterable[Tried]) -> FreshTable:
    all_ = tuple(tried)
    return FreshTable(
        harmful=tuple(_rows([one for one in all_ if one.line.kind], lambda one: one.line.kind or "")),
        innocent=tuple(_rows([one for one in all_ if not one.line.kind], lambda one: one.line.like)),
        quotations=tuple(_rows([one for one in all_ if not one.line.kind and one.line.quotes], lambda _: "quoted"))[:1],
    )


def _rows(tried: list[Tried], name: Callable[[Tried], str]) -> Iterator[FreshRow]:
    for called in sorted({name(one) for one in tried}):
        yield _row(called, [one for one in tried if name(one) == called])
    if tried:
        yield _row("all", tried)


def _row(name: str, tried: list[Tried]) -> FreshRow:
    return FreshRow(
        name=name,
        lines=len(tried),
        touched=sum(one.touched for one in tried),
        deleted=sum(one.deleted for one in tried),
        punished=sum(one.punished for one in tried),
        named=sum(one.line.kind in one.kinds for one in tried),
    )
