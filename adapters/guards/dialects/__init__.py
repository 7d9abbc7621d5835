"""Every guard's prompt and answer format: an exchange in, questions for an engine out; its answers in, a verdict out.

The whole interface, for the author of an engine (nothing here knows a vendor library, and no engine knows a guard):

    dialect = DIALECTS["wildguard-ko"]
    questions = dialect.questions(exchange, measure)      # measure(text) -> tokens; without it a safe upper bound
    for question in questions:                            # one rendered prompt each; equal questions, equal answers
        pieces = question.pieces(render)                  # trusted template | untrusted user text
        ids = encoder(specials, plain)(pieces)            # for token ids; or "".join(p.text for p in pieces) as text
    screening = dialect.combine(zip(questions, answers), guard_version)      # Verdict | Unscreened(reason)

An answer is produced in one of three ways, all from `question.form.fields`, the labels that the guard writes:

* generate: run `max_tokens` greedily with `stop`, keep each token's text and its top probabilities,
  `answer = question.read(tokens, truncated)`. Without probabilities: `Answer(text=..., truncated=...)`, scores 0 or 1.
* forced, one token a field: append `Piece(question.forced(labels so far), trusted=True)`, read the next token's
  probabilities with `field.reading(...)`, choose the likeliest label, go on; `Answer(readings=...)`. The passes of one
  question differ only at the end of the prompt, so they share the cached prefix.
* classify: the same walk on a converted classifier whose classes are `dialect.classifier` (label texts, negative
  first) and the first tokens of `RIVALS`; `field.classified(logits)`. None: the guard writes free text between its
  labels, or different labels; use generate.

Always send the text or ids as they are (`add_special_tokens: false`): the prompts hold their own BOS.
Where a form has `special_answer`, decode with `skip_special_tokens: false`.
"""

from adapters.guards.dialects.as_card import as_card
from adapters.guards.dialects.dialect import (
    LOW_LABEL_MASS,
    MIN_LABEL_MASS,
    NOT_JUDGED,
    TRUNCATED,
    UNPARSEABLE,
    Dialect,
)
from adapters.guards.dialects.guards import DEFAULT, DIALECTS, capabilities
from adapters.guards.dialects.question import RIVALS, Answer, Chat, Field, Form, Label, Piece, Question, Token, encoder
from adapters.guards.dialects.user_text import token_bound

__all__ = [
    "DEFAULT",
    "DIALECTS",
    "LOW_LABEL_MASS",
    "MIN_LABEL_MASS",
    "NOT_JUDGED",
    "RIVALS",
    "TRUNCATED",
    "UNPARSEABLE",
    "Answer",
    "Chat",
    "Dialect",
    "Field",
    "Form",
    "Label",
    "Piece",
    "Question",
    "Token",
    "as_card",
    "capabilities",
    "encoder",
    "token_bound",
]
