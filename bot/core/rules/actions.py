"""What the bot may do to a message or its author, and what came of it, as plain data."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import ClassVar


class Weight(IntEnum):
    """How hard an action hits: who is touched, and how."""

    MODERATORS = 0  # nobody but the moderators notices
    MESSAGE = 1  # the message disappears
    MEMBER = 2  # the person feels it


@dataclass(frozen=True, slots=True)
class Flag:
    """Show the moderators a card."""

    kind: ClassVar[str] = "flag"
    weight: ClassVar[Weight] = Weight.MODERATORS
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Escalate:
    """Urgent: ping the people named for it."""

    kind: ClassVar[str] = "escalate"
    weight: ClassVar[Weight] = Weight.MODERATORS
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Delete:
    kind: ClassVar[str] = "delete"
    weight: ClassVar[Weight] = Weight.MESSAGE
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the author, in private where the platform can, what was wrong. Recorded as started before it is
    done, so that it happens at most once."""

    kind: ClassVar[str] = "warn"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Timeout:
    kind: ClassVar[str] = "timeout"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = True
    lasting: timedelta


@dataclass(frozen=True, slots=True)
class Kick:
    kind: ClassVar[str] = "kick"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Ban:
    kind: ClassVar[str] = "ban"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Restore:
    """Undo a Delete: post the message again in its author's name, marked as restored. At most once."""

    kind: ClassVar[str] = "restore"
    weight: ClassVar[Weight] = Weight.MESSAGE
    repeatable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Lift:
    """Undo a Timeout or a Ban."""

    kind: ClassVar[str] = "lift"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Retract:
    """Take away a notice of our own again. `receipt` is what Done said when it was posted."""

    kind: ClassVar[str] = "retract"
    weight: ClassVar[Weight] = Weight.MODERATORS
    repeatable: ClassVar[bool] = True
    receipt: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Say the rule's reason in the channel, for everybody and to nobody: in place of what was deleted, or as a
    gentle word. At most once."""

    kind: ClassVar[str] = "notice"
    weight: ClassVar[Weight] = Weight.MESSAGE
    repeatable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class TellOwner:
    """Tell whoever runs the bot that wrote the message. `channel` is where they read; the policy knows it."""

    kind: ClassVar[str] = "tell_owner"
    weight: ClassVar[Weight] = Weight.MESSAGE
    repeatable: ClassVar[bool] = False
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the author what came of their appeal, never by whom. At most once."""

    kind: ClassVar[str] = "answer"
    weight: ClassVar[Weight] = Weight.MEMBER
    repeatable: ClassVar[bool] = False
    accepted: bool


#: Repeating a repeatable action is harmless. A rule may ask for RULE_ACTIONS; the others follow from people and time.
Action = Flag | Escalate | Delete | Notice | TellOwner | Warn | Timeout | Kick | Ban | Restore | Lift | Retract | Answer
RULE_ACTIONS: tuple[type[Action], ...] = (Flag, Escalate, Delete, Notice, TellOwner, Warn, Timeout, Kick, Ban)
ACTIONS: tuple[type[Action], ...] = (*RULE_ACTIONS, Restore, Lift, Retract, Answer)

#: Kinds of actions that protect the other members, and go before everything else.
PROTECTING = frozenset({Delete.kind})


@dataclass(frozen=True, slots=True)
class Done:
    """`receipt` is whatever the platform needs to find again what it posted (a card, a notice)."""

    kind: ClassVar[str] = "done"
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The target had already disappeared: nothing left to do."""

    kind: ClassVar[str] = "gone"


#: Why we gave an action up: its platform was away for too long; or it always failed, and then this and the name of what
#: was raised.
AWAY, DEFECT = "away", "defect: "


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform said no for good, e.g. a missing permission. `reason` names what is missing; or why we gave up."""

    kind: ClassVar[str] = "refused"
    reason: str

    @property
    def given_up(self) -> bool:
        """Not the platform's word, but ours."""
        return self.reason == AWAY or self.reason.startswith(DEFECT)


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Started, then the process died; not repeated because repeating it is not harmless."""

    kind: ClassVar[str] = "unconfirmed"


@dataclass(frozen=True, slots=True)
class CalledOff:
    """Never done: a moderator called the incident wrong before its turn came."""

    kind: ClassVar[str] = "called_off"


Outcome = Done | Gone | Refused | Unconfirmed | CalledOff
