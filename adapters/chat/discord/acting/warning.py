"""An incident -> a word to the member whose message it is about, in private or, where that is closed, for a moment in
the channel."""

from dataclasses import dataclass, replace

import discord

from adapters.chat.discord.acting.informing import inform
from adapters.chat.discord.acting.notices import is_sanctioned, notice, notice_by_hand
from adapters.chat.discord.acting.private import ClosedDoor, PrivateMessages
from adapters.chat.discord.errors import outcome_of
from adapters.chat.discord.limits import Room
from adapters.chat.discord.moderators.appeals import appeal_view, objection_view
from adapters.chat.discord.moderators.asking import LONGEST
from adapters.chat.discord.receiving.reading import NAME, WEBHOOK
from bot.core.incidents.case import Case
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done, Gone, Inform, Outcome, Refused
from bot.core.text.catalogue import Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Warnings:
    client: discord.Client
    desk: Desk
    private: PrivateMessages
    notices: Room  # by channel

    async def tell(self, planned: PlannedAction, say: Texts) -> Outcome:
        """Whose message it is, or who has pointed to it."""
        if isinstance(planned.action, Inform):
            return await inform(self.private, self.desk, planned, planned.action, say)
        return await self._warn(planned, say)

    async def _warn(self, planned: PlannedAction, say: Texts) -> Outcome:
        if WEBHOOK in planned.message.extra or planned.message.author.bot:
            return Refused("discord.no_member")
        community, author = planned.message.community, planned.message.author.id
        if planned.case:
            return await self._warn_by_hand(planned, planned.case, say)
        self.private.make_room(community.id, author, planned.message.sent_at)
        found = await self.desk.look_up(community, planned.incident_id)
        if found is None:
            return Gone()
        incident = found[0]
        written = self.private.send(
            community.id,
            author,
            notice(incident, self.client.get_guild(int(community.id)), say),
            nonce=f"{planned.id}-warn",
            view=appeal_view(planned.code, author, say),
        )
        try:
            return await outcome_of(written, say, needs="send_messages")
        except ClosedDoor as door:
            # Who was put out or silenced would not see it, and only the others would; a name has no channel.
            if door.gone or NAME in planned.message.extra or is_sanctioned(incident.outcomes):
                return Refused("discord.closed_dm")
            with self.notices.taken(int(planned.message.ref.channel_id)):
                told = await outcome_of(self._reply_briefly(planned, say), say, needs="send_messages")
                return replace(told, brief=True) if isinstance(told, Done) else told

    async def _warn_by_hand(self, planned: PlannedAction, case: Case, say: Texts) -> Outcome:
        """In private or not at all: where it was ordered, others read."""
        community = planned.message.community
        self.private.make_room(community.id, case.member.id, case.opened_at)
        guild = self.client.get_guild(int(community.id))
        case = await self.desk.deeds.cases.get(community, case.number) or case  # with what is done, and until when
        told = notice_by_hand(case, planned.reason.in_(say.language), guild, say)
        view = objection_view(case, say) if case.kind.strikes else None
        written = self.private.send(community.id, case.member.id, told[:LONGEST], nonce=f"{planned.id}-warn", view=view)
        try:
            return await outcome_of(written, say, needs="send_messages")
        except ClosedDoor:
            return Refused("discord.closed_dm")

    async def _reply_briefly(self, planned: PlannedAction, say: Texts) -> str:
        """Who takes no direct messages is told in the channel, without the reason, and for a moment."""
        author = planned.message.author.id
        posted = await self.client.get_partial_messageable(int(planned.message.ref.channel_id)).send(
            say("discord.short_warning", member=f"<@{author}>", code=planned.code),
            allowed_mentions=discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(int(author))]),
            view=appeal_view(planned.code, author, say),
            nonce=f"{planned.id}-brief",
        )
        return f"{posted.channel.id}/{posted.id}"
