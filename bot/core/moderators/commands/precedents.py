"""What moderators have called right or wrong, and what is not to be one any more."""

from dataclasses import dataclass
from typing import Annotated

from bot.core.chat.rights import Right
from bot.core.moderators.answer import Lines, said
from bot.core.moderators.argument import Number
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.ports import Desk

MOST_SHOWN = 20


@dataclass(frozen=True)
class Precedents(Command, name="precedents", right=Right.MANAGE, group="policy"):
    """What is left alone, or acted on, because of what moderators have called of the same before; with a number, that
    incident is no precedent any more."""

    incident: Annotated[int | None, Number(1, 2**53 - 1)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.incident is not None:
            gone = await desk.precedents.withdraw(asked.community, self.incident)
            return Lines.of(said("precedents.withdrawn" if gone else "precedents.unknown", incident=self.incident))
        held = await desk.precedents.of(asked.community)
        if not held:
            return Lines.of(said("precedents.none"))
        lines = [
            said(
                f"precedents.{one.ruling}",
                incident=one.case,
                rules=", ".join(sorted(one.rules)),
                until=one.until,
            )
            for one in held[:MOST_SHOWN]
        ]
        return Lines((said("precedents.title", count=len(held)), *lines, said("precedents.how", command=type(self))))
