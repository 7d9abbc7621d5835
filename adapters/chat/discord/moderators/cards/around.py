"""A message that a card is about -> what stands before and after it, for one moderator who may read there."""

import discord

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.moderators.asking import Interaction, plain
from bot.core.chat.message import Message
from bot.core.text.catalogue import Texts

NEAR = 10  # messages
LONGEST = 150  # characters of each


async def around(interaction: Interaction, message: Message, say: Texts) -> str:
    """As far as it is still there; empty where nothing is, or whoever asks could not read it themselves."""
    guild, asker, ref = interaction.guild, interaction.user, message.ref
    channel = guild and guild.get_channel_or_thread(int(ref.channel_id))
    if not (isinstance(asker, discord.Member) and isinstance(channel, discord.TextChannel | discord.Thread)):
        return ""
    granted = channel.permissions_for(asker)
    if not (granted.view_channel and granted.read_message_history and ref.message_id.isdecimal()):
        return ""
    this = discord.Object(int(ref.message_id))
    try:
        near = [one async for one in channel.history(limit=NEAR, around=this) if one.id != this.id and one.content]
    except OUT_OF_REACH:
        return ""
    lines = [_line(one) for one in sorted(near, key=lambda one: one.id)]
    return "\n".join([say["discord.around"], *lines]) if lines else ""


def _line(message: discord.Message) -> str:
    text = " ".join(message.clean_content.split())
    said = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return f"{discord.utils.format_dt(message.created_at, 't')} {plain(message.author.display_name)}: {plain(said)}"
