"""Planned actions -> Discord: what must not be tried is refused here, the rest is one request each."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import quote

import discord
import structlog
from discord.utils import MISSING

from adapters.chat.discord.acting.deletions import Deletions
from adapters.chat.discord.acting.notices import is_sanctioned, notice
from adapters.chat.discord.acting.private import ClosedDoor, PrivateMessages
from adapters.chat.discord.acting.restoring import restored
from adapters.chat.discord.errors import (
    OUT_OF_REACH,
    InvalidAnswers,
    may_have_arrived,
    missing,
    missing_here,
    outcome_of,
)
from adapters.chat.discord.limits import LONGEST_TIMEOUT, Room
from adapters.chat.discord.moderators.appeals import appeal_view
from adapters.chat.discord.moderators.problems import Complaints
from adapters.chat.discord.receiving.names import Names
from adapters.chat.discord.receiving.reading import AVATAR, NAME, NICK, PARENT, TITLE, WEBHOOK
from adapters.chat.recalling import PIECES
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message, Platform
from bot.core.incidents.incident import PlannedAction
from bot.core.moderation.ports import Outbox
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import (
    Answer,
    Ban,
    Delete,
    Done,
    Escalate,
    Flag,
    Gone,
    Kick,
    Lift,
    Notice,
    Outcome,
    Refused,
    Restore,
    Retract,
    TellOwner,
    Timeout,
    Unconfirmed,
    Warn,
)
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import answer, told

_log = structlog.get_logger(__name__)

BAN_DELETES = timedelta(hours=1)  # a banned member's messages of this long before go, too
LONGEST_REASON = 512  # characters in the audit log, counted as they are sent: URL-encoded
SHORT_REPLY_STAYS = timedelta(seconds=30)
WEBHOOKS = 1000  # remembered, one a channel
ANNOUNCED_WITHIN = 10  # messages around a thread's beginning, among which is the one that tells of it
CLOCKS_DIFFER = timedelta(seconds=30)  # ours and Discord's, at most

#: What each action needs of the bot, as discord.Permissions calls it.
NEEDS: dict[str, str] = {
    Delete.kind: "manage_messages", Timeout.kind: "moderate_members", Kick.kind: "kick_members",
    Ban.kind: "ban_members", Restore.kind: "manage_webhooks", Notice.kind: "send_messages",
    TellOwner.kind: "send_messages",
}  # fmt: skip


class Cards(Protocol):
    """Shows moderators an incident."""

    async def show(self, planned: PlannedAction, say: Texts) -> Outcome: ...

    def touch(self, incident_id: int) -> None:
        """Something came of this incident: its card, if any, is to be written anew."""
        ...


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why an action must not be tried, and what would have to be put right for it."""

    problem: str
    place: str = ""


