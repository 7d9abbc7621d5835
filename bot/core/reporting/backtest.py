"""Incidents on record, a policy and another -> which of them the other would have made of the same messages."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call
from bot.core.rules.decision import Decision, decide
from bot.core.rules.difference import Difference, difference
from bot.core.rules.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Numbers of incidents. `more`: found by the other alone; `fewer`: by the first alone; `harder`, `softer`: by both,
    and more or less is done. `unread`: whose texts are forgotten. Rules about what somebody did before find nothing in
    either: only the message counts."""

    looked_at: int = 0
    unread: int = 0
    more: tuple[int, ...] = ()
    fewer: tuple[int, ...] = ()
    fewer_wrong: tuple[int, ...] = ()  # of `fewer`, those that moderators called wrong
    harder: tuple[int, ...] = ()
    softer: tuple[int, ...] = ()


def backtest(incidents: Iterable[Incident], before: Policy, after: Policy) -> Backtest:
    changed: dict[str, list[int]] = {"more": [], "fewer": [], "fewer_wrong": [], "harder": [], "softer": []}
    looked_at = unread = 0
    for incident in incidents:
        if not incident.decision.message.text:
            unread += 1
            continue
        looked_at += 1
        was, is_ = (_again(incident, policy) for policy in (before, after))
        what = difference(was, is_)
        if what:
            changed[what].append(incident.case)
        if what is Difference.FEWER and incident.review and incident.review.call is Call.WRONG:
            changed["fewer_wrong"].append(incident.case)
    return Backtest(looked_at=looked_at, unread=unread, **{name: tuple(ids) for name, ids in changed.items()})


def _again(incident: Incident, policy: Policy) -> Decision:
    decision = incident.decision
    return decide(decision.message, decision.screening, policy, at=decision.message.sent_at)
