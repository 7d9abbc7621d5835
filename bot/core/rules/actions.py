"""What the bot may do to a message or its author, each action declared once, and what came of it, as plain data.

Whatever must know the actions derives it from here: the order in which they are done, the stored form, how a rule
writes them, who may do them, how reports count them. docs/adding/action.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import ClassVar, TypeAlias, get_args

from bot.core.chat.rights import Right


class Weight(IntEnum):
    """How hard an action hits: who is touched, and how."""

    MODERATORS = 0  # nobody but the moderators notices
    MESSAGE = 1  # the message disappears
    MEMBER = 2  # the person feels it


class Means(StrEnum):
    """By what a community is locked for a while; no network has them all."""

    USUAL = ""  # what the network has first of all; earlier versions knew no other
    JOINING = "joining"  # nobody new comes in
    WRITING = "writing"  # none but staff may write
    SLOW = "slow"  # a message of each member in a while
    VERIFYING = "verifying"  # who has proven little to the network may not write
    ONBOARDING = "onboarding"  # whoever comes in answers first what the community asks


class Counted(StrEnum):
    """As what a report counts an action, in the order in which its charts stack them."""

    DELETE = "delete"
    SANCTION = "sanction"
    ESCALATE = "escalate"
    FLAG = "flag"


class Declared:
    """What every action says of itself, in the line of its class:

    - `kind`: its name in configurations, in the database and, after `action.`, in the texts.
    - `weight`: whom it touches.
    - `counted`: as what a report counts it; None: not at all.
    - `right`: what it takes, of a moderator who asks for it and of the bot that does it; None: nothing.
    - `undone_by`: what takes it back when moderators call its incident wrong. None: nothing does; while it waits it is
      called off, unless only moderators would notice.
    - `by_rules`: whether a rule may ask for it; the others follow from people and time.
    - `repeatable`: repeating it is harmless. If not, it is recorded as started first, and happens at most once.
    - `protects`: it protects the other members, and goes before everything else.

    Its fields are its parameters: a field without a default is what a rule writes after the kind.
    """

    kind: ClassVar[str]
    weight: ClassVar[Weight]
    counted: ClassVar[Counted | None]
    right: ClassVar[Right | None]
    undone_by: ClassVar["type[Restore | Unsanction | DeletePost] | None"]
    by_rules: ClassVar[bool]
    repeatable: ClassVar[bool]
    protects: ClassVar[bool]

    #: Members feel it: an incident in which it was done was acted on. It is never done to staff.
    user_visible: ClassVar[bool]

    def __init_subclass__(
        cls,
        *,
        kind: str,
        weight: Weight,
        counted: Counted | None = None,
        right: Right | None = None,
        undone_by: "type[Restore | Unsanction | DeletePost] | None" = None,
        by_rules: bool = False,
        repeatable: bool = True,
        protects: bool = False,
    ) -> None:
        cls.kind, cls.weight, cls.counted, cls.right, cls.undone_by = kind, weight, counted, right, undone_by
        cls.by_rules, cls.repeatable, cls.protects = by_rules, repeatable, protects
        cls.user_visible = counted is not None and weight > Weight.MODERATORS


@dataclass(frozen=True)
class Restore(Declared, kind="restore", weight=Weight.MESSAGE, repeatable=False):
    """Undo a Delete: post the message again in its author's name, marked as restored."""


@dataclass(frozen=True)
class Unsanction(Declared, kind="lift", weight=Weight.MEMBER):
    """Undo a Timeout or a Ban."""


@dataclass(frozen=True)
class DeletePost(Declared, kind="retract", weight=Weight.MODERATORS):
    """Take away a notice of our own again. `receipt` is what Done said when it was posted."""

    receipt: str


@dataclass(frozen=True)
class Delete(
    Declared, kind="delete", weight=Weight.MESSAGE, counted=Counted.DELETE, right=Right.DELETE, undone_by=Restore,
    by_rules=True, protects=True,
):  # fmt: skip
    """Take the message away."""


@dataclass(frozen=True)
class Purge(Declared, kind="purge", weight=Weight.MESSAGE, right=Right.DELETE, protects=True):
    """Take messages away that a moderator has pointed at: their ids, with commas between them."""

    messages: str


@dataclass(frozen=True)
class Warn(
    Declared, kind="warn", weight=Weight.MEMBER, counted=Counted.SANCTION, by_rules=True, repeatable=False,
):  # fmt: skip
    """Tell the author, in private where the platform can, what was wrong."""


@dataclass(frozen=True)
class Ban(
    Declared, kind="ban", weight=Weight.MEMBER, counted=Counted.SANCTION, right=Right.BAN, undone_by=Unsanction,
    by_rules=True,
):  # fmt: skip
    """Put the author out, for good or for a while. `wipes`: by hand, with what they wrote in the last hour; where the
    platform does not take that away anyhow."""

    lasting: timedelta = timedelta()  # none: for good
    wipes: bool = False


