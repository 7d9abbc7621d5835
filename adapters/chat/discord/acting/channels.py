"""A server's channels -> slowed down, or silent but for staff, and what each was before; and back, where it stands."""

from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord.http import HTTPClient

from adapters.chat.discord.errors import missing_here
from adapters.chat.discord.moderators.asking import PERMISSION
from bot.core.rules.actions import Means

SLOW = 30  # seconds between two messages of a member
WRITING = discord.Permissions(
    send_messages=True, send_messages_in_threads=True, create_public_threads=True, create_private_threads=True
)
NEEDS = {Means.SLOW: "manage_channels", Means.WRITING: "manage_roles"}
_SLOWED = (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.ForumChannel)
_WRITTEN = (*_SLOWED, discord.CategoryChannel)

Shown = Mapping[str, Any]  # the channels by their ids, as Discord shows them now
Before = Mapping[str, list[int]]  # "channel" -> its pace; "channel/role" -> what was allowed and denied, of which bits


@dataclass(frozen=True, slots=True)
class Channels:
    http: HTTPClient
    guild: discord.Guild
    means: Means
    reason: str

    async def shown(self) -> Shown:
        return {one["id"]: one for one in await self.http.get_all_guild_channels(self.guild.id)}

    def meant(self, shown: Shown, only: str, rooms: frozenset[str]) -> tuple[Before, list[str]]:
        """What is to be set, as it is now, and where the bot may not: in one channel, or in all that members see but
        the moderators' rooms."""
        before: dict[str, list[int]] = {}
        out_of_reach = []
        for id_, data in shown.items():
            channel = self.guild.get_channel(int(id_))
            kinds = _SLOWED if self.means is Means.SLOW else _WRITTEN
            if channel is None or not isinstance(channel, kinds) or only not in ("", id_):
                continue
            if not only and (id_ in rooms or not self._is_open(channel)):
                continue
            found = dict(self._of(data))
            if found and missing_here(self.guild, channel.id, [NEEDS[self.means]]):
                out_of_reach.append(id_)
            else:
                before |= found
        return before, out_of_reach

    def _of(self, data: Any) -> Iterator[tuple[str, list[int]]]:
        if self.means is Means.SLOW:
            if (now := data.get("rate_limit_per_user") or 0) < SLOW:
                yield data["id"], [now]
            return
        bits = WRITING.value & (self.guild.me.guild_permissions.value if self.guild.me else 0)  # it gives what it has
        standing = {one["id"]: one for one in data.get("permission_overwrites", ()) if int(one["type"]) == 0}
        for role in self.guild.roles:
            allow, deny = _bits(standing.get(str(role.id)))
            concerns = role.is_default() or (allow & bits and not _is_staff(role) and not role.is_bot_managed())
            if concerns and deny & bits != bits:
                yield f"{data['id']}/{role.id}", [allow & bits, deny & bits, bits]

    def stands(self, unit: str, was: list[int], shown: Shown) -> bool:
        """Whether it is as a lock has set it."""
        channel, _, role = unit.partition("/")
        if (data := shown.get(channel)) is None:
            return False
        if not role:
            return int(data.get("rate_limit_per_user") or 0) == SLOW
        allow, deny = _of_role(data, role)
        return deny & was[2] == was[2] and not allow & was[2]

    def set(self, unit: str, was: list[int], shown: Shown, *, back: bool) -> Awaitable[Any]:
        channel, _, role = unit.partition("/")
        if not role:
            return self.http.edit_channel(
                int(channel), rate_limit_per_user=was[0] if back else SLOW, reason=self.reason
            )
        (allow, deny), (allowed, denied, bits) = _of_role(shown[channel], role), was
        allow, deny = (allow & ~bits) | (allowed if back else 0), (deny & ~bits) | (denied if back else bits)
        if back and not (allow or deny):
            return self.http.delete_channel_permissions(int(channel), int(role), reason=self.reason)
        return self.http.edit_channel_permissions(int(channel), int(role), str(allow), str(deny), 0, reason=self.reason)

    def _is_open(self, channel: discord.abc.GuildChannel) -> bool:
        """Whether anybody but staff sees it."""
        roles = (role for role in self.guild.roles if not (role.managed or _is_staff(role)))
        return any(channel.permissions_for(role).view_channel for role in roles)


def _is_staff(role: discord.Role) -> bool:
    granted = role.permissions
    return granted.administrator or any(getattr(granted, name) for name in PERMISSION.values())


def _of_role(data: Any, role: str) -> tuple[int, int]:
    found = (one for one in data.get("permission_overwrites", ()) if one["id"] == role)
    return _bits(next(found, None))


def _bits(overwrite: Any) -> tuple[int, int]:
    """What it allows, and what it denies."""
    return (int(overwrite["allow"]), int(overwrite["deny"])) if overwrite else (0, 0)
