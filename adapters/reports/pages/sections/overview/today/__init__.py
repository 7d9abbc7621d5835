"""What needs somebody now: what is urgent first, what waits, what the platform refused, what could not be judged."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from adapters.reports.pages.section import Section
from bot.core.reporting.figures import Entry
from bot.core.rules.actions import Escalate


class Need(NamedTuple):
    """`code` names the sentence; `number` leads to the incidents that it counts, where they are of this period; `to`:
    which they are, as far as that is known."""

    code: str
    number: int
    leads: bool
    facts: Mapping[str, object]
    to: Sequence[int] = ()


class Today(Section):
    @property
    def is_shown(self) -> bool:
        return not self.report.is_quiet  # then the headline says it all

    @cached_property
    def needs(self) -> list[Need]:
        figures, backlog = self.report.figures, self.report.figures.backlog
        urgent, objected = (
            [entry.id for entry in self.report.live if one(entry)] for one in (_is_urgent, _is_objected_to)
        )
        days = {"days": (figures.end - backlog.since).days if backlog.since else 0}
        oldest = () if backlog.oldest is None else (backlog.oldest,)
        found = (
            Need("urgent", len(urgent), True, {}, urgent),
            Need("objected", len(objected), True, {}, objected),
            Need("waiting", backlog.count, False, days, oldest),
            Need("refused", self.report.refused, False, {}),
            Need("unshown", self.report.unshown, False, {}),
            Need("unscreened", figures.unscreened, False, {}),
            *(Need("advice", 1, False, {"rule": self.words.names.rule(one.rule), "bar": one.proposed})
              for one in self.report.advice[:1]),
        )  # fmt: skip
        return [one for one in found if one.number]

    def traces(self, entry: Entry) -> Iterable[tuple[str, object]]:
        if _is_urgent(entry):
            yield "urgent", ""
        if _is_objected_to(entry):
            yield "objected", ""


def _is_urgent(entry: Entry) -> bool:
    return entry.review is None and any(one.kind == Escalate.kind and one.is_done for one in entry.actions)


def _is_objected_to(entry: Entry) -> bool:
    return entry.review is None and entry.appealed
