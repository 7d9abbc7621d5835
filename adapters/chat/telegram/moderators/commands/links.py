"""/start as it follows a link -> the set-up, an appeal, one's own records, or a group that becomes a room."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.appeals import Appeals
from adapters.chat.telegram.moderators.asking import Answers, Typed, refused, rights_of
from adapters.chat.telegram.moderators.commands.choosing import Choosing, Crowd
from adapters.chat.telegram.moderators.commands.panel import Panel
from adapters.chat.telegram.moderators.setup import Setup
from adapters.chat.telegram.moderators.wishes import LINKED, Wishes
from bot.core.moderators.command import Command
from bot.core.moderators.commands import overview, record
from bot.core.moderators.permissions import Deed, may

_GROUP = re.compile(r"-[0-9]{1,18}")
_INCIDENT = re.compile(r"(-[0-9]{1,18})_([0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    members: Members
    answers: Answers
    setup: Setup
    appeals: Appeals
    choosing: Choosing
    wishes: Wishes
    crowd: Crowd
    panel: Panel
    serve_in: Callable[[Typed, type[Command]], Awaitable[None]]

    async def follow(self, typed: Typed) -> None:
        """In private setup_GROUP, why_GROUP_NUMBER, appeal_CODE (object_GROUP_NUMBER), privacy_WISH, or else the groups
        that somebody looks after; in the group that becomes a room mods_GROUP or report_GROUP."""
        purpose, _, number = typed.rest.partition("_")
        if purpose == "appeal" and typed.in_private:
            await self.appeals.serve(replace(typed, rest=number))
        elif purpose == "object" and typed.in_private:
            await self.appeals.object(typed, number)
        elif purpose == "why" and typed.in_private and (found := _INCIDENT.fullmatch(number)):
            await self.serve_in(replace(typed, name="why", rest=found[2], group=found[1]), record.Why)
        elif purpose == "privacy" and number in LINKED:
            await self.wishes.grant(typed, LINKED[number])
        elif not _GROUP.fullmatch(number):
            if typed.in_private and not await self.panel.open(typed):
                await self._say(typed, typed.say["telegram.hello"])
        elif purpose in ("mods", "report") and typed.in_group:
            await self._bind(replace(typed, group=number), purpose)
        elif purpose == "setup" and typed.in_private:
            rights = await rights_of(typed, int(number), self.members)
            if may(rights, overview.Setup.right):
                await self.setup.open(replace(typed, group=number))
            else:
                await self._say(typed, refused(rights, typed.say))

    async def _bind(self, typed: Typed, purpose: str) -> None:
        if typed.is_anonymous and typed.group != str(typed.chat_id):
            await self.choosing.ask(typed, [typed.group])
            return
        looks_after = may(await rights_of(typed, typed.chat_id, self.members), Deed.BIND_ROOM)
        if looks_after or self.crowd.has_room(typed):
            await self._say(typed, await self.setup.bind(typed, purpose))

    async def _say(self, typed: Typed, text: str) -> None:
        await self.answers.say(typed, text, lane=Lane.NOTICE)
