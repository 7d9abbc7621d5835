"""What anybody may ask."""

from dataclasses import dataclass

from bot.core.chat.message import Message
from bot.core.moderators.argument import CaseCode
from bot.core.moderators.command import Answer, Asked, Command, Seen
from bot.core.moderators.ports import Desk
from bot.core.moderators.wishes import notice


@dataclass(frozen=True)
class Flag(Command, name="flag", right=None, led=True):
    """Point the moderators to a message."""

    target: Message


@dataclass(frozen=True)
class Appeal(Command, name="appeal", right=None, led=True):
    """How an incident about a message of one's own stands, and an objection to it."""

    code: CaseCode


@dataclass(frozen=True)
class Privacy(Command, name="privacy", right=None, seen=Seen.ANYBODY):
    """What is kept, and what of their own somebody may have or have erased."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return notice(desk.privacy)
