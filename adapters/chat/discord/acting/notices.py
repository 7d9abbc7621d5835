"""An incident -> what the member whose message it is about reads: what was done, until when, why, and what came of
their objection. Never who did it."""

from collections.abc import Iterable

import discord

from adapters.chat.discord.limits import LONGEST_TIMEOUT
from adapters.chat.discord.moderators.asking import plain
from adapters.chat.discord.receiving.reading import NAME, TITLE
from bot.core.chat.message import Message
from bot.core.incidents.case import Case
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import SILENCED_FOR, Call
from bot.core.rules.actions import (
    Action,
    Answer,
    CalledOff,
    Gone,
    Outcome,
    Refused,
    Restore,
    Timeout,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import Texts
from bot.wording.cards import told_by_hand


def notice(incident: Incident, guild: discord.Guild | None, say: Texts) -> str:
    """What they are told when something was done, or is just being done."""
    return f"{_handled(incident, guild, say)}\n{say('discord.how_to_appeal', code=incident.code)}"


def notice_by_hand(case: Case, reason: str, guild: discord.Guild | None, say: Texts) -> str:
    """What they are told of what a moderator did."""
    place = plain(guild.name) if guild else "Discord"
    until = discord.utils.format_dt(case.ends_at, "f") if case.ends_at else ""
    how = say("case.told_before" if case.objection else "case.told_how", code=case.code)
    return f"{told_by_hand(case, place, plain(reason), until, say)}\n{how}"


def standing(incident: Incident, guild: discord.Guild | None, say: Texts) -> str:
    """How it stands, for who asks."""
    return f"{_handled(incident, guild, say)}\n\n{say[f'discord.standing.{_state(incident)}']}"


def _handled(incident: Incident, guild: discord.Guild | None, say: Texts) -> str:
    return say(
        "discord.warning",
        server=plain(guild.name) if guild else "Discord",
        what=what(incident.decision.message, say),
        done=done(incident, say),
        reason=_reason(incident, say),
        code=incident.code,
    )


def done(incident: Incident, say: Texts) -> str:
    """What they feel of it; nothing of what was refused or called off."""
    visible = [
        _deed(action, incident, say)
        for action, outcome in incident.outcomes
        if _is_felt(action) and not isinstance(outcome, Refused | CalledOff)
    ]
    return " · ".join(dict.fromkeys(visible)) or say["action.warn"]


def is_sanctioned(outcomes: Iterable[tuple[Action, Outcome | None]]) -> bool:
    """Whether they were put out or silenced, or will be: they cannot read or press anything in the server."""
    return any(
        action.right and action.right.is_over_members and not isinstance(outcome, Refused | CalledOff | Gone)
        for action, outcome in outcomes
    )


def what(message: Message, say: Texts) -> str:
    """What was acted on; what it said, they know, and the words of a name are not repeated."""
    if NAME in message.extra:
        return say["discord.your_name"]
    place = f"<#{message.ref.channel_id}>"
    if TITLE in message.extra:
        return say("discord.your_title", place=place)
    return say("discord.your_message", place=place, at=discord.utils.format_dt(message.sent_at, "f"))


def _is_felt(action: Action) -> bool:
    """By whoever reads the notice: that is the warning itself."""
    return (action.user_visible and not isinstance(action, Warn)) or isinstance(action, Restore | Unsanction)


def _deed(action: Action, incident: Incident, say: Texts) -> str:
    if not isinstance(action, Timeout):
        return say[f"done.{action.kind}"]
    review = incident.review
    since = review.at if review and review.call in SILENCED_FOR else incident.decided_at
    return say("done.timeout", until=discord.utils.format_dt(since + min(action.lasting, LONGEST_TIMEOUT), "f"))


def _reason(incident: Incident, say: Texts) -> str:
    reason = incident.decision.reason
    return reason.in_(say.language) if reason else "-"


def _state(incident: Incident) -> str:
    if answers := [action for action, _ in incident.outcomes if isinstance(action, Answer)]:
        return "accepted" if answers[-1].accepted else "softened" if answers[-1].softened else "upheld"
    if incident.appeal:
        return "waiting"
    return "undone" if incident.review and incident.review.call is Call.WRONG else "open"
