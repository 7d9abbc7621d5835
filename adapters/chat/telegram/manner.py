"""How a group shows what stands in a sentence: people, chats, commands."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.moderators.answer import Channel, Member, Role
from bot.core.moderators.command import Command
from bot.core.moderators.reading import as_typed
from bot.core.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class GroupManner:
    """`Manner` of a group. `names`: what those are called whom an answer knows by number only."""

    say: Texts
    timezone: str
    names: Mapping[str, str]

    def labelled(self, label: str, text: str) -> str:
        return f"{label}: {text}"

    def plain(self, text: str) -> str:
        return text

    def mention(self, whom: Member | Role | Channel) -> str:
        return (whom.name if isinstance(whom, Member) else "") or self.names.get(whom.id, whom.id)

    def typed(self, command: type[Command]) -> str:
        return f"/{as_typed(command, self.say)}"
