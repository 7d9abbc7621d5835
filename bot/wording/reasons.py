"""Rules, reasons and actions -> what they are called, in the reader's language."""

from collections.abc import Iterable
from datetime import timedelta

from bot.core.guarding.verdict import as_shown
from bot.core.rules.actions import AWAY, DEFECT, NO_ROOM, Action
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision
from bot.core.text.catalogue import Texts
from bot.wording.times import span

#: Facts whose values have names in both languages.
_CALLED = frozenset({"amount", "kind", "link", "media", "origin", "pairing", "task", "view"})


def rule_name(rule: str, say: Texts) -> str:
    """What moderators call a rule: the shipped ones have names in both languages beside the one that commands take."""
    called = say.get(f"rule_name.{rule}", rule)
    return called if called == rule else f"{called} ({rule})"


def because(why: Explanation, say: Texts) -> str:
    """A rule's reason as a sentence."""
    # What is forgotten, or comes from a version that knew more, stands as it is.
    facts = {
        name: say.get(f"{name}.{value}", str(value)) if name in _CALLED else value for name, value in why.facts.items()
    }
    if isinstance(score := facts.get("score"), float):
        facts["score"] = as_shown(score)
    if "reason" in facts:  # why there is no verdict
        facts["reason"] = say.why(str(facts["reason"]))
    return say(f"why.{why.code}", **facts)


def refusal(reason: str, say: Texts) -> str:
    """Why an action was refused, or given up."""
    if reason == AWAY:
        return say["outcome.away"]
    if reason == NO_ROOM:
        return say["outcome.no_room"]
    if reason.startswith(DEFECT):
        return say("outcome.defect", name=reason.removeprefix(DEFECT))
    return say.as_noted(reason)


def reasons(decision: Decision, say: Texts) -> str:
    """Why the rules that matched did, each kind of reason once."""
    kinds = {finding.why.code: finding.why for finding in reversed(decision.findings) if finding.matched}
    return "; ".join(because(why, say) for why in reversed(kinds.values()))


def measure(action: Action, say: Texts) -> str:
    """One action, and for how long."""
    lasting = getattr(action, "lasting", timedelta())
    named = say[f"action.{action.kind}"]
    return say("action.lasting", action=named, span=span(lasting, say)) if lasting else named


def deeds(actions: Iterable[Action], say: Texts) -> str:
    """Actions as one short phrase, "nothing" included."""
    return " · ".join(say[f"action.{action.kind}"] for action in actions) or say["action.nothing"]
