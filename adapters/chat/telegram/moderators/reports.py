"""/report: a group's admins ask for a report, or say when it comes -> the report where they asked, or a line."""

import re
from dataclasses import dataclass, replace
from typing import Any

from adapters.chat.telegram.moderators.posting import Posting
from bot.core.base.clock import Clock
from bot.core.communities.community import Community
from bot.core.moderators.permissions import Deed
from bot.core.moderators.ports import Desk
from bot.core.reporting.periods import Span, latest
from bot.core.text.catalogue import Texts
from bot.wording.schedules import schedule_line

#: Words that people type, in both languages.
_SPANS = {
    "day": Span.DAY,
    "week": Span.WEEK,
    "month": Span.MONTH,
    "어제": Span.DAY,
    "지난주": Span.WEEK,
    "지난달": Span.MONTH,
}
_NAMES = {"names", "이름"}
_ON, _OFF = ("on", "켜기"), ("off", "끄기")
_DAY_WORDS = {word: day for day, *words in (
    ("monday", "mon", "월", "월요일"), ("tuesday", "tue", "화", "화요일"), ("wednesday", "wed", "수", "수요일"),
    ("thursday", "thu", "목", "목요일"), ("friday", "fri", "금", "금요일"), ("saturday", "sat", "토", "토요일"),
    ("sunday", "sun", "일", "일요일"),
) for word in (day, *words)}  # fmt: skip
_HOUR = re.compile(r"(\d{1,2})(?::00|시)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    desk: Desk
    clock: Clock
    posting: Posting

    def deed(self, words: list[str], community: Community) -> Deed:
        """What is asked for."""
        if _change(words, community):
            return Deed.SCHEDULE
        return Deed.REPORT_NAMES if set(words) & _NAMES else Deed.REPORT

    async def serve(self, words: list[str], community: Community, chat_id: int, say: Texts, *, by: str) -> str | None:
        """For an admin of the group. `chat_id`: where they asked. Members' names stand only in a report that is asked
        for in the moderators' chat."""
        if (change := _change(words, community)) is not None:
            if change:
                await self.desk.change(community.ref, lambda now: replace(now, **change), by=by)
            return schedule_line(self.desk.schedule(community.ref), say)
        names = [word for word in words if word in _NAMES]
        words = [word for word in words if word not in (*_NAMES, "range", "기간")]
        if names and (str(chat_id) != community.moderators_channel or str(chat_id) == community.id):
            return say["telegram.names_not_here"]
        timezone = self.desk.schedule(community.ref).timezone
        period = _period(words, self.clock, timezone)
        edition = period and await self.desk.report(community.ref, period, unmasked=bool(names))
        if not edition:
            return say["telegram.usage.report"]
        await self.posting.post(chat_id, edition)
        return None


def _period(words: list[str], clock: Clock, timezone: str) -> str | None:
    """A `Period.name`, which may name no period."""
    match words:
        case []:
            return latest(Span.WEEK, clock.now(), timezone).name
        case [word] if word in _SPANS:
            return latest(_SPANS[word], clock.now(), timezone).name
        case [name]:
            return name.upper()  # 2026-W47
        case [first, last]:
            return f"{first}..{last}"
    return None


def _change(words: list[str], community: Community) -> dict[str, Any] | None:
    """What these words set; None: they set nothing, but ask for a report."""
    match words:
        case ["when" | "언제"]:
            return {}
        case [word] if word in _ON:
            return {"report_day": "monday" if community.report_day in (None, "off") else community.report_day}
        case [word] if word in _OFF:
            return {"report_day": "off"}
        case ["at" | "시각", hour] if (given := _hour(hour)) is not None:
            return {"report_hour": given}
        case ["at" | "시각", day, hour] if day in _DAY_WORDS and (given := _hour(hour)) is not None:
            return {"report_day": _DAY_WORDS[day], "report_hour": given}
        case ["daily" | "일일", word] if word in (*_ON, *_OFF):
            return {"daily_digest": word in _ON}
        case ["alert" | "급증", word] if word in _OFF or (word.isdigit() and int(word) <= 100_000):
            return {"alert_at": 0 if word in _OFF else int(word)}
    return None


def _hour(word: str) -> int | None:
    found = _HOUR.fullmatch(word)
    return int(found[1]) if found and int(found[1]) < 24 else None
