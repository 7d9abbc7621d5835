"""A declared command -> the slash command and the menu entry by which Discord knows it, and what was chosen there ->
its arguments."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import Parameter, Signature
from typing import Any, Protocol, assert_never

import discord
from discord import app_commands
from discord.app_commands import locale_str

from adapters.chat.discord.moderators.asking import PERMISSION, Interaction
from bot.core.chat.rights import Right
from bot.core.moderators.answer import Channel, Member, Role
from bot.core.moderators.argument import (
    AChannel,
    AFile,
    Argument,
    ARole,
    Kind,
    Like,
    Number,
    OneOf,
    Someone,
    Span,
    Suggested,
    Switch,
    Target,
    Text,
    arguments,
)
from bot.core.moderators.command import Command
from bot.core.moderators.reading import Suggestions, chosen, span
from bot.core.text.catalogue import texts

Offer = Callable[[Interaction, type[Command], Suggested | Span, str], Awaitable[list[app_commands.Choice[str]]]]


class Serve(Protocol):
    async def __call__(self, interaction: Interaction, command: type[Command], given: Mapping[str, Any]) -> None: ...


class InTexts(app_commands.Translator):
    """Names and descriptions of commands and their options in the language of whoever looks at them."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContext[Any, Any]
    ) -> str | None:
        key = string.extras.get("key")
        return texts("ko")[key] if key and locale is discord.Locale.korean else None


def named(key: str) -> locale_str:
    return locale_str(texts("en")[key], key=key)


def slash(command: type[Command], serve: Serve, offer: Offer) -> app_commands.Command[Any, Any, Any] | None:
    """None: it is about a message, and stands in that message's menu alone."""
    wanted = [one for one in arguments(command) if not isinstance(one.kind, Target)]
    if len(wanted) < len(arguments(command)) and _target(command).is_needed:
        return None

    async def picked(interaction: Interaction, **given: Any) -> None:
        await serve(interaction, command, {name: value for name, value in given.items() if value is not None})

    # discord.py reads the options from the signature of what serves them.
    interaction = Parameter("interaction", Parameter.POSITIONAL_OR_KEYWORD, annotation=Interaction)
    signature = Signature([interaction, *map(_parameter, wanted)])
    setattr(picked, "__signature__", signature)  # noqa: B010  # of a function mypy knows no such attribute
    made: Any = app_commands.describe(**{one.name: named(_description(command, one)) for one in wanted})(picked)
    made = app_commands.rename(**{one.name: named(f"option.{one.name}") for one in wanted})(made)
    closed = {one.name: _choices(one.kind) for one in wanted if isinstance(one.kind, OneOf)}
    made = app_commands.choices(**closed)(made)
    known: app_commands.Command[Any, Any, Any] = app_commands.Command(
        name=named(f"command.{command.name}"), description=named(f"command.{command.name}_does"), callback=made
    )
    if command.alone and command.right:
        known.guild_only, known.default_permissions = True, shown_to(command.right)
    for one in wanted:
        if isinstance(one.kind, Suggested | Span):
            known.autocomplete(one.name)(_offered(command, one.kind, offer))
    return known


def menu_entry(command: type[Command], serve: Serve) -> app_commands.ContextMenu | None:
    """None: it is not about a message."""
    if not any(isinstance(one.kind, Target) for one in arguments(command)):
        return None

    async def picked(interaction: Interaction, message: discord.Message) -> None:
        await serve(interaction, command, {_target(command).name: message})

    entry = app_commands.ContextMenu(name=named(f"command.{command.name}_menu"), callback=picked)
    entry.guild_only = True
    if command.right:
        entry.default_permissions = discord.Permissions(manage_messages=True)
    return entry


def shown_to(right: Right) -> discord.Permissions:
    """Who is offered what takes this right, as long as a server says nothing else."""
    return discord.Permissions(**{PERMISSION.get(right, PERMISSION[Right.DELETE]): True})


def value(kind: Kind, given: Any, suggestions: Suggestions) -> Any:
    """What was chosen, as the command takes it; None: it makes no sense."""
    match kind:
        case Span():
            return span(given, kind)
        case Someone():
            return Member(str(given.id), given.display_name)
        case ARole():
            return Role(str(given.id))
        case AChannel():
            return Channel(str(given.id))
        case Suggested():
            return chosen(suggestions(kind), given)
        case Text() | Like():
            return given.strip()
        case Number() | Switch() | OneOf() | Target() | AFile():
            return given
        case _:
            assert_never(kind)


def _target(command: type[Command]) -> Argument:
    return next(one for one in arguments(command) if isinstance(one.kind, Target))


def _description(command: type[Command], argument: Argument) -> str:
    own = f"option.{command.name}_{argument.name}_is"
    return own if own in texts("en") else f"option.{argument.name}_is"


def _parameter(argument: Argument) -> Parameter:
    type_ = _type(argument.kind)
    if argument.is_needed:
        return Parameter(argument.name, Parameter.KEYWORD_ONLY, annotation=type_)
    return Parameter(argument.name, Parameter.KEYWORD_ONLY, annotation=type_ | None, default=None)


def _type(kind: Kind) -> Any:
    """As discord.py reads it."""
    match kind:
        case Number(least, most):
            return app_commands.Range[type(least), least, most]
        case Switch():
            return bool
        case Someone():
            return discord.User
        case ARole():
            return discord.Role
        case AFile():
            return discord.Attachment
        case AChannel(to_write):
            return discord.TextChannel if to_write else discord.abc.GuildChannel
        case Text() | Span() | OneOf() | Suggested() | Like():
            return str
        case Target():
            raise TypeError("a message is chosen by its menu")
        case _:
            assert_never(kind)


def _choices(kind: OneOf) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=named(f"{kind.family}{word}"), value=str(word)) for word in kind.words]


def _offered(command: type[Command], kind: Suggested | Span, offer: Offer) -> Any:
    async def offered(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return await offer(interaction, command, kind, typed)

    return offered
