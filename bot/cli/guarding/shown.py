"""Screenings, decisions and settlements -> the JSON that programs read."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

from bot.core.guarding.ports import Said
from bot.core.guarding.verdict import Screening, Unscreened, rounded
from bot.core.incidents.incident import Settlement
from bot.core.rules.actions import Action
from bot.core.rules.decision import Decision
from bot.core.text.catalogue import Texts
from bot.wording.reasons import because


def screening_json(screening: Screening) -> dict[str, Any]:
    if isinstance(screening, Unscreened):
        return {"guard": screening.guard.name, "scores": {}, "kinds": {}, "unscreened": screening.reason}
    kinds = {str(part): rounded(of_part) for part, of_part in screening.kinds.items()}
    scores = rounded(screening.scores)
    return {"guard": screening.guard.name, "scores": scores, "kinds": kinds, "unscreened": None}


def said_json(said: Said) -> dict[str, Any]:
    return {"asked": said.asked, "window": said.window, "text": said.text, "labels": said.labels}


def decision_json(decision: Decision, say: Texts) -> dict[str, Any]:
    return {
        "actions": [action_text(action) for action in decision.actions],
        "rule": decision.rule,
        "findings": [
            {"rule": finding.rule, "matched": finding.matched, "why": because(finding.why, say)}
            for finding in decision.findings
        ],
    }


def settlement_json(settlement: Settlement, say: Texts) -> dict[str, Any]:
    decision = settlement.decision
    return {
        "message": decision.message.ref.message_id,
        "revision": decision.message.ref.revision,
        "screening": screening_json(decision.screening),
        "decision": decision_json(decision, say),
        "ms": round(settlement.ms, 3),
    }


def action_text(action: Action) -> str:
    """As it is written in the configuration: "delete", "timeout 10m"."""
    parameters = (getattr(action, one.name) for one in fields(action))
    return " ".join([action.kind, *(_span(one) for one in parameters if isinstance(one, timedelta))])


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    unit, size = next(one for one in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % one[1] == 0)
    return f"{seconds // size}{unit}"