@dataclass(slots=True, kw_only=True)
class Hands:
    """Everything that the bot does to messages and members."""

    client: discord.Client
    desk: Desk
    outbox: Outbox
    cards: Cards
    complaints: Complaints
    private: PrivateMessages
    notices: Room  # by channel
    members: Room  # by server: Discord takes about ten edits of members in ten seconds there
    names: Names
    clock: Clock
    invalid: InvalidAnswers
    own_webhooks: set[int] = field(default_factory=set)
    _deletions: Deletions = field(init=False)
    _webhooks: Bounded[int, discord.Webhook] = field(default_factory=lambda: Bounded(WEBHOOKS))

    def __post_init__(self) -> None:
        self._deletions = Deletions(self.client.http, self.clock)

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.invalid.check()
        say, community_id = texts(planned.language), planned.message.community_id
        if isinstance(planned.action, Flag | Escalate):
            return await self._show(planned, say)
        if obstacle := self._obstacle(planned, say):
            await self.complaints.tell(community_id, obstacle.problem, say, obstacle.place)
            return Refused(obstacle.problem)
        if isinstance(planned.action, Warn):
            return await self._warn(planned, say)
        outcome = await self._act(planned, say)
        self.cards.touch(planned.incident_id)
        return outcome

    async def _show(self, planned: PlannedAction, say: Texts) -> Outcome:
        community_id = planned.message.community_id
        if lacking := self.complaints.room_lacks(community_id):
            await self.complaints.tell_owner(community_id, lacking, say)
            return Refused(missing(lacking, say))
        return await self.cards.show(planned, say)

    async def _act(self, planned: PlannedAction, say: Texts) -> Outcome:
        action, message, reason = planned.action, planned.message, audit_reason(planned, say)
        http, guild_id, user_id = self.client.http, int(message.community_id), message.author.id
        channel_id = int(message.ref.channel_id)
        match action:
            case Delete() if message.filtered is not None:
                return Done()  # AutoMod was there before us
            case Delete() if NAME in message.extra:
                hidden_name = "" if message.extra[NAME] == NICK else say["discord.hidden_name"]
                return await self._name(message, hidden_name, reason, say)
            case Restore() if NAME in message.extra:
                return await self._name(message, message.text if message.extra[NAME] == NICK else "", reason, say)
            case Delete() if TITLE in message.extra:
                hidden = self._hide_title(message, say["discord.hidden_title"], reason)
                return await outcome_of(hidden, say, needs="manage_threads")
            case Restore() if TITLE in message.extra:
                shown = self._rename(int(message.extra[TITLE]), message.text, reason)
                return await outcome_of(shown, say, needs="manage_threads")
            case Delete():
                for piece in filter(None, message.extra.get(PIECES, "").split(",")):  # of the same answer
                    await self._deletions.delete(channel_id, int(piece), reason=reason, say=say)
                return await self._deletions.delete(channel_id, int(message.ref.message_id), reason=reason, say=say)
            case Notice():
                said = say("bots.notice", reason=planned.reason.in_(say.language))
                return await self._post(channel_id, said, f"{planned.incident_id}-notice", say)
            case TellOwner(channel=channel):
                return await self._post(int(channel), told(planned, say), f"{planned.incident_id}-owner", say)
            case Restore():
                with self.notices.taken(channel_id):
                    return await self._restore_once(planned, say)
            case Timeout(lasting=lasting):
                until = self.clock.now() + min(lasting, LONGEST_TIMEOUT)
                with self.members.taken(guild_id):
                    quiet = http.edit_member(
                        guild_id, user_id, communication_disabled_until=until.isoformat(), reason=reason
                    )
                    return await outcome_of(_without_receipt(quiet), say, needs="moderate_members")
            case Kick():
                with self.members.taken(guild_id):
                    kicked = http.kick(user_id, guild_id, reason=reason)
                    return await outcome_of(_without_receipt(kicked), say, needs="kick_members")
            case Ban():
                seconds = int(BAN_DELETES.total_seconds())
                with self.members.taken(guild_id):
                    away = http.ban(user_id, guild_id, delete_message_seconds=seconds, reason=reason)
                    return await outcome_of(_without_receipt(away), say, needs="ban_members")
            case Lift():
                with self.members.taken(guild_id):
                    return await self._lift(guild_id, int(user_id), reason, say)
            case Answer(accepted):
                written = self.private.send(
                    message.community_id, user_id, answer(planned, accepted, say), nonce=f"{planned.id}-answer"
                )
                try:
                    return await outcome_of(written, say, needs="send_messages")
                except ClosedDoor:
                    return Refused(say["discord.closed_dm"])  # they can look it up where they appealed
            case Retract(receipt=receipt):
                where, _, what = receipt.partition("/")
                for one in what.split(","):  # a long message was restored in several
                    gone = http.delete_message(int(where), int(one), reason=reason)
                    outcome = await outcome_of(_without_receipt(gone), say, needs="manage_messages")
                return outcome
            case _:
                return Refused(action.kind)

    async def _post(self, channel_id: int, text: str, nonce: str, say: Texts) -> Outcome:
        async def post() -> str:
            sent = await self.client.get_partial_messageable(channel_id).send(text[:2000], nonce=nonce)
            return f"{sent.channel.id}/{sent.id}"

        with self.notices.taken(channel_id):
            return await outcome_of(post(), say, needs="send_messages")

    def _obstacle(self, planned: PlannedAction, say: Texts) -> _Obstacle | None:
        """Why Discord would refuse, as far as we can know without asking: every 403 counts against us."""
        action, message = planned.action, planned.message
        guild = self.client.get_guild(int(message.community_id))
        if isinstance(action, Timeout | Kick | Ban | Lift) and WEBHOOK in message.extra:
            return _Obstacle(say["discord.no_member"])
        if guild is None:
            return None
        if isinstance(action, Delete) and message.filtered is not None:
            return None
        if needed := _need(planned):
            permission, channel_id = needed
            place = f"{permission} {channel_id}"
            if lacking := missing_here(guild, channel_id, [permission]):
                return _Obstacle(missing(lacking, say), place)
            self.complaints.well(message.community_id, place)
        if _hides_name(planned) or isinstance(action, Timeout | Kick | Ban):
            if int(message.author.id) == guild.owner_id:
                return _Obstacle(say["discord.owner"])
            mine = guild.me.top_role if guild.me else None
            theirs = max(
                (role for role in guild.roles if str(role.id) in message.author.roles), default=guild.default_role
            )
            if mine is not None and theirs >= mine:
                return _Obstacle(say["discord.above"])
        return None

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

    async def _lift(self, guild_id: int, user_id: int, reason: str, say: Texts) -> Outcome:
        """Both kinds of sanction: who is banned is not there to be timed out, and the other way round."""
        http = self.client.http
        unban = await outcome_of(
            _without_receipt(http.unban(user_id, guild_id, reason=reason)), say, needs="ban_members"
        )
        speak = http.edit_member(guild_id, user_id, communication_disabled_until=None, reason=reason)
        lifted = await outcome_of(_without_receipt(speak), say, needs="moderate_members")
        return unban if isinstance(lifted, Gone) else lifted

    async def _restore_once(self, planned: PlannedAction, say: Texts) -> Outcome:
        """A webhook's messages have no mark by which Discord knows a repetition: where its answer is lost, what stands
        in the channel says whether the message was restored, and where that is not to be seen, nobody knows."""
        began = discord.utils.time_snowflake(self.clock.now() - CLOCKS_DIFFER)
        try:
            return await outcome_of(self._restore(planned, say), say, needs="manage_webhooks")
        except Unavailable as error:
            if not may_have_arrived(error.__cause__):
                raise
        channel_id = int(planned.message.ref.channel_id)
        webhook = self._webhooks.get(int(planned.message.extra.get(PARENT, channel_id)))
        try:
            for posted in await self.client.http.logs_from(channel_id, limit=100, after=began):
                same = posted["content"] == restored(planned.message, say)[-1]
                if webhook and posted.get("webhook_id") == str(webhook.id) and same:
                    return Done(f"{channel_id}/{posted['id']}")
        except OUT_OF_REACH:
            pass
        return Unconfirmed()

    async def _restore(self, planned: PlannedAction, say: Texts) -> str:
        message = planned.message
        channel_id = int(message.ref.channel_id)
        parent_id = int(message.extra.get(PARENT, channel_id))
        posted: list[int] = []
        for text in restored(message, say):
            try:
                posted.append(await self._speak_as(message, text, parent_id, channel_id, say))
            except OUT_OF_REACH as error:
                if not posted:
                    raise
                # Beginning anew would say the first part twice.
                _log.warning("only partly restored", incident=planned.incident_id, error=type(error).__name__)
                break
        return f"{channel_id}/{','.join(map(str, posted))}"

    async def _speak_as(self, message: Message, text: str, parent_id: int, channel_id: int, say: Texts) -> int:
        """Under the author's name and picture."""
        for attempt in (1, 2):
            webhook = self._webhooks.get(parent_id) or await self._webhook(parent_id)
            try:
                posted = await webhook.send(
                    text,
                    username=_webhook_name(message.author.name, say),
                    avatar_url=message.extra.get(AVATAR),
                    allowed_mentions=discord.AllowedMentions.none(),
                    thread=discord.Object(channel_id) if parent_id != channel_id else MISSING,
                    wait=True,
                )
            except discord.NotFound:
                self._webhooks.pop(parent_id, None)  # a webhook that is gone must not be used again
                if attempt == 2:
                    raise
            else:
                break
        return posted.id

    async def _webhook(self, channel_id: int) -> discord.Webhook:
        """Our own webhook of a channel, made where there is none."""
        http, state = self.client.http, self.client._connection
        mine = self.client.application_id
        for data in await http.channel_webhooks(channel_id):
            if data.get("token") and int(data.get("application_id") or 0) == mine:
                break
        else:
            data = await http.create_webhook(channel_id, name="지킴이")
        webhook = discord.Webhook.from_state(data, state=state)
        self.own_webhooks.add(webhook.id)
        self._webhooks[channel_id] = webhook
        return webhook

    async def _warn(self, planned: PlannedAction, say: Texts) -> Outcome:
        if WEBHOOK in planned.message.extra or planned.message.author.bot:
            return Refused(say["discord.no_member"])
        self.private.make_room(planned.message.community_id, planned.message.author.id, planned.message.sent_at)
        community_id, author = planned.message.community_id, planned.message.author.id
        found = await self.desk.look_up(Platform.DISCORD, community_id, planned.incident_id)
        if found is None:
            return Gone()
        incident = found[0]
        written = self.private.send(
            community_id,
            author,
            notice(incident, self.client.get_guild(int(community_id)), say),
            nonce=f"{planned.id}-warn",
            view=appeal_view(planned.incident_id, author, say),
        )
        try:
            return await outcome_of(written, say, needs="send_messages")
        except ClosedDoor as door:
            # Who was put out or silenced would not see it, and only the others would; a name has no channel.
            if door.gone or NAME in planned.message.extra or is_sanctioned(incident.outcomes):
                return Refused(say["discord.closed_dm"])
            with self.notices.taken(int(planned.message.ref.channel_id)):
                return await outcome_of(self._reply_briefly(planned, say), say, needs="send_messages")

    async def _reply_briefly(self, planned: PlannedAction, say: Texts) -> str:
        """Who takes no direct messages is told in the channel, without the reason, for half a minute."""
        author = planned.message.author.id
        posted = await self.client.get_partial_messageable(int(planned.message.ref.channel_id)).send(
            say("discord.short_warning", member=f"<@{author}>", incident=planned.incident_id),
            allowed_mentions=discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(int(author))]),
            view=appeal_view(planned.incident_id, author, say),
            nonce=f"{planned.id}-brief",
        )
        receipt = f"{posted.channel.id}/{posted.id}"
        await self._retract_later(planned.incident_id, receipt)
        return receipt

    async def _retract_later(self, incident_id: int, receipt: str) -> None:
        """Patiently, and on record: the reply is there, and must neither stay nor be posted again."""
        due = self.clock.now() + SHORT_REPLY_STAYS
        while True:
            try:
                return await self.outbox.plan(incident_id, [Retract(receipt)], due=due)
            except Unavailable:
                await self.clock.sleep(1.0)


