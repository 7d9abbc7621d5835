"""Two decisions about one message -> what the second makes of it that the first does not."""

from enum import StrEnum

from bot.core.rules.decision import Decision


class Difference(StrEnum):
    MORE = "more"  # found by the second alone
    FEWER = "fewer"  # by the first alone
    HARDER = "harder"  # by both, and more is done
    SOFTER = "softer"


def difference(was: Decision, is_: Decision) -> Difference | None:
    """What is withheld counts like what is done."""
    if (was.rule is None) is not (is_.rule is None):
        return Difference.MORE if was.rule is None else Difference.FEWER
    before, after = (sum(action.weight for action in (*one.actions, *one.withheld)) for one in (was, is_))
    return None if before == after else Difference.HARDER if after > before else Difference.SOFTER
