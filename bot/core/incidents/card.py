"""What moderators see of an incident, the same on every platform: an incident goes in, a card comes out.

The sentences on a card are written by `bot.wording.cards`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.core.incidents.incident import Incident
from bot.core.incidents.review import SILENCED_FOR, Call
from bot.core.rules.actions import Action, Ban, Timeout

LONGEST_TEXT = 400  # characters of the message that a card shows


class Button(StrEnum):
    """What a moderator can press. Those named like a call make that call; the others only show something."""

    RIGHT = "right"
    WRONG = "wrong"
    DISMISS = "dismiss"  # what a member pointed to: nothing need be done
    DELETE = "delete"
    TIMEOUT = "timeout"
    HOUR = "hour"
    DAY = "day"
    BAN = "ban"
    LIFT = "lift"
    ACCEPT = "accept"  # an appeal: the incident was wrong
    SOFTEN = "soften"  # of what an appeal is against, the sanction is lifted
    UPHOLD = "uphold"  # what an appeal is against
    ESCALATE = "escalate"
    TAKE = "take"
    REOPEN = "reopen"
    HISTORY = "history"
    REVEAL = "reveal"

    @property
    def call(self) -> Call | None:
        if self in (Button.ACCEPT, Button.DISMISS):
            return Call.WRONG
        return Call(self.value) if self.value in tuple(Call) else None


class Tone(StrEnum):
    """How much a card wants to be looked at; platforms turn it into a colour or a sign."""

    URGENT = "urgent"
    OPEN = "open"
    ACTED = "acted"  # something was done; a look is welcome
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled fact."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Plain text throughout: platforms escape it for their own markup. `text` is masked."""

    incident_id: int
    tone: Tone
    title: str
    text: str
    lines: tuple[Line, ...]
    buttons: tuple[Button, ...]
    other: str = ""  # a member, by the network's id, with whom it was back and forth
    lost: bool = False  # not everything of it can be taken back


_PRESS = re.compile(rf"jikimi:({'|'.join(Button)}):(\d{{1,18}})")


def press_id(button: Button, incident_id: int) -> str:
    """What a button carries (at most 64 bytes): enough to serve it after a restart."""
    return f"jikimi:{button}:{incident_id}"


def pressed(carried: str) -> tuple[Button, int] | None:
    """The button and the incident behind what was pressed; None: not one of ours."""
    match = _PRESS.fullmatch(carried)
    return (Button(match[1]), int(match[2])) if match else None


_HIDDEN = re.compile(r"(?<=[^\W_])[^\W_]")


def masked(text: str, longest: int = LONGEST_TEXT) -> str:
    """Enough of a message to recognise it: every word's first letter, the others as ○; cut at `longest` characters."""
    hidden = _HIDDEN.sub("○", " ".join(text.split()))
    return hidden if len(hidden) <= longest else hidden[: longest - 1] + "…"


def buttons(incident: Incident) -> tuple[Button, ...]:
    """What may be needed next: nobody deletes or bans twice, and what was closed can be called otherwise."""
    now, call = incident.standing, incident.review and incident.review.call
    author = incident.decision.message.author
    if incident.awaits_answer:
        offered = [Button.ACCEPT, *([Button.SOFTEN] if now.sanction else []), Button.UPHOLD]
    elif incident.is_only_flagged:
        offered = [] if call is Call.WRONG else [Button.DISMISS if call is None else Button.WRONG]
    elif call is None:
        offered = [Button.RIGHT, Button.WRONG]
    else:
        offered = [Button.RIGHT if call is Call.WRONG else Button.WRONG]
    if (call is None or (call is Call.WRONG and incident.is_only_flagged)) and not now.hidden:
        offered.append(Button.DELETE)
    if call is not Call.WRONG and not (author.bot or author.no_account or author.is_staff):
        offered += [] if isinstance(now.sanction, Ban) else [*_longer(now.sanction), Button.BAN]
    if call is not None and now.sanction:
        offered.append(Button.LIFT)
    if call is None:
        offered += [Button.ESCALATE] if incident.taken else [Button.ESCALATE, Button.TAKE]
    elif not incident.awaits_answer:
        offered.append(Button.REOPEN)
    return (*offered, Button.REVEAL, Button.HISTORY)


def _longer(sanction: Action | None) -> Iterator[Button]:
    """The time-outs that are none yet; a short one is not given in place of another."""
    for call, lasting in SILENCED_FOR.items():
        stands = isinstance(sanction, Timeout) and (lasting <= sanction.lasting or call is Call.TIMEOUT)
        if not stands:
            yield Button(call.value)


def tone(incident: Incident) -> Tone:
    if incident.awaits_answer:
        return Tone.OPEN
    if incident.review is not None:
        return Tone.CLOSED
    kinds = {action.kind for action, _ in incident.outcomes}
    if "escalate" in kinds:
        return Tone.URGENT
    return Tone.ACTED if kinds - {"flag"} else Tone.OPEN
