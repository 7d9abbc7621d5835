"""What typer says of a command line that it cannot read -> the same, in the user's language."""

import difflib
import re
from typing import Any

from typer.exceptions import TyperException

from bot.core.text.catalogue import Texts

_NO_COMMAND = re.compile(r"No such command '(.*)'\.", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)
_CHOICE = re.compile(r"'([^']*)' is not one of (.*?)\.?$")
_BOUND = re.compile(r"(greater|less) than or equal to (\S+)")
_NEEDS = re.compile(r"Option '(.*)' requires (?:an|(\d+)) arguments?\.", re.DOTALL)
_NEEDS_NONE = re.compile(r"Option '(.*)' does not take a value\.", re.DOTALL)
_KINDS = {"valid integer": "whole", "valid number": "number", "finite number": "number"}  # pydantic's and click's words


def explained(error: TyperException, say: Texts) -> str:
    """How the command is used, and what is wrong with what was typed; of a group that was called alone, its help."""
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error)
    if context is None:  # of an option without its values, nobody knows whose it is
        return _why(error, None, say)
    used = context.get_usage().removeprefix("Usage: ")
    return say("typed.said", used=used, why=_why(error, context, say), help=f"{context.command_path} --help")


def _why(error: Any, context: Any, say: Texts) -> str:
    message: str = error.message
    asked = getattr(error, "param", None)  # None as well where a command objects by itself
    name = getattr(error, "param_hint", None) or (asked and asked.get_error_hint())
    if name:
        name = name.replace("env var:", say["typed.variable"])
    match type(error).__name__:
        case "NoSuchOption":
            return say("typed.no_option", given=error.option_name, hint=_hint(list(error.possibilities or ()), say))
        case "MissingParameter":
            return say("typed.missing", name=name)
        case "BadParameter":
            kind = next((kind for english, kind in _KINDS.items() if english in message), None)
            why = say("typed.kind", kind=say[f"check.{kind}"]) if kind else message
            if found := _CHOICE.search(message):
                why = say("check.choice", given=found[1], choices=found[2].replace("'", ""))
            if found := _BOUND.search(message):
                why = say(f"typed.{'least' if found[1] == 'greater' else 'most'}", bound=found[2])
            return say("typed.bad", name=name, why=why) if name else why
    if found := _NEEDS.match(message):
        return say("typed.needs", name=found[1], count=found[2] or 1)
    if found := _NEEDS_NONE.match(message):
        return say("typed.needs_none", name=found[1])
    if found := _NO_COMMAND.match(message):
        known = difflib.get_close_matches(found[1], context.command.list_commands(context), n=1)
        return say("typed.no_command", given=found[1], hint=_hint(known, say))
    if found := _EXTRA.match(message):
        return say("typed.extra", given=found[1])
    return message


def _hint(names: list[str], say: Texts) -> str:
    return say("check.unknown_hint", name=names[0]) if names else ""
