"""What is done about members by hand."""

from dataclasses import dataclass, replace

from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.moderators.answer import Channel, Lines, Member, Role, said
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.ports import Desk


@dataclass(frozen=True)
class Exempt(Command, name="exempt", right=Right.MANAGE):
    """No rule applies any more to a member, to who has a role, or in a channel; off: all do again."""

    member: Member | None = None
    role: Role | None = None
    channel: Channel | None = None
    on: bool = True

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        whom = tuple(one for one in (self.member, self.role, self.channel) if one)
        if not whom:
            return Usage(type(self))
        roles = frozenset(one.id for one in (self.member, self.role) if one)
        channels = frozenset({self.channel.id} if self.channel else ())

        def edit(now: Community) -> Community:
            if self.on:
                return replace(
                    now, exempt_roles=now.exempt_roles | roles, exempt_channels=now.exempt_channels | channels
                )
            return replace(now, exempt_roles=now.exempt_roles - roles, exempt_channels=now.exempt_channels - channels)

        await asked.change(desk, edit)
        return Lines.of(said("exempt.on" if self.on else "exempt.off", whom=whom))
