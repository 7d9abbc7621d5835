"""Planned actions -> Discord: what must not be tried is refused here, the rest is one request each."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import quote

import discord

from adapters.chat.discord.acting.bans import BAN_DELETES
from adapters.chat.discord.acting.by_hand import ByHand, crowd, mark
from adapters.chat.discord.acting.deletions import Deletions
from adapters.chat.discord.acting.doors import Doors
from adapters.chat.discord.acting.obstacles import obstacle
from adapters.chat.discord.acting.private import ClosedDoor, PrivateMessages
from adapters.chat.discord.acting.restoring import Restoring
from adapters.chat.discord.acting.warning import Warnings
from adapters.chat.discord.errors import InvalidAnswers, lacking, outcome_of
from adapters.chat.discord.limits import LONGEST_TIMEOUT, Room
from adapters.chat.discord.moderators.asking import plain
from adapters.chat.discord.moderators.cards.board import CardBoard
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.receiving.names import Names
from adapters.chat.discord.receiving.reading import NAME, NICK, PARENT, TITLE, WEBHOOK
from adapters.chat.recalling import PIECES
from bot.core.base.clock import Clock
from bot.core.chat.message import Message
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import (
    Answer,
    Ban,
    Care,
    Delete,
    DeletePost,
    Done,
    Escalate,
    Flag,
    Gone,
    Inform,
    Kick,
    Lock,
    Notice,
    NotifyOwner,
    Outcome,
    Purge,
    Refused,
    Restore,
    Timeout,
    Unlock,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import answer, cared, told

LONGEST_REASON = 512  # characters in the audit log, counted as they are sent: URL-encoded
ANNOUNCED_WITHIN = 10  # messages around a thread's beginning, among which is the one that tells of it


@dataclass(slots=True, kw_only=True)
class Executor:
    """Everything that the bot does to messages and members."""

    client: discord.Client
    cards: CardBoard
    complaints: Complaints
    private: PrivateMessages
    warnings: Warnings
    restoring: Restoring
    by_hand: ByHand
    notices: Room  # by channel
    members: Room  # by server: Discord takes about ten edits of members in ten seconds there
    names: Names
    clock: Clock
    invalid: InvalidAnswers
    _deletions: Deletions = field(init=False)

    def __post_init__(self) -> None:
        self._deletions = Deletions(self.client.http, self.clock)

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.invalid.check()
        say, community_id = texts(planned.language), planned.message.community_id
        if found := obstacle(planned, self.client.get_guild(int(community_id)), self.complaints):
            await self.complaints.tell(community_id, say.as_noted(found.problem), say, found.place)
            return Refused(found.problem)
        return await self._act(planned, say)

    async def _show(self, planned: PlannedAction, say: Texts) -> Outcome:
        community_id = planned.message.community_id
        if absent := self.complaints.room_lacks(community_id):
            await self.complaints.tell_owner(community_id, absent, say)
            return Refused(lacking(absent))
        return await self.cards.show(planned, say)

    async def _act(self, planned: PlannedAction, say: Texts) -> Outcome:
        action, channel_id = planned.action, int(planned.message.ref.channel_id)
        match action:
            case Flag() if planned.case:
                return await self.by_hand.pass_on(planned, planned.case, say)
            case Flag() | Escalate():
                return await self._show(planned, say)
            case Delete():
                return await self._delete(planned, say)
            case Restore():
                return await self._restore(planned, say)
            case Warn() | Inform():
                return await self.warnings.tell(planned, say)
            case Purge(messages):
                return await self._purge(channel_id, messages.split(","), audit_reason(planned, say), say)
            case Timeout() | Kick() | Ban() | Unsanction() if planned.case:
                return await self.by_hand.carry_out(planned, planned.case, action, audit_reason(planned, say), say)
            case Timeout() | Kick() | Ban() | Unsanction():
                with self.members.taken(int(planned.message.community_id)):
                    return await self._sanction(planned, action, say)
            case Lock() | Unlock():
                doors, reason = Doors(self.client, self.clock, self.complaints), audit_reason(planned, say)
                return await doors.perform(planned, action, reason, say)
            case Notice():
                said = say("bots.notice", reason=planned.reason.in_(say.language))
                return await self._post(channel_id, said, f"{planned.incident_id}-notice", say)
            case NotifyOwner(channel):
                return await self._post(int(channel), told(planned, say), f"{planned.incident_id}-owner", say)
            case Care():
                return await self._care(planned, say)
            case Answer() as given:
                return await self._answer(planned, given, say)
            case DeletePost(receipt):
                return await self._retract(receipt, audit_reason(planned, say), say)
            case _:
                assert_never(action)

    # ---- the message ------------------------------------------------------------------------------------------------

    async def _delete(self, planned: PlannedAction, say: Texts) -> Outcome:
        message, reason = planned.message, audit_reason(planned, say)
        if message.filtered is not None:
            return Done()  # AutoMod was there before us
        if NAME in message.extra:
            return await self._name(
                message, "" if message.extra[NAME] == NICK else say["discord.hidden_name"], reason, say
            )
        if TITLE in message.extra:
            hidden = self._hide_title(message, say["discord.hidden_title"], reason)
            return await outcome_of(hidden, say, needs="manage_threads")
        channel_id = int(message.ref.channel_id)
        for piece in filter(None, message.extra.get(PIECES, "").split(",")):  # of the same answer
            await self._deletions.delete(channel_id, int(piece), reason=reason, say=say)
        return await self._deletions.delete(channel_id, int(message.ref.message_id), reason=reason, say=say)

    async def _purge(self, channel_id: int, messages: list[str], reason: str, say: Texts) -> Outcome:
        """One that has gone meanwhile holds up none; the first other answer than "gone" is that of all."""
        deletes = (self._deletions.delete(channel_id, int(one), reason=reason, say=say) for one in messages)
        outcomes = await asyncio.gather(*deletes)
        refused = (one for one in outcomes if isinstance(one, Refused))
        return next(refused, Done() if any(isinstance(one, Done) for one in outcomes) else Gone())

    async def _restore(self, planned: PlannedAction, say: Texts) -> Outcome:
        message, reason = planned.message, audit_reason(planned, say)
        if NAME in message.extra:
            return await self._name(message, message.text if message.extra[NAME] == NICK else "", reason, say)
        if TITLE in message.extra:
            shown = self._rename(int(message.extra[TITLE]), message.text, reason)
            return await outcome_of(shown, say, needs="manage_threads")
        with self.notices.taken(int(message.ref.channel_id)):
            return await self.restoring.restore_once(planned, say)

    async def _retract(self, receipt: str, reason: str, say: Texts) -> Outcome:
        where, _, what = receipt.partition("/")
        for one in what.split(","):  # a long message was restored in several
            gone = self.client.http.delete_message(int(where), int(one), reason=reason)
            outcome = await outcome_of(_without_receipt(gone), say, needs="manage_messages")
        return outcome

    async def _hide_title(self, message: Message, name: str, reason: str) -> None:
        """A thread's first title also stands in the message by which Discord told its channel of the thread."""
        thread_id = int(message.extra[TITLE])
        await self._rename(thread_id, name, reason)
        if message.ref.message_id.startswith(TITLE) and (parent_id := message.extra.get(PARENT)):
            around = await self.client.http.logs_from(parent_id, limit=ANNOUNCED_WITHIN, around=thread_id)
            for told in around:
                of = told.get("message_reference")
                is_news = told["type"] == discord.MessageType.thread_created.value
                if is_news and of and of.get("channel_id") == str(thread_id):
                    await self.client.http.delete_message(parent_id, told["id"], reason=reason)

    async def _rename(self, thread_id: int, name: str, reason: str) -> None:
        await self.client.http.edit_channel(thread_id, name=name[:100], reason=reason)

    async def _name(self, message: Message, nick: str, reason: str, say: Texts) -> Outcome:
        """Give a member another name in this server; empty: the one that they have everywhere."""
        guild_id, user_id = int(message.community_id), message.author.id
        if nick or message.extra[NAME] != NICK:
            self.names.expect(guild_id, int(user_id), nick or message.text)
        with self.members.taken(guild_id):
            named = self.client.http.edit_member(guild_id, user_id, nick=nick or None, reason=reason)
            return await outcome_of(_without_receipt(named), say, needs="manage_nicknames")

    # ---- the member -------------------------------------------------------------------------------------------------

    async def _sanction(self, planned: PlannedAction, action: Timeout | Kick | Ban | Unsanction, say: Texts) -> Outcome:
        reason, http = audit_reason(planned, say), self.client.http
        guild_id, user_id = int(planned.message.community_id), planned.message.author.id
        match action:
            case Timeout(lasting):
                until = self.clock.now() + min(lasting, LONGEST_TIMEOUT)
                if await self.by_hand.outlasts(planned, until):
                    return Refused("discord.longer_stands")
                ends = until.isoformat()
                quiet = http.edit_member(guild_id, user_id, communication_disabled_until=ends, reason=reason)
                return await outcome_of(_without_receipt(quiet), say, needs="moderate_members")
            case Kick():
                kicked = http.kick(user_id, guild_id, reason=reason)
                return await outcome_of(_without_receipt(kicked), say, needs="kick_members")
            case Ban():
                seconds = int(BAN_DELETES.total_seconds())
                away = http.ban(user_id, guild_id, delete_message_seconds=seconds, reason=reason)
                return await outcome_of(_without_receipt(away), say, needs="ban_members")
            case Unsanction():
                return await self.by_hand.free(planned, reason, say)
            case _:
                assert_never(action)

    # ---- words ------------------------------------------------------------------------------------------------------

    async def _answer(self, planned: PlannedAction, given: Answer, say: Texts) -> Outcome:
        community_id, author = planned.message.community_id, planned.message.author.id
        written = self.private.send(community_id, author, answer(planned, given, say), nonce=f"{planned.id}-answer")
        try:
            return await outcome_of(written, say, needs="send_messages")
        except ClosedDoor:
            return Refused("discord.closed_dm")  # they can look it up where they appealed

    async def _care(self, planned: PlannedAction, say: Texts) -> Outcome:
        """In private or not at all: in front of the others it would expose them."""
        message = planned.message
        if WEBHOOK in message.extra or message.author.bot:
            return Refused("discord.no_member")
        self.private.make_room(message.community_id, message.author.id, message.sent_at)
        guild = self.client.get_guild(int(message.community_id))
        server, channel = plain(guild.name) if guild else "Discord", plain(message.channel_name)
        place = say("discord.a_channel", server=server, channel=channel) if channel else server
        written = self.private.send(
            message.community_id, message.author.id, cared(place, say), nonce=f"{planned.id}-care"
        )
        try:
            return await outcome_of(written, say, needs="send_messages")
        except ClosedDoor:
            return Refused("care.not_reached")

    async def _post(self, channel_id: int, text: str, nonce: str, say: Texts) -> Outcome:
        async def post() -> str:
            sent = await self.client.get_partial_messageable(channel_id).send(text[:2000], nonce=nonce)
            return f"{sent.channel.id}/{sent.id}"

        with self.notices.taken(channel_id):
            return await outcome_of(post(), say, needs="send_messages")


async def _without_receipt(request: Any) -> None:
    await request


def audit_reason(planned: PlannedAction, say: Texts) -> str:
    """Cut so that it fits even if Discord counts what is sent and not what is read."""
    reason = planned.reason.in_(planned.language)
    text = say("discord.audit", case=planned.number, reason=reason)
    if planned.case:
        by = planned.case.moderator.name
        text = f"{mark(planned.case, say)} {f'{by}: {reason}' if reason else by}"
        text = crowd(planned.case) if isinstance(planned.action, Ban) and planned.action.wipes else text
    while len(quote(text, safe="/ ")) > LONGEST_REASON:
        text = text[:-1]
    return text
