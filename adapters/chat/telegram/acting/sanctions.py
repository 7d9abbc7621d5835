"""Mutes, kicks, bans and their undoing -> the Bot API: never over what somebody else has imposed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from telegram import Bot, ChatMember, ChatMemberBanned, ChatMemberRestricted, ChatPermissions

from adapters.chat.telegram.joining.newcomers import has_just_come
from adapters.chat.telegram.limits import LONGEST_MUTE, SHORTEST_MUTE, Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.receiving.reading import is_channel
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from bot.core.base.clock import Clock
from bot.core.chat.message import Author
from bot.core.incidents.case import Case, CaseKind, Sanction
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Ban, Done, Gone, Kick, Outcome, Refused, Timeout, Unsanction

IN_TIME = timedelta(minutes=1)  # a mute that is shorter than Telegram takes is still given by then

Measure = Timeout | Kick | Ban | Unsanction


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanctions:
    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk
    clock: Clock

    async def perform(self, planned: PlannedAction, action: Measure, chat_id: int) -> Outcome:
        matter, author_id = await self._matter(planned), planned.message.author.id
        async with self.limiter.turn(chat_id, Lane.MODERATION):
            if is_channel(author_id):
                return await _bar_channel(self.bot, action, int(author_id), chat_id)
            return await self._do(action, planned.message.author, matter, chat_id)

    async def _matter(self, planned: PlannedAction) -> Incident | Case | None:
        """What it belongs to, with all that has come of it."""
        if planned.case:
            return await self.desk.deeds.cases.get(planned.message.community, planned.case.number) or planned.case
        return await self.desk.mine(TELEGRAM, planned.message.author.id, planned.code)

    async def _do(self, action: Measure, author: Author, incident: Incident | Case | None, chat_id: int) -> Outcome:
        user_id = int(author.id)
        match action:
            case Timeout(lasting):
                until = self._until(lasting, incident)
                return Refused("telegram.mute_is_over") if until is None else await self._mute(chat_id, author, until)
            case Kick():
                return await self._kick(chat_id, author)
            case Ban(lasting):
                return await self._ban(chat_id, user_id, self.clock.now() + lasting if lasting else None)
            case Unsanction():
                return await self._lift(chat_id, user_id, incident)
            case _:
                assert_never(action)

    def _until(self, lasting: timedelta, incident: Incident | Case | None) -> datetime | None:
        """When a mute ends: it counts from when it was decided, however late it is given. None: it is over."""
        now = self.clock.now()
        asked = now
        if isinstance(incident, Case):
            asked = incident.opened_at
        elif incident:
            asked = max(incident.decided_at, incident.review.at if incident.review else incident.decided_at)
        until = asked + min(max(lasting, SHORTEST_MUTE), LONGEST_MUTE)
        if until < now + SHORTEST_MUTE:
            return None if now - asked > IN_TIME else now + SHORTEST_MUTE
        return until

    async def _mute(self, chat_id: int, author: Author, until: datetime) -> Outcome:
        """Telegram keeps one restriction of a member: ours must not end somebody else's that lasts longer."""
        member = await self.members.member(chat_id, int(author.id))
        is_longer = isinstance(member, ChatMemberRestricted) and _lasts_beyond(member, until)
        if is_longer and not self._has_just_come(chat_id, author, member):
            return Refused("telegram.restricted_longer")
        await self._silence(chat_id, int(author.id), until)
        return Done(str(int(until.timestamp())))

    def _has_just_come(self, chat_id: int, author: Author, member: ChatMember | None) -> bool:
        """Whether nobody restricts a member, but what every newcomer is given."""
        if not isinstance(member, ChatMemberRestricted) or self.members.is_held_by_others(chat_id, int(author.id)):
            return False
        lasting = self.desk.community(group_ref(chat_id)).newcomers
        return has_just_come(member, lasting, self.clock.now(), since=author.since)

    async def _silence(self, chat_id: int, user_id: int, until: datetime | None) -> None:
        await self.bot.restrict_chat_member(
            chat_id, user_id, ChatPermissions.no_permissions(), until_date=until, use_independent_chat_permissions=True
        )

    async def _ban(self, chat_id: int, user_id: int, until: datetime | None) -> Outcome:
        """It keeps one ban, too."""
        if until:
            member = await self.members.member(chat_id, user_id)
            if isinstance(member, ChatMemberBanned) and _lasts_beyond(member, until):
                return Refused("telegram.restricted_longer")
        await self.bot.ban_chat_member(chat_id, user_id, until_date=until)
        return Done()

    async def _kick(self, chat_id: int, author: Author) -> Outcome:
        """Unlike a ban it leaves the member's other messages alone and lets them come back (T30, T31): but not who is
        banned, and who is restricted is so still when they come back."""
        user_id = int(author.id)
        member = await self.members.member(chat_id, user_id)
        if isinstance(member, ChatMemberBanned) or (isinstance(member, ChatMemberRestricted) and not member.is_member):
            return Gone()
        await self.bot.unban_chat_member(chat_id, user_id)
        if isinstance(member, ChatMemberRestricted) and not self._has_just_come(chat_id, author, member):
            may = ChatPermissions(**{name: getattr(member, name, None) for name in ChatPermissions.__slots__})
            soon = self.clock.now() + SHORTEST_MUTE
            until = None if _is_for_ever(member) else max(member.until_date, soon)
            await self.bot.restrict_chat_member(
                chat_id, user_id, may, until_date=until, use_independent_chat_permissions=True
            )
        return Done()

    async def _lift(self, chat_id: int, user_id: int, incident: Incident | Case | None) -> Outcome:
        """Only what this incident has imposed, which the receipts of its mutes tell, and of what others impose on the
        member the record; or by an order to lift it whatever of that kind stands."""
        member = await self.members.member(chat_id, user_id)
        if not isinstance(member, ChatMemberBanned | ChatMemberRestricted):
            return Gone()
        banned = isinstance(member, ChatMemberBanned)
        ordered = isinstance(incident, Case) and incident.kind in (CaseKind.UNMUTE, CaseKind.UNBAN)
        if isinstance(incident, Case) and incident.of_bans is not banned:
            return Gone()
        if isinstance(member, ChatMemberRestricted) and incident and not ordered and not _is_of(incident, member):
            return Refused("telegram.not_ours_to_lift")
        theirs = None if ordered else await self._held(chat_id, user_id, Ban if banned else Timeout, incident)
        ends = theirs.ends_at if theirs else self.clock.now()
        if ends is None or (theirs and not _lasts_beyond(member, ends)):
            return Refused("telegram.not_ours_to_lift")
        if ends > self.clock.now() + SHORTEST_MUTE:  # what ours has taken the place of goes on
            await (self.bot.ban_chat_member(chat_id, user_id, until_date=ends) if banned
                   else self._silence(chat_id, user_id, ends))  # fmt: skip
        elif banned:
            await self.bot.unban_chat_member(chat_id, user_id, only_if_banned=True)
        else:
            await self.bot.restrict_chat_member(chat_id, user_id, ChatPermissions.all_permissions())
        return Done()

    async def _held(
        self, chat_id: int, user_id: int, kind: type[Ban | Timeout], besides: Incident | Case | None
    ) -> Sanction | None:
        """What others impose on a member, whichever process has heard of it."""
        number = besides.number if isinstance(besides, Case) else None
        return await self.desk.deeds.cases.held(group_ref(chat_id), str(user_id), kind.kind, besides=number)


