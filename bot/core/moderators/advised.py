"""A threshold that a button sets <-> what the button carries: no name fits everywhere, so a rule is known by a mark."""

import hashlib
from collections.abc import Iterable

from bot.core.chat.post import Advised
from bot.core.rules.policy import Rule

#: What is carried, as an expression: the mark and the score in thousandths.
CARRIED = r"([0-9a-f]{12}):([0-9]{1,4})"


def carried(advised: Advised) -> str:
    return f"{_mark(advised.rule)}:{round(advised.score * 1000)}"


def meant(mark: str, thousandths: str, rules: Iterable[Rule]) -> tuple[Rule, float] | None:
    """None: there is no such rule any more."""
    found = next((rule for rule in rules if _mark(rule.name) == mark), None)
    return (found, min(int(thousandths) / 1000, 1.0)) if found else None


def _mark(rule: str) -> str:
    return hashlib.sha256(rule.encode()).hexdigest()[:12]
