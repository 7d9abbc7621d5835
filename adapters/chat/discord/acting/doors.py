"""A server's doors: what Discord has to lock them is set for a while, and given back as it was where it stands."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import discord

from adapters.chat.discord.acting.channels import NEEDS, Before, Channels
from adapters.chat.discord.errors import lacking, missing, outcome_of
from adapters.chat.discord.moderators.problems import Complaints
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.incidents.case import CaseState
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Gone, Lock, Means, Outcome, Refused, Unlock
from bot.core.text.catalogue import Texts

LONGEST = timedelta(hours=24)
CLOSE = 2.0  # seconds by which the end may differ from what we have asked for
#: Of a setting of the server, what a lock makes of it: a proven telephone; the questions to newcomers, switched on.
LOCKED = {Means.VERIFYING: discord.VerificationLevel.highest.value, Means.ONBOARDING: 1}


@dataclass(frozen=True, slots=True)
class Doors:
    client: discord.Client
    clock: Clock
    complaints: Complaints

    async def perform(self, planned: PlannedAction, action: Lock | Unlock, reason: str, say: Texts) -> Outcome:
        if isinstance(action, Lock):
            return await self._lock(planned, action, reason, say)
        return await self._unlock(planned, action, reason, say)

    async def _lock(self, planned: PlannedAction, action: Lock, reason: str, say: Texts) -> Outcome:
        """Until then, from when it was ordered. What was there before is on record (`begun`) before anything is
        changed: whoever begins anew after that, changes nothing of it."""
        guild_id, until = int(planned.message.community_id), planned.message.sent_at + min(action.lasting, LONGEST)
        if until <= self.clock.now() or (planned.case and planned.case.state is CaseState.UNDONE):
            return Gone()
        if action.means in (Means.USUAL, Means.JOINING):
            return await outcome_of(self._pause(guild_id, until), say, needs="manage_guild")
        if action.means in LOCKED:
            return await self._set(planned, action.means, reason, say)
        return await self._close(planned, action, reason, say)

    async def _unlock(self, planned: PlannedAction, action: Unlock, reason: str, say: Texts) -> Outcome:
        """Where somebody has set something else meanwhile, theirs stands."""
        guild_id = int(planned.message.community_id)
        if action.means in (Means.USUAL, Means.JOINING):
            return await self._go_on(guild_id, action, say)
        if action.means in LOCKED:
            now = await _asked(lambda: self._setting(guild_id, action.means), say)
            if isinstance(now, Refused | Gone):
                return now
            if now != LOCKED[action.means]:
                return Gone()
            back = self._change(guild_id, action.means, int(action.receipt), reason)
            return await outcome_of(back, say, needs="manage_guild")
        if (channels := self._channels(guild_id, action.means, reason)) is None:
            return Gone()
        return await self._each(channels, json.loads(action.receipt), say, back=True)

    # ---- settings of the server -------------------------------------------------------------------------------------

    async def _set(self, planned: PlannedAction, means: Means, reason: str, say: Texts) -> Outcome:
        guild_id = int(planned.message.community_id)
        if not planned.begun:
            now = await _asked(lambda: self._setting(guild_id, means), say)
            if isinstance(now, Refused | Gone):
                return now
            if now >= LOCKED[means]:
                return Refused("lock.already")
            raise Unavailable("written down first", retry_after=0.1, begun=str(now))
        done = await outcome_of(self._change(guild_id, means, LOCKED[means], reason), say, needs="manage_guild")
        return Done(planned.begun) if isinstance(done, Done) else done

    async def _setting(self, guild_id: int, means: Means) -> int:
        http = self.client.http
        if means is Means.ONBOARDING:
            return int((await http.get_guild_onboarding(guild_id))["enabled"])
        return int((await http.get_guild(guild_id))["verification_level"])

    async def _change(self, guild_id: int, means: Means, to: int, reason: str) -> None:
        http = self.client.http
        if means is Means.ONBOARDING:
            await http.edit_guild_onboarding(guild_id, enabled=bool(to), reason=reason)
        else:
            await http.edit_guild(guild_id, verification_level=to, reason=reason)

    # ---- channels ---------------------------------------------------------------------------------------------------

    async def _close(self, planned: PlannedAction, action: Lock, reason: str, say: Texts) -> Outcome:
        community = planned.message.community
        if (channels := self._channels(int(community.id), action.means, reason)) is None:
            return Gone()
        if planned.begun:
            done = await self._each(channels, json.loads(planned.begun), say, back=False)
            return Done(planned.begun) if isinstance(done, Done | Gone) else done
        shown = await _asked(channels.shown, say)
        if isinstance(shown, Refused | Gone):
            return shown
        settings = self.complaints.desk.community(community)
        rooms = frozenset(filter(None, (settings.moderators_channel, settings.report_channel)))
        before, out_of_reach = channels.meant(shown, action.channel, rooms)
        need = [NEEDS[action.means]]
        if not before:
            return Refused(lacking(need) if out_of_reach else "lock.already")
        if out_of_reach:
            where = ", ".join(f"<#{one}>" for one in out_of_reach[:20])
            await self.complaints.tell(community.id, f"{where}: {missing(need, say)}", say)
        raise Unavailable("written down first", retry_after=0.1, begun=json.dumps(before, separators=(",", ":")))

    async def _each(self, channels: Channels, before: Before, say: Texts, *, back: bool) -> Outcome:
        """One after the other, those alone that are not yet so, or still so; the first that is refused is told."""
        shown = await _asked(channels.shown, say)
        if isinstance(shown, Refused | Gone):
            return shown
        outcomes: list[Outcome] = []
        for unit, was in before.items():
            if unit.partition("/")[0] in shown and channels.stands(unit, was, shown) is back:
                done = _without_receipt(channels.set(unit, was, shown, back=back))
                outcomes.append(await outcome_of(done, say, needs=NEEDS[channels.means]))
        refused = (one for one in outcomes if isinstance(one, Refused))
        return next(refused, Done() if any(isinstance(one, Done) for one in outcomes) else Gone())

    def _channels(self, guild_id: int, means: Means, reason: str) -> Channels | None:
        """None: the bot is not there any more."""
        guild = self.client.get_guild(guild_id)
        return Channels(self.client.http, guild, means, reason) if guild else None

    # ---- who comes in -----------------------------------------------------------------------------------------------

    async def _go_on(self, guild_id: int, action: Unlock, say: Texts) -> Outcome:
        found = await _asked(lambda: self.client.http.get_guild(guild_id), say)
        if isinstance(found, Refused | Gone):
            return found
        until = discord.utils.parse_time((found.get("incidents_data") or {}).get("invites_disabled_until"))
        if until is None or abs(until.timestamp() - int(action.receipt)) > CLOSE or until <= self.clock.now():
            return Gone()
        return await outcome_of(self._pause(guild_id, None), say, needs="manage_guild")

    async def _pause(self, guild_id: int, until: datetime | None) -> str:
        at = until.isoformat() if until else None
        paused: Any = {"invites_disabled_until": at, "dms_disabled_until": at}
        await self.client.http.edit_incident_actions(guild_id, payload=paused)
        return str(int(until.timestamp())) if until else ""


async def _asked(ask: Callable[[], Awaitable[Any]], say: Texts) -> Any:
    """What Discord says, or the outcome that its refusal is."""
    found: list[Any] = []

    async def look() -> str:
        found.append(await ask())
        return ""

    outcome = await outcome_of(look(), say, needs="manage_guild")
    return found[0] if isinstance(outcome, Done) else outcome


async def _without_receipt(request: Awaitable[Any]) -> None:
    await request