async def _bar_channel(bot: Bot, action: Measure, channel_id: int, chat_id: int) -> Outcome:
    """A channel can only be barred as a whole, and its owner with all their channels (T20)."""
    match action:
        case Ban():
            await bot.ban_chat_sender_chat(chat_id, channel_id)
            return Done()
        case Unsanction():
            await bot.unban_chat_sender_chat(chat_id, channel_id)
            return Done()
        case Timeout() | Kick():
            return Refused("telegram.channel")
        case _:
            assert_never(action)


def _is_of(incident: Incident | Case, member: ChatMemberRestricted) -> bool:
    """Whether the restriction is one that this incident imposed. Mutes of earlier versions left no receipt."""
    done = [outcome for action, outcome in incident.outcomes if isinstance(action, Timeout)]
    receipts = {outcome.receipt for outcome in done if isinstance(outcome, Done)}
    return "" in receipts or (not _is_for_ever(member) and str(int(member.until_date.timestamp())) in receipts)


def _is_for_ever(member: ChatMemberBanned | ChatMemberRestricted) -> bool:
    return member.until_date is None or member.until_date.timestamp() == 0


def _lasts_beyond(member: ChatMemberBanned | ChatMemberRestricted, until: datetime) -> bool:
    return _is_for_ever(member) or member.until_date > until