@dataclass(frozen=True)
class Kick(Declared, kind="kick", weight=Weight.MEMBER, counted=Counted.SANCTION, right=Right.KICK, by_rules=True):
    """Put the author out; they may come back."""


@dataclass(frozen=True)
class Timeout(
    Declared, kind="timeout", weight=Weight.MEMBER, counted=Counted.SANCTION, right=Right.MUTE, undone_by=Unsanction,
    by_rules=True,
):  # fmt: skip
    """Silence the author for a while."""

    lasting: timedelta


@dataclass(frozen=True)
class Escalate(Declared, kind="escalate", weight=Weight.MODERATORS, counted=Counted.ESCALATE, by_rules=True):
    """Urgent: ping the people named for it."""


@dataclass(frozen=True)
class Flag(Declared, kind="flag", weight=Weight.MODERATORS, counted=Counted.FLAG, by_rules=True):
    """Show the moderators a card."""


@dataclass(frozen=True)
class Notice(Declared, kind="notice", weight=Weight.MESSAGE, undone_by=DeletePost, by_rules=True, repeatable=False):
    """Say the rule's reason in the channel, for everybody and to nobody: in place of what was deleted, or as a
    gentle word."""


@dataclass(frozen=True)
class NotifyOwner(Declared, kind="tell_owner", weight=Weight.MESSAGE, by_rules=True, repeatable=False):
    """Tell whoever runs the bot that wrote the message. `channel` is where they read; the policy knows it."""

    channel: str = ""


@dataclass(frozen=True)
class Care(Declared, kind="care", weight=Weight.MEMBER, by_rules=True, repeatable=False):
    """Say to the author, in private and to nobody else, where somebody listens to them at any hour. It is no sanction.
    Only where the community has switched it on, and not again within `CARE_APART`."""


@dataclass(frozen=True)
class Unlock(Declared, kind="unlock", weight=Weight.MODERATORS):
    """Undo a Lock, where what it has set still stands. `receipt` is what Done said when it was locked: what was there
    before."""

    receipt: str
    means: Means = Means.USUAL


@dataclass(frozen=True)
class Lock(Declared, kind="lock", weight=Weight.MODERATORS):
    """For a while, by the network's own means; in one channel, or (none named) everywhere."""

    lasting: timedelta
    means: Means = Means.USUAL
    channel: str = ""

    def undone(self, receipt: str) -> Unlock:
        return Unlock(receipt, self.means)

    def is_as(self, other: "Lock") -> bool:
        """Whether both lock something by the same means: what was there before, would be the other's."""
        return self.means is other.means and (self.channel == other.channel or not (self.channel and other.channel))


@dataclass(frozen=True)
class Answer(Declared, kind="answer", weight=Weight.MEMBER, repeatable=False):
    """Tell the author what came of their appeal, never by whom. `softened`: the sanction alone is lifted."""

    accepted: bool
    softened: bool = False


@dataclass(frozen=True)
class Inform(Declared, kind="inform", weight=Weight.MODERATORS):
    """Tell the members who pointed to the message what came of that: whether something was done."""

    acted: bool


#: What puts an incident on a card.
OnCard: TypeAlias = Flag | Escalate
ON_CARD = tuple(action.kind for action in get_args(OnCard))

#: How long nobody hears the caring word a second time.
CARE_APART = timedelta(days=7)

#: In the order in which they are done: first what protects; a word to the author while they can be reached; then who
#: else is to know; last what people and time ask for.
Action: TypeAlias = (
    Delete
    | Purge
    | Warn
    | Ban
    | Kick
    | Timeout
    | Escalate
    | Flag
    | Notice
    | NotifyOwner
    | Care
    | Restore
    | Unsanction
    | DeletePost
    | Lock
    | Unlock
    | Answer
    | Inform
)
ACTIONS: tuple[type[Action], ...] = get_args(Action)
RULE_ACTIONS = tuple(action for action in ACTIONS if action.by_rules)


@dataclass(frozen=True, slots=True)
class Done:
    """`receipt` is whatever the platform needs to find again what it posted (a card, a notice). `brief`: that stands
    where others see it, too, and only to be seen once: it is to be taken away again. Not kept on record: what follows
    from it is."""

    kind: ClassVar[str] = "done"
    receipt: str = ""
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The target had already disappeared: nothing left to do."""

    kind: ClassVar[str] = "gone"


#: Why we gave an action up: its platform was away for too long; or it always failed, and then this and the name of what
#: was raised. Or nobody has chosen where moderators are shown anything.
AWAY, DEFECT, NO_ROOM = "away", "defect: ", "no_room"


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform said no for good, e.g. a missing permission. `reason` names what is missing, as
    `bot.core.text.catalogue.noted` writes it; or why we gave up."""

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
    """Never done: a moderator called the incident wrong before its turn came; or nothing came of what it was to tell
    of."""

    kind: ClassVar[str] = "called_off"


Outcome = Done | Gone | Refused | Unconfirmed | CalledOff