async def _without_receipt(request: Any) -> None:
    await request


def _need(planned: PlannedAction) -> tuple[str, int] | None:
    """The permission that an action takes, and the channel in which."""
    message, here = planned.message, int(planned.message.ref.channel_id)
    if _hides_name(planned):
        return "manage_nicknames", int(message.community_id)
    match planned.action:
        case Delete() | Restore() if TITLE in message.extra:
            return "manage_threads", int(message.extra[TITLE])
        case Restore():
            return NEEDS[Restore.kind], int(message.extra.get(PARENT, here))
        case Notice() if PARENT in message.extra:
            return "send_messages_in_threads", here
        case TellOwner(channel=channel):
            return NEEDS[TellOwner.kind], int(channel)
        case action if action.kind in NEEDS:
            return NEEDS[action.kind], here
    return None


def _hides_name(planned: PlannedAction) -> bool:
    return NAME in planned.message.extra and isinstance(planned.action, Delete | Restore)


def audit_reason(planned: PlannedAction, say: Texts) -> str:
    """Cut so that it fits even if Discord counts what is sent and not what is read."""
    reason = planned.reason.in_(planned.language)
    text = say("discord.audit", incident=planned.incident_id, reason=reason)
    while len(quote(text, safe="/ ")) > LONGEST_REASON:
        text = text[:-1]
    return text


def _webhook_name(name: str, say: Texts) -> str:
    """Discord refuses webhooks that call themselves by its own names."""
    taken = any(own in name.lower() for own in ("discord", "clyde"))
    return say["discord.who"] if taken or not name else name[:80]
