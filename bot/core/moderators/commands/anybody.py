"""What anybody may ask."""

from dataclasses import dataclass

from bot.core.chat.message import Message
from bot.core.moderators.answer import Lines, said
from bot.core.moderators.argument import IncidentNumber
from bot.core.moderators.command import Answer, Asked, Command, Seen
from bot.core.moderators.ports import Desk


@dataclass(frozen=True)
class Flag(Command, name="flag", right=None, led=True):
    """Point the moderators to a message."""

    target: Message


@dataclass(frozen=True)
class Appeal(Command, name="appeal", right=None, led=True):
    """How an incident about a message of one's own stands, and an objection to it."""

    incident: IncidentNumber


@dataclass(frozen=True)
class Privacy(Command, name="privacy", right=None, seen=Seen.ANYBODY):
    """What is stored."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return Lines.of(said("privacy"))
