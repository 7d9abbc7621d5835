"""Patterns and a text -> which words were found, in which of the normalised views that the text can be read in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from bot.core.text.expressions import Found, NotLinear
from bot.core.text.lately import remembered
from bot.core.text.patterns import Patterns, Signs, compiled, signs_of
from bot.core.text.views import readings, views
from bot.core.text.words import WordList

#: What was found of a `Sought`: which words, in which view; None: nothing.
Words = Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Patterns that ship with the product, under a name for people."""

    name: str
    any_of: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Own patterns, those of a shipped group, or both. Patterns are plain text, or a regular expression between
    slashes. What `unless` matches is cut out first: the innocent reading wins, but only where it stands."""

    any_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    group: Group | None = None

    @property
    def is_linear(self) -> bool:
        """Whether it takes time in proportion to the text."""
        return _compiled(self) is not None

    def find(self, text: str) -> Words:
        """Which words were found, in which view of the text; every view is read with and without its spaces. Raises
        NotLinear."""
        return self.find_in(readings_of(text))

    def find_in(self, readings: "Readings") -> Words:
        both = _compiled(self)
        if both is None:
            raise NotLinear
        sought, innocent = both
        if not sought.may_stand_in(readings.signs):
            return None
        for reading in readings.each:
            if not (found := reading.search(sought)):
                continue
            if innocent and not (found := reading.without(innocent).search(sought)):
                continue
            return {"found": found.text, "view": reading.view}
        return None

    def trusted(self) -> "Sought":
        """The same, with the own patterns taken for reviewed ones: only for who can be killed."""
        group = self.group or Group(name="", any_of=())
        return Sought(group=Group(name="", any_of=self.any_of + group.any_of, unless=self.unless + group.unless))

    def finds_all_of(self, other: "Sought") -> bool:
        """Whether whatever the other finds is found by this one, too."""
        return other._sought() <= self._sought() and self._innocent() <= other._innocent()

    def _sought(self) -> frozenset[str]:
        return frozenset(self.any_of + (self.group.any_of if self.group else ()))

    def _innocent(self) -> frozenset[str]:
        return frozenset(self.unless + (self.group.unless if self.group else ()))


@lru_cache(maxsize=1024)
def _compiled(text: Sought) -> tuple[Patterns, Patterns | None] | None:
    """What is sought and what is innocent; None where only an engine that may take for ever understands it."""
    group = text.group or Group(name="", any_of=())
    try:
        innocent = compiled(text.unless, group.unless) if text.unless or group.unless else None
        return compiled(text.any_of, group.any_of), innocent
    except NotLinear:
        return None


#: Stands where an innocent reading was cut out, so that what is left and right of it does not grow together.
_CUT = "\N{OBJECT REPLACEMENT CHARACTER}"


class _Reading:
    """One view of a text, with and without its spaces."""

    __slots__ = ("close", "open", "view")

    def __init__(self, view: str, text: str) -> None:
        self.view, self.open, self.close = view, text, text.replace(" ", "")

    def search(self, sought: Patterns) -> Found | None:
        """As it stands there, with the spaces in it."""
        found = sought.search(self.open)
        if found or len(self.close) == len(self.open) or not (closed := sought.search(self.close)):
            return found
        places = self._letters()[closed.start : closed.end]
        return Found(self.open[places[0] : places[-1] + 1], places[0], places[-1] + 1) if places else closed

    def without(self, innocent: Patterns) -> "_Reading":
        """Every innocent reading cut out, those that only show without spaces included."""
        places = self._letters()
        spans: list[Sequence[int]] = [range(found.start, found.end) for found in innocent.finditer(self.open)]
        spans += [places[found.start : found.end] for found in innocent.finditer(self.close)]
        return self._cut(spans)

    def _letters(self) -> list[int]:
        """Where each character of `close` stands in `open`."""
        return [place for place, letter in enumerate(self.open) if letter != " "]

    def without_words(self, allowed: WordList) -> "_Reading":
        spans = [range(hit.start, hit.end) for hit in allowed.hits(self.open)]
        return self._cut(spans) if spans else self

    def _cut(self, spans: Iterable[Sequence[int]]) -> "_Reading":
        letters = list(self.open)
        for place in chain.from_iterable(spans):
            letters[place] = _CUT
        return _Reading(self.view, "".join(letters))


class Readings:
    """Every view of everything that a text can be read as, and the signs of all of them; read when first asked for.
    `allowed`: words that are cut out of it."""

    def __init__(self, text: str, allowed: WordList | None = None) -> None:
        self._text, self._allowed = text, allowed

    def without(self, allowed: WordList) -> "Readings":
        return Readings(self._text, allowed)

    def hit(self, words: WordList) -> Words:
        """The first of these words that stands in the text as a word, and in which view."""
        for reading in self.each:
            for hit in words.hits(reading.open):
                return {"found": hit.word, "view": reading.view}
        return None

    @cached_property
    def each(self) -> tuple[_Reading, ...]:
        seen = tuple(_Reading(view, seen) for one in readings(self._text) for view, seen in views(one))
        return tuple(one.without_words(self._allowed) for one in seen) if self._allowed else seen

    @cached_property
    def signs(self) -> Signs | None:
        """None for a long text: gathering them takes longer than searching, and most patterns' signs stand in it."""
        if len(self._text) > 2_000:
            return None
        texts = {text for reading in self.each for text in (reading.open, reading.close)}
        return signs_of("\n".join(texts))


def readings_of(text: str) -> Readings:
    return _remembered(text) if len(text) <= 500 else Readings(text)


#: The same few texts come again and again; long ones are read once, and not kept alive.
_remembered = remembered(Readings, most=1024)
