"""Prompts as we send them, and as a guard's own chat template renders the same texts -> whether and where they differ.

A difference says that the published tokenizer means another prompt than ours, or that the model is another guard's.
"""

from collections.abc import Callable, Iterator

import structlog

from adapters.guards.dialects.dialect import Dialect

_log = structlog.get_logger(__name__)

SHOWN = 60  # characters from where they part
STOCK = "Cutting Knowledge Date"  # of Llama 3.2's own template, which puts a date before everything

Messages = list[dict[str, str]]


def samples(dialect: Dialect) -> Iterator[tuple[str, str, Messages]]:
    """Of each form that has both: its name, our prompt, and the messages for the tokenizer."""
    for form in dialect.forms:
        if form.template and form.card:
            yield form.name, *form.sample()


def compare(dialect: Dialect, render: Callable[[Messages], str]) -> bool | None:
    """Whether all are the same; None where the tokenizer renders none."""
    found = []
    for form, ours, messages in samples(dialect):
        try:
            theirs = render(messages)
        except Exception as error:  # templates are programs, and raise what they like
            _log.info("the model's own chat template was not compared", form=form, error=type(error).__name__)
            continue
        found.append(is_same(dialect, form, ours, theirs))
    return all(found) if found else None


def is_same(dialect: Dialect, form: str, ours: str, theirs: str) -> bool:
    """Said where not."""
    if ours == theirs:
        return True
    pairs = enumerate(zip(ours, theirs, strict=False))
    parted = next((n for n, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
    _log.warning(
        "the model's own chat template makes another prompt than is sent: which of them the guard was taught with, "
        "`jikimi eval --compare` tells on labelled data (docs/en/guards.md)",
        guard=dialect.name,
        form=form,
        ours=ours[parted : parted + SHOWN],
        theirs=theirs[parted : parted + SHOWN],
        has_a_date=STOCK in theirs,
    )
    return False
