"""An incident -> what the member whose message it is about reads: what was done, and why. Never who did it."""

from collections.abc import Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

from adapters.chat.telegram.limits import LONGEST_MUTE
from adapters.chat.telegram.text import LONGEST, cut
from bot.core.chat.message import Message
from bot.core.incidents.card import masked
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.rules.actions import Action, CalledOff, Outcome, Refused, Timeout, Warn
from bot.core.text.catalogue import Texts


def notice(planned: PlannedAction, done: str, timezone: ZoneInfo, say: Texts) -> str:
    """What they are told in private."""
    message = planned.message
    facts = {
        "group": message.channel_name or say["telegram.a_group"],
        "at": message.sent_at.astimezone(timezone).strftime("%m-%d %H:%M"),
        "deeds": done,
        "reason": planned.reason.in_(say.language),
        "incident": planned.incident_id,
    }
    return cut(say("telegram.name_warning" if message.is_name else "telegram.warning", **facts), LONGEST)


def measures(incident: Incident | None, say: Texts) -> str:
    """What was done, or will be, about a message and its author, as they read it."""
    felt: Iterable[tuple[Action, Outcome | None]] = incident.outcomes if incident else ()
    said = [_measure(action, say) for action, outcome in felt if not isinstance(outcome, Refused | CalledOff)]
    return ", ".join(dict.fromkeys(filter(None, said))) or say["telegram.only_told"]


def _measure(action: Action, say: Texts) -> str:
    match action:
        case Timeout(lasting=lasting):
            return say("telegram.muted_for", span=span(min(lasting, LONGEST_MUTE), say))
        case Warn():
            return ""  # they are just reading it
        case _:
            return say[f"action.{action.kind}"] if action.felt else ""


def span(lasting: timedelta, say: Texts) -> str:
    """In the largest unit that fits: "10분", "2시간", "3일"."""
    seconds = int(lasting.total_seconds())
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= length and seconds % length == 0:
            return say(f"telegram.span.{unit}", count=seconds // length)
    return say("telegram.span.minutes", count=max(1, round(seconds / 60)))


def masked_name(message: Message) -> str:
    """A name may be an advertisement or an insult of its own: nobody but its bearer recognises it like this."""
    return masked(message.author.name, 32) or "○"
