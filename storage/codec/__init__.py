"""Domain values <-> the JSON that is stored: what does not fit its shape exactly is refused, never guessed.

The classes derived from `Stored` are the stored format. A change to one of them that could not read an older record
needs a new number in `v` and a reader for the old one.
"""

from storage.codec.actions import read_action, write_action
from storage.codec.decisions import read_decision, without_other, without_words, write_decision
from storage.codec.extracts import Cause, Gist, count_actions, read_cause, read_gist, read_kinds, read_step_taken
from storage.codec.messages import JUDGED, QUEUED, read_amounts, read_message, write_amounts, write_body
from storage.codec.opinions import read_opinion, write_opinion
from storage.codec.outcomes import read_outcome, write_outcome
from storage.codec.rows import (
    QUEUED_REF,
    SETTLED_REF,
    key,
    plain_ref,
    read_ref,
    write_refs,
    write_rows,
    write_sealed_rows,
)
from storage.codec.screenings import judgements
from storage.codec.settings import read_settings, write_settings
from storage.codec.words import read_words, without_moderator, write_words

__all__ = [
    "JUDGED",
    "QUEUED",
    "QUEUED_REF",
    "SETTLED_REF",
    "Cause",
    "Gist",
    "count_actions",
    "judgements",
    "key",
    "plain_ref",
    "read_action",
    "read_amounts",
    "read_cause",
    "read_decision",
    "read_gist",
    "read_kinds",
    "read_message",
    "read_opinion",
    "read_outcome",
    "read_ref",
    "read_settings",
    "read_step_taken",
    "read_words",
    "without_moderator",
    "without_other",
    "without_words",
    "write_action",
    "write_amounts",
    "write_body",
    "write_decision",
    "write_opinion",
    "write_outcome",
    "write_refs",
    "write_rows",
    "write_sealed_rows",
    "write_settings",
    "write_words",
]
