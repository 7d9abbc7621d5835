"""What needs somebody now: what is urgent first, what waits, what the platform refused, what could not be judged."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry, carried_since


class Need(NamedTuple):
    """`code` names the sentence; `number` leads to the incidents that it counts, where they are of this period; `to`:
    which they are, as far as that is known; `section`: which one on the page tells more."""

    code: str
    number: int
    leads: bool
    facts: Mapping[str, object]
    to: Sequence[int] = ()
    section: str = ""


class Today(Section):
    @property
    def is_shown(self) -> bool:
        return not self.report.is_quiet  # then the headline says it all

    @cached_property
    def needs(self) -> list[Need]:
        figures, backlog = self.report.figures, self.report.figures.backlog
        urgent = [entry.id for entry in self.report.live if entry.is_urgent]
        objected = [entry.id for entry in self.report.live if entry.is_objected_to]
        since = self.report.local(carried_since(figures.start, figures.end)).date()
        days = backlog.days(figures.end)
        waiting = {"since": self.words.full_date(since), "days": days}
        oldest = () if backlog.oldest is None else (backlog.oldest,)
        found = (
            Need("urgent", len(urgent), True, {}, urgent),
            Need("objected", len(objected), True, {}, objected),
            Need("waiting" if days else "waiting_new", backlog.count, False, waiting, oldest),
            Need("refused", self.report.refused, False, {}),
            Need("unshown", self.report.unshown, False, {}),
            Need("unscreened", figures.unscreened, False, {}, section="health"),
            *(Need("advice", 1, False, {"rule": self.words.names.rule(one.rule), "bar": one.proposed})
              for one in self.report.advice[:1]),
        )  # fmt: skip
        return [one for one in found if one.number]

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if entry.is_urgent:
            yield "urgent", ""
        if entry.is_objected_to:
            yield "objected", ""
