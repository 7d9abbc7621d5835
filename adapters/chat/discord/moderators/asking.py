"""Somebody presses, chooses or commands in Discord -> their language, what they may do there, answers only they see."""

import re
from collections.abc import Iterator
from typing import Any

import discord

from adapters.chat.discord.refs import DISCORD
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.chat.rights import Right
from bot.core.incidents.card import Button
from bot.core.incidents.incident import Incident
from bot.core.moderators.permissions import Deed, needed
from bot.core.text.catalogue import Texts, texts

Interaction = discord.Interaction[Any]

LONGEST = 2000  # characters in a message

#: What each right is called among Discord's permissions. An administrator has them all, an owner is one.
PERMISSION = {
    Right.DELETE: "manage_messages", Right.MUTE: "moderate_members", Right.KICK: "kick_members",
    Right.BAN: "ban_members", Right.MANAGE: "manage_guild",
}  # fmt: skip


def say_to(interaction: Interaction) -> Texts:
    """In the language in which they use Discord."""
    return texts("ko" if interaction.locale is discord.Locale.korean else "en")


def rights(interaction: Interaction) -> frozenset[Right]:
    """What Discord says in this very interaction that they may do in its server."""
    user, guild = interaction.user, interaction.guild
    if guild is None or not isinstance(user, discord.Member):
        return frozenset()
    return rights_of(user)


def rights_of(member: discord.Member) -> frozenset[Right]:
    if member.id == member.guild.owner_id:
        return frozenset(Right)
    granted = member.guild_permissions
    held = {right for right, name in PERMISSION.items() if getattr(granted, name)}
    return frozenset(held | {Right.REVIEW} if held else held)


def refusal(
    interaction: Interaction,
    what: Button | Deed | Right | frozenset[Right] | None,
    say: Texts,
    incident: Incident | None = None,
) -> str | None:
    """Why they may not do this, or what takes these rights, or None. Asked every time: Discord's own default
    permissions of a command can be changed by a server, and rights are taken away."""
    held = rights(interaction)
    lacking = (what if isinstance(what, frozenset) else needed(what, incident)) - held
    if not lacking:
        return None
    names = [say[f"permission.{PERMISSION[right]}"] for right in PERMISSION if right in lacking]
    return say("discord.needs_right", permissions=", ".join(names)) if held and names else say["card.not_allowed"]


def stands_above(interaction: Interaction, incident: Incident) -> bool:
    """Whether Discord would let them sanction whose message it is about: their highest role is above the other's."""
    user, guild, author = interaction.user, interaction.guild, incident.decision.message.author
    if guild is None or not isinstance(user, discord.Member) or author.id == str(guild.owner_id):
        return False
    theirs = (role for role in guild.roles if str(role.id) in author.roles)
    return user.id == guild.owner_id or user.top_role > max(theirs, default=guild.default_role)


async def answer(interaction: Interaction, text: str, **more: Any) -> None:
    """Only they see it. What is too long for one message goes into several."""
    first, *rest = pieces(text)
    if interaction.response.is_done():
        await interaction.followup.send(first, ephemeral=True, **more)
    else:
        await interaction.response.send_message(first, ephemeral=True, **more)
    for piece in rest:
        await interaction.followup.send(piece, ephemeral=True)


def pieces(text: str, longest: int = LONGEST) -> Iterator[str]:
    """The text in parts of at most `longest` characters, cut at ends of lines where there are any."""
    text = text or "-"
    while len(text) > longest:
        cut = text.rfind("\n", longest // 2, longest) + 1 or longest
        yield text[:cut]
        text = text[cut:]
    yield text


def plain(text: str) -> str:
    """As it is written, whatever Discord would make of it; addresses stay as they are. Every opening bracket is
    escaped: the words of a link may run over several lines, which discord.py does not look for."""
    return _MARKS.sub(lambda found: found[0] if found[0].startswith("http") else f"\\{found[0]}", text)


_MARKS = re.compile(r"https?://[^\s<\[]+|[\\*_~`|\[]|^\s*(?:>|#|-)", re.MULTILINE)


def as_said(interaction: Interaction, text: str) -> Message:
    """A text as if an ordinary member had said it here."""
    return said_in(str(interaction.guild_id), text, interaction)


def said_in(community_id: str, text: str, interaction: Interaction | None = None) -> Message:
    return Message(
        ref=MessageRef(
            DISCORD,
            str(interaction.channel_id) if interaction else community_id,
            str(interaction.id) if interaction else "0",
        ),
        community_id=community_id,
        author=Author(id="0"),
        sent_at=interaction.created_at if interaction else discord.utils.utcnow(),
        text=text,
    )
