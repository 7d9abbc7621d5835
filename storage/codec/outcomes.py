"""What became of an action <-> the state of its row and the note beside it."""

from typing import assert_never

from bot.core.base.errors import Broken
from bot.core.rules.actions import CalledOff, Done, Gone, Outcome, Refused, Unconfirmed
from storage.columns import writable


def write_outcome(outcome: Outcome) -> tuple[str, str | None]:
    """The state of a finished action, with the reason why it was refused or the receipt of what is done."""
    match outcome:
        case Refused(note) | Done(note):
            return outcome.kind, writable(note) or None
        case Gone() | Unconfirmed() | CalledOff():
            return outcome.kind, None
        case _:
            assert_never(outcome)


def read_outcome(state: str, reason: str | None) -> Outcome | None:
    """None: the action is still to be done."""
    match state:
        case "planned" | "started":
            return None
        case Done.kind:
            return Done(reason or "")
        case Gone.kind:
            return Gone()
        case Refused.kind:
            return Refused(reason or "")
        case Unconfirmed.kind:
            return Unconfirmed()
        case CalledOff.kind:
            return CalledOff()
        case _:
            raise Broken(
                "The database holds an action in the state {state!r}, which this version does not know.", state=state
            )
