"""An incident -> what the member whose message it is about reads: what was done, and why. Never who did it."""

from collections.abc import Iterable
from datetime import datetime

from adapters.chat.telegram.limits import LONGEST_MUTE
from adapters.chat.telegram.text import LONGEST, cut
from bot.core.chat.message import Message
from bot.core.incidents.card import masked
from bot.core.incidents.case import Case
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.rules.actions import Action, CalledOff, Outcome, Refused, Timeout, Warn
from bot.core.text.catalogue import Texts
from bot.wording.cards import told_by_hand
from bot.wording.times import moment, span


def notice(planned: PlannedAction, done: str, timezone: str, now: datetime, say: Texts) -> str:
    """What they are told in private."""
    message = planned.message
    facts = {
        "group": message.channel_name or say["telegram.a_group"],
        "at": moment(message.sent_at, timezone, now),
        "deeds": done,
        "reason": planned.reason.in_(say.language),
        "code": planned.code,
    }
    return cut(say("telegram.name_warning" if message.is_name else "telegram.warning", **facts), LONGEST)


def notice_by_hand(case: Case, reason: str, group: str, timezone: str, say: Texts) -> str:
    """What they are told in private of what a moderator did."""
    until = moment(case.ends_at, timezone, case.opened_at) if case.ends_at else ""
    return cut(told_by_hand(case, group, unpinged(reason), until, say), LONGEST)


def unpinged(words: str) -> str:
    """Nobody is called by what stands in a reason."""
    return words.replace("@", "@\u200b")


def measures(incident: Incident | None, say: Texts) -> str:
    """What was done, or will be, about a message and its author, as they read it."""
    visible: Iterable[tuple[Action, Outcome | None]] = incident.outcomes if incident else ()
    said = [_measure(action, say) for action, outcome in visible if not isinstance(outcome, Refused | CalledOff)]
    return ", ".join(dict.fromkeys(filter(None, said))) or say["telegram.only_told"]


def _measure(action: Action, say: Texts) -> str:
    match action:
        case Timeout(lasting=lasting):
            return say("telegram.muted_for", span=span(min(lasting, LONGEST_MUTE), say))
        case Warn():
            return ""  # they are just reading it
        case _:
            return say[f"action.{action.kind}"] if action.user_visible else ""


def masked_name(message: Message) -> str:
    """A name may be an advertisement or an insult of its own: nobody but its bearer recognises it like this."""
    return masked(message.author.name, 32) or "○"
