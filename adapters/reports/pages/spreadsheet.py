"""A report -> its incidents as CSV, for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from adapters.reports.pages.words import Words
from bot.core.reporting.figures import Entry

_COLUMNS = (
    "number", "decided", "sent", "channel", "member", "rule", "score", "bar", "kinds", "actions", "withheld",
    "review", "moderator", "shadow", "card", "message",
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_FORMULA = re.compile(r"\W*[=+\-@|%＝＋－＠]|.*[;,\t]\s*[=+\-@＝＋－＠]")


def rows(words: Words) -> str:
    """Every incident, those of rules on trial included, one a row; never a message's text."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([words.say[f"report.csv_{name}"] for name in _COLUMNS])
    for entry in words.report.figures.entries:
        writer.writerow(_harmless(_cells(entry, words)))
    return stream.getvalue()


def _cells(entry: Entry, words: Words) -> Sequence[object]:
    """As _COLUMNS names them."""
    local, names = words.report.local, words.names
    return (
        entry.id,
        local(entry.decided_at).isoformat(" ", "seconds"),
        local(entry.sent_at).isoformat(" ", "seconds"),
        names.channel(entry.channel),
        names.author(entry),
        " · ".join(map(names.rule, entry.rules)),
        "" if entry.score is None else f"{entry.score:.3f}",
        "" if entry.bar is None else f"{entry.bar:.3f}",
        " · ".join(map(names.kind, entry.kinds)),
        names.actions(entry),
        " · ".join(map(names.action, entry.withheld)),
        names.review(entry),
        entry.review.moderator if entry.review else "",
        " · ".join(map(names.rule, entry.shadow)),
        names.card(entry.id),
        names.message(entry),
    )


def _harmless(cells: Iterable[object]) -> list[object]:
    """No cell that a spreadsheet would take for a formula, whichever sign parts its columns."""
    texts = (_CONTROL.sub(" ", cell).strip() if isinstance(cell, str) else cell for cell in cells)
    return [f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in texts]
