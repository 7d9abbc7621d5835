"""A moderator's deed -> Discord, as it stands there now: never over staff, nor over what somebody else has imposed."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

import discord

from adapters.chat.discord.acting.bans import BAN_DELETES, Bans
from adapters.chat.discord.errors import OUT_OF_REACH, outcome_of
from adapters.chat.discord.limits import LONGEST_TIMEOUT, Room
from adapters.chat.discord.manner import GuildManner
from adapters.chat.discord.moderators.asking import LONGEST, rights_of
from adapters.chat.discord.moderators.cards.raids import RaidCards
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.incidents.case import Case, CaseKind, Sanction
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import NO_ROOM, Ban, Done, Gone, Kick, Outcome, Refused, Timeout, Unsanction
from bot.core.text.catalogue import LANGUAGES, Texts, texts, texts_on
from bot.wording.answered import objected

CLOSE = 2.0  # seconds by which the end of a time-out may differ from what we have asked for


@dataclass(slots=True, kw_only=True)
class ByHand:
    client: discord.Client
    desk: Desk
    clock: Clock
    notices: Room
    members: Room
    _bans: Bans = field(init=False)
    _raids: RaidCards = field(init=False)

    def __post_init__(self) -> None:
        self._bans = Bans(self.client.http, self.clock)
        self._raids = RaidCards(client=self.client, desk=self.desk, notices=self.notices)

    async def carry_out(
        self, planned: PlannedAction, case: Case, action: Timeout | Kick | Ban | Unsanction, reason: str, say: Texts
    ) -> Outcome:
        guild_id, user_id = int(planned.message.community_id), int(case.member.id)
        if not isinstance(action, Unsanction) and await self._is_staff(guild_id, user_id):
            return Refused("deed.staff")
        with nullcontext() if case.of_bans else self.members.taken(guild_id):  # bans are no edits of members
            return await self._carry_out(planned, case, action, reason, say)

    async def _carry_out(
        self, planned: PlannedAction, case: Case, action: Timeout | Kick | Ban | Unsanction, reason: str, say: Texts
    ) -> Outcome:
        guild_id, user_id, http = int(planned.message.community_id), int(case.member.id), self.client.http
        match action:
            case Timeout(lasting):
                until = case.opened_at + min(lasting, LONGEST_TIMEOUT)
                if until <= self.clock.now():
                    return Refused("discord.timeout_is_over")
                standing = await self._silenced_until(guild_id, user_id)
                if standing and (standing - until).total_seconds() > CLOSE:
                    return Refused("discord.longer_stands")
                receipt = str(int(until.timestamp()))
                return await _done(self._silence(guild_id, user_id, until, reason), say, "moderate_members", receipt)
            case Kick():
                return await _done(http.kick(user_id, guild_id, reason=reason), say, "kick_members")
            case Ban(wipes=wipes):
                seconds = int(BAN_DELETES.total_seconds()) if wipes else 0
                return await self._bans.ban(guild_id, user_id, seconds, reason, say)
            case Unsanction():
                return await self._lift(planned, case, reason, say)
            case _:
                assert_never(action)

    async def outlasts(self, planned: PlannedAction, until: datetime) -> bool:
        """Whether a time-out that moderators impose on the member of an incident lasts longer."""
        if not await self._held(planned, Timeout):
            return False
        standing = await self._silenced_until(int(planned.message.community_id), int(planned.message.author.id))
        return standing is not None and standing > until

    async def free(self, planned: PlannedAction, reason: str, say: Texts) -> Outcome:
        """The member of an incident, but for what moderators impose. Of both kinds of sanction: who is banned is not
        there to be timed out, and the other way round."""
        guild_id, user_id = int(planned.message.community_id), int(planned.message.author.id)
        unban: Outcome = Refused("discord.not_ours_to_lift")
        if not await self._held(planned, Ban):
            unban = await _done(self.client.http.unban(user_id, guild_id, reason=reason), say, "ban_members")
        lifted = await self._let_speak(planned, guild_id, user_id, reason, say)
        return lifted if isinstance(unban, Gone) or isinstance(lifted, Done) else unban

    async def _let_speak(self, planned: PlannedAction, guild_id: int, user_id: int, reason: str, say: Texts) -> Outcome:
        """Or be silent for as long as moderators want."""
        ends = None
        if theirs := await self._held(planned, Timeout):
            standing, ends = await self._silenced_until(guild_id, user_id), theirs.ends_at
            if standing is None:
                return Gone()
            if ends is None or standing <= ends:
                return Refused("discord.not_ours_to_lift")
        return await _done(self._silence(guild_id, user_id, ends, reason), say, "moderate_members")

    async def _held(self, planned: PlannedAction, kind: type[Ban | Timeout]) -> Sanction | None:
        """What moderators impose on them, whichever process has heard of it."""
        cases, message = self.desk.deeds.cases, planned.message
        return await cases.held(message.community, message.author.id, kind.kind)

    async def pass_on(self, planned: PlannedAction, case: Case, say: Texts) -> Outcome:
        """What somebody has to say to a deed, of which there is no card; or a raid, which has its own."""
        if case.kind is CaseKind.RAID:
            return await self._raids.show(planned, case, say)
        community = planned.message.community
        if (channel := self.desk.community(community).moderators_channel) is None:
            return Refused(NO_ROOM)
        here, timezone = self.client.get_guild(int(community.id)), self.desk.schedule(community).timezone
        told = objected(case, GuildManner(texts_on("discord", planned.language), timezone, self.clock.now(), here))[
            :LONGEST
        ]
        room = self.client.get_partial_messageable(int(channel))
        quiet = discord.AllowedMentions.none()
        posting = room.send(told, nonce=f"{planned.id}-case", allowed_mentions=quiet)
        return await _done(posting, say, "send_messages")

    async def _lift(self, planned: PlannedAction, case: Case, reason: str, say: Texts) -> Outcome:
        """By an order to lift whatever stands; otherwise only what this very case has imposed."""
        guild_id, user_id = int(planned.message.community_id), int(case.member.id)
        if case.kind in (CaseKind.BAN, CaseKind.UNBAN):
            if case.kind is CaseKind.BAN:
                ban = await self._ban(guild_id, user_id)
                if ban is None:
                    return Gone()
                if not _is_of(case, str(ban.get("reason") or "")):
                    return Refused("discord.not_ours_to_lift")
            return await _done(self.client.http.unban(user_id, guild_id, reason=reason), say, "ban_members")
        standing = await self._silenced_until(guild_id, user_id)
        if standing is None:
            return Gone()
        if case.kind is not CaseKind.UNMUTE and not await self._is_of(planned, case, standing):
            return Refused("discord.not_ours_to_lift")
        return await _done(self._silence(guild_id, user_id, None, reason), say, "moderate_members")

    async def _is_of(self, planned: PlannedAction, case: Case, standing: datetime) -> bool:
        """Whether a time-out is one that this case has imposed, which its receipts tell."""
        found = await self.desk.deeds.cases.get(planned.message.community, case.number)
        outcomes = found.outcomes if found else ()
        ends = [int(one.receipt) for _, one in outcomes if isinstance(one, Done) and one.receipt.isdecimal()]
        return any(abs(standing.timestamp() - end) <= CLOSE for end in ends)

    async def _silence(self, guild_id: int, user_id: int, until: datetime | None, reason: str) -> None:
        quiet = until.isoformat() if until else None
        await self.client.http.edit_member(guild_id, user_id, communication_disabled_until=quiet, reason=reason)

    async def _silenced_until(self, guild_id: int, user_id: int) -> datetime | None:
        """None: they may write, or are not there."""
        member = await _known(self.client.http.get_member(guild_id, user_id))
        until = discord.utils.parse_time((member or {}).get("communication_disabled_until"))
        return until if until and until > self.clock.now() else None

    async def _ban(self, guild_id: int, user_id: int) -> Any:
        return await _known(self.client.http.get_ban(user_id, guild_id))

    async def _is_staff(self, guild_id: int, user_id: int) -> bool:
        """Asked again here: they may be staff since it was ordered."""
        guild = self.client.get_guild(guild_id)
        data = await _known(self.client.http.get_member(guild_id, user_id)) if guild else None
        if guild is None or data is None:
            return False
        return bool(rights_of(discord.Member(data=data, guild=guild, state=self.client._connection)))


def mark(case: Case, say: Texts) -> str:
    """With what the audit log's reason begins for everything that is done for a case: so is it known again."""
    return say("discord.audit_case", case=case.number)


def crowd(case: Case) -> str:
    """The reason for everybody who is put out together: one request has one for all."""
    return f"{case.moderator.name}: {case.words}"


def _is_of(case: Case, reason: str) -> bool:
    """Whether a ban of this reason is one that this case has imposed."""
    return reason == crowd(case) or any(reason.startswith(mark(case, texts(one))) for one in LANGUAGES)


async def _done(request: Any, say: Texts, needs: str, receipt: str = "") -> Outcome:
    async def requested() -> str:
        await request
        return receipt

    return await outcome_of(requested(), say, needs=needs)


async def _known(asked: Any) -> Any:
    """What Discord knows, or None. Raises `Unavailable`."""
    try:
        return await asked
    except discord.NotFound:
        return None
    except OUT_OF_REACH as error:
        raise Unavailable("Discord does not say ({why})", why=type(error).__name__) from error
