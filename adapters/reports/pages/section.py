"""A report's words -> one section of its page, for a screen and for paper."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import ClassVar

from adapters.reports.pages.words import Words
from bot.core.reporting.figures import Entry
from bot.core.text.catalogue import texts_beside


class Section(ABC):
    """Made anew for every report. A section has a folder of its own, called as its class, and in it: the class, with
    the words and the chart; figures.py, with what only this section computes; section.html.j2, which knows the section
    as `it` and stands below its title; ko.toml and en.toml, with what only this section says, `title` first."""

    #: Whether paper may part it.
    is_long: ClassVar[bool] = False

    def __init__(self, words: Words) -> None:
        self.words = words
        self.report = words.report
        self.say = texts_beside(type(self).__module__, words.say.language)

    @property
    def name(self) -> str:
        """Its id on the page."""
        return type(self).__name__.lower()

    @property
    def template(self) -> str:
        folder = type(self).__module__.removeprefix(f"{__package__}.").replace(".", "/")
        return f"{folder}/section.html.j2"

    @property
    def title(self) -> str:
        return self.say["title"]

    @property
    @abstractmethod
    def is_shown(self) -> bool:
        """Whether there is something to tell."""

    @cached_property
    def chart(self) -> str:
        """As SVG; "": it has none."""
        return ""

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        """What in this section counts the incident, as its numbers name it: a kind of thing, and which one."""
        return ()
