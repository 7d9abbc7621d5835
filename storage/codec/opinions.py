"""What a guard says that has read a community's rules <-> the sealed column in which it stands."""

from typing import Literal

from bot.core.guarding.verdict import GuardVersion, Opinion
from storage.codec.stored import Stored, fitting
from storage.columns import writable


class _Opinion(Stored):
    v: Literal[1]
    guard: str
    model: str = ""
    dialect: str = ""
    against: bool
    rule: str = ""
    words: str = ""


def write_opinion(opinion: Opinion) -> str:
    guard = opinion.guard
    with fitting("opinion"):
        stored = _Opinion(
            v=1,
            guard=guard.name,
            model=writable(guard.model),
            dialect=guard.dialect,
            against=opinion.against,
            rule=writable(opinion.rule),
            words=writable(opinion.words),
        )
    return stored.model_dump_json(exclude_defaults=True)


def read_opinion(stored: str) -> Opinion:
    with fitting("opinion"):
        known = _Opinion.model_validate_json(stored)
    guard = GuardVersion(name=known.guard, model=known.model, dialect=known.dialect)
    return Opinion(guard=guard, against=known.against, rule=known.rule, words=known.words)
