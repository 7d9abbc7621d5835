"""How a server shows what stands in a sentence: people, channels, commands."""

from dataclasses import dataclass
from datetime import datetime

import discord

from adapters.chat.discord.moderators.asking import plain
from bot.core.moderators.answer import Channel, Member, Role
from bot.core.moderators.command import Command
from bot.core.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class GuildManner:
    """`Manner` of a server; in private there is none."""

    say: Texts
    timezone: str
    now: datetime
    guild: discord.Guild | None

    def labelled(self, label: str, text: str) -> str:
        return f"**{label}** {text}"

    def plain(self, text: str) -> str:
        return plain(text)

    def mention(self, whom: Member | Role | Channel) -> str:
        match whom:
            case Channel(id_):
                return f"<#{id_}>"
            case Role(id_) if self.guild and self.guild.get_role(int(id_)):
                return f"<@&{id_}>"
            case Role(id_) | Member(id_):
                return f"<@{id_}>"

    def typed(self, command: type[Command]) -> str:
        above = () if command.alone else filter(None, ("jikimi", command.group))
        return f"`/{' '.join(self.say[f'command.{name}'] for name in (*above, command.name))}`"


class ChoiceManner(GuildManner):
    """Discord makes nothing of marks in what it offers to choose from."""

    __slots__ = ()

    def plain(self, text: str) -> str:
        return text
