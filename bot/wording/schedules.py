"""When a community gets which report, as one line."""

from bot.core.reporting.delivery.schedule import DAYS, Schedule
from bot.core.text.catalogue import Texts


def schedule_line(schedule: Schedule, say: Texts) -> str:
    weekly = say["schedule.off"]
    if schedule.weekday is not None:
        weekly = say("schedule.at", day=say[f"schedule.{DAYS[schedule.weekday]}"], hour=schedule.hour)
    daily = say("schedule.daily_at", hour=schedule.hour) if schedule.daily else say["schedule.off"]
    alert = say["schedule.off"]
    if schedule.burst.incidents:
        minutes = int(schedule.burst.within.total_seconds() // 60)
        alert = say("schedule.alert_from", count=schedule.burst.incidents, minutes=minutes)
    return say("schedule.line", weekly=weekly, daily=daily, alert=alert, timezone=schedule.timezone)
