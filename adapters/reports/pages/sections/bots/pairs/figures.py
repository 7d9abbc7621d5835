"""A report's counts and incidents -> how bots answered, and the worst of it."""

from collections.abc import Iterable, Mapping

from bot.core.answers.counting import PairCounts
from bot.core.reporting.figures import Entry

#: How many of the worst answers are shown.
WORST = 5


def pairs(by_bot: Mapping[str, PairCounts]) -> tuple[tuple[str, PairCounts], ...]:
    """Bots with judged answers, the most first; the sum of several under an empty name before them."""
    each = sorted(by_bot.items(), key=lambda pair: (-pair[1].judged, pair[0]))
    return (("", PairCounts.sum(counts for _, counts in each)), *each) if len(each) > 1 else tuple(each)


def worst_answers(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The most harmful answers of bots that no moderator called harmless."""
    answers = [entry for entry in entries if entry.answer and not entry.is_overturned]
    return tuple(sorted(answers, key=lambda entry: (-(entry.answer.harm if entry.answer else 0), entry.id))[:WORST])
