"""What is done about members by hand."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.communities.overrides import MOST, Override, with_others
from bot.core.moderators.answer import Channel, Lines, Member, Role, said
from bot.core.moderators.argument import Span
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.ports import Desk


@dataclass(frozen=True)
class Exempt(Command, name="exempt", right=Right.MANAGE):
    """No rule applies any more to a member, to who has a role, or in a channel, for good or for a while; off: all do
    again."""

    member: Member | None = None
    role: Role | None = None
    channel: Channel | None = None
    on: bool = True
    lasting: Annotated[timedelta | None, Span()] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        whom = tuple(one for one in (self.member, self.role, self.channel) if one)
        if not whom:
            return Usage(type(self))
        roles = frozenset(one.id for one in (self.member, self.role) if one)
        channels = frozenset({self.channel.id} if self.channel else ())

        is_full = False

        def edit(now: Community) -> Community:
            nonlocal is_full
            others = {of: one for of, one in now.overrides.items() if of not in roles | channels or not one.off}
            until = asked.at + self.lasting if self.on and self.lasting else None
            ending = {of: Override(off=True, until=until, place=of in channels) for of in roles | channels if until}
            overrides = with_others(others, ending, asked.at)
            is_full = overrides is None
            now = now if overrides is None else replace(now, overrides=overrides)
            if until or is_full:
                return now
            if self.on:
                return replace(
                    now, exempt_roles=now.exempt_roles | roles, exempt_channels=now.exempt_channels | channels
                )
            return replace(now, exempt_roles=now.exempt_roles - roles, exempt_channels=now.exempt_channels - channels)

        await asked.change(desk, edit)
        if is_full:
            return Lines.of(said("override.full", most=MOST))
        if self.on and self.lasting:
            return Lines.of(said("exempt.until", whom=whom, until=asked.at + self.lasting))
        return Lines.of(said("exempt.on" if self.on else "exempt.off", whom=whom))
