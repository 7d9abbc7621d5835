"""A guard's dialect -> the same guard, asked as the figures on its model card came about."""

from dataclasses import replace

from adapters.guards.dialects.dialect import TEMPLATE_ROOM, Dialect
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Task

#: Tokens that the model card serves it with.
CONTEXT = 4096


def as_card(dialect: Dialect) -> Dialect:
    """One question an exchange, which answers everything about it, the text untouched and in no windows, and the label
    that the guard writes instead of its probability. Raises Broken where no one question answers everything."""
    of_pair = [form for form in dialect.forms if form.judges == "response"]
    fields = tuple(one if one.task else replace(one, task=Task.PROMPT_HARM) for one in of_pair[0].fields)
    if len(dialect.forms) != 2 or len(of_pair) != 1 or {field.task for field in fields} != dialect.tasks:
        raise Broken("{guard} does not answer everything about an exchange at once", guard=dialect.name)
    return replace(
        dialect,
        name=f"{dialect.name}-as-card",
        forms=(dialect.forms[0], replace(of_pair[0], fields=fields)),
        context=CONTEXT,
        window=CONTEXT - TEMPLATE_ROOM,
        is_as_card=True,
    )
