"""Reports: one made now, and when they come."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.incidents.case import Look, Person
from bot.core.moderators.answer import Lines, said
from bot.core.moderators.argument import Day, Number, OneOf, Switch
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.permissions import Deed, needed
from bot.core.moderators.ports import Desk
from bot.core.reporting.delivery.schedule import DAYS
from bot.core.reporting.periods import Span, current, latest

_A_DAY = r"\d{4}-\d{2}-\d{2}"
_ANOTHER = rf"\d{{4}}-(?:w?\d{{2}})|{_A_DAY}(?:\.\.|~){_A_DAY}"
_CURRENT = {"today": Span.DAY, "this_week": Span.WEEK, "this_month": Span.MONTH}
_SPANS = OneOf((Span.WEEK, Span.DAY, Span.MONTH, *_CURRENT), "command.period_", or_like=_ANOTHER)


@dataclass(frozen=True)
class Report(Command, name="report", right=Right.REVIEW, also=("report range",)):
    """Of the last or the current week, day or month, of a period by its name, or of the days from `first` to `last`.
    `names`: with members' names, where only moderators see them."""

    period: Annotated[str, _SPANS] = Span.WEEK.value
    first: Day | None = None
    last: Day | None = None
    names: Annotated[bool, Switch(by_name=True)] = False

    @property
    def rights(self) -> frozenset[Right]:
        return needed(Deed.REPORT_NAMES if self.names else Right.REVIEW)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.names and not asked.is_apart:
            return Lines.of(said("answer_to.names_not_here"))
        period = self._period(asked, desk)
        if self.names:
            by = Person(asked.by.id, asked.by.name)
            await desk.deeds.cases.looked(asked.community, by, Look.REPORT)
        report = await desk.report(asked.community, period, unmasked=self.names)
        return report or Lines.of(said("report.no_period", given=period))

    def _period(self, asked: Asked, desk: Desk) -> str:
        """A `Period.name`, which may name no period."""
        if self.first and self.last:
            return f"{self.first}..{self.last}"
        if day := self.first or self.last:
            return day
        timezone = desk.schedule(asked.community).timezone
        if self.period in _CURRENT:
            return current(_CURRENT[self.period], asked.at, timezone).name
        if self.period in tuple(Span):
            return latest(Span(self.period), asked.at, timezone).name
        return self.period


@dataclass(frozen=True)
class ReportSchedule(
    Command, name="report_schedule", right=Right.MANAGE, also=("report when", "report 언제", "report at", "report"),
):  # fmt: skip
    """When reports come: what is given is changed, and what holds now is told."""

    day: Annotated[str | None, OneOf((*DAYS, "on", "off"), "schedule.")] = None
    hour: Annotated[int | None, Number(0, 23)] = None
    daily: Annotated[bool | None, Switch(by_name=True)] = None
    alert: Annotated[int | None, Number(0, 100_000, off=True, by_name=True)] = None

    @property
    def rights(self) -> frozenset[Right]:
        return needed(Right.REVIEW if self == ReportSchedule() else self.right)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        given = {"report_hour": self.hour, "daily_digest": self.daily, "alert_at": self.alert}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

        def edit(now: Community) -> Community:
            return replace(now, **changes, report_day=_day(self.day, now.report_day))

        if changes or self.day:
            await asked.change(desk, edit)
        return Lines.of(desk.schedule(asked.community))


def _day(given: str | None, now: str | None) -> str | None:
    """On: as it was, or on Mondays."""
    if given != "on":
        return given or now
    return DAYS[0] if now in (None, "off") else now
