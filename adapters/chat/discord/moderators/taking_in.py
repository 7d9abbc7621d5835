"""Entries of a server's audit log -> cases: what moderators, and other bots, have done with Discord's own tools."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import discord

from adapters.chat.discord.refs import guild_ref
from bot.core.incidents.case import LONGEST_WORDS, CaseKind, Order, Person, native
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done

_KINDS = {
    discord.AuditLogAction.kick: CaseKind.KICK,
    discord.AuditLogAction.ban: CaseKind.BAN,
    discord.AuditLogAction.unban: CaseKind.UNBAN,
}


@dataclass(slots=True, kw_only=True)
class TakingIn:
    """One after the other: nobody waits for it."""

    client: discord.Client
    desk: Desk
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.client.event(self.on_audit_log_entry_create)

    async def on_audit_log_entry_create(self, entry: discord.AuditLogEntry) -> None:
        """What we have done ourselves is on record already (D66)."""
        me = self.client.user
        if entry.user_id is None or (me is not None and entry.user_id == me.id) or entry.target is None:
            return
        until: datetime | None = getattr(entry.after, "timed_out_until", None)
        if (kind := _kind(entry, until)) is None:
            return
        lasting = until - entry.created_at if until else timedelta()
        order = Order(
            kind=kind,
            member=Person(str(entry.target.id), getattr(entry.target, "display_name", "")),
            moderator=Person(str(entry.user_id), entry.user.display_name if entry.user else ""),
            at=entry.created_at,
            words=(entry.reason or "")[:LONGEST_WORDS],
            actions=native(kind, lasting),
            done=Done(str(int(until.timestamp())) if until else ""),
        )
        async with self._turn:
            await self.desk.deeds.take_in(guild_ref(entry.guild.id), order)


def _kind(entry: discord.AuditLogEntry, until: datetime | None) -> CaseKind | None:
    """None: it is nothing that moderators count."""
    if entry.action is not discord.AuditLogAction.member_update:
        return _KINDS.get(entry.action)
    if not hasattr(entry.after, "timed_out_until"):
        return None
    return CaseKind.MUTE if until and until > entry.created_at else CaseKind.UNMUTE
