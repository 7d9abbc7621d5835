"""What is on record: an incident, a member's incidents."""

from dataclasses import dataclass

from bot.core.chat.rights import Right
from bot.core.moderators.answer import Found, Lines, said
from bot.core.moderators.argument import IncidentNumber
from bot.core.moderators.command import Answer, Asked, Command, Seen
from bot.core.moderators.ports import Desk


@dataclass(frozen=True)
class Why(Command, name="why", right=Right.DELETE, seen=Seen.MODERATORS):
    """An incident in full, with its text."""

    incident: IncidentNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = await desk.look_up(asked.community, self.incident)
        return Found(*found) if found else Lines.of(said("card.not_found"))


@dataclass(frozen=True)
class History(Command, name="history", right=Right.REVIEW, seen=Seen.MODERATORS):
    """What is on record about the member whom an incident is about."""

    incident: IncidentNumber

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        found = await desk.look_up(asked.community, self.incident)
        return Lines.of(found[1] if found else said("card.not_found"))
