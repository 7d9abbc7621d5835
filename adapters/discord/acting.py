"""Planned actions -> Discord: what must not be tried is refused here, the rest is one request each."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import quote

import discord
from discord.utils import MISSING

from adapters.discord.answers import InvalidAnswers, missing, outcome_of
from adapters.discord.appeals import appeal_view
from adapters.discord.deleting import Deletions
from adapters.discord.names import Names
from adapters.discord.notices import Notices
from adapters.discord.reading import AVATAR, NAME, NICK, PARENT, TITLE, WEBHOOK
from adapters.recalling import PIECES
from bot.domain.actions import (
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
    Warn,
)
from bot.domain.incident import PlannedAction
from bot.domain.message import Message
from bot.ports import Clock
from bot.texts import Texts, texts
from bot.texts.cards import told

LONGEST_TIMEOUT = timedelta(days=27, hours=23)  # 28 days and more are refused
BAN_DELETES = timedelta(hours=1)  # a banned member's messages of this long before go, too
LONGEST_REASON = 512  # characters in the audit log, counted as they are sent: URL-encoded
SHORT_REPLY_STAYS = 30.0  # seconds
WEBHOOKS = 1000  # remembered, one a channel

#: What each action needs of the bot, as discord.Permissions calls it.
NEEDS: dict[str, str] = {
    Delete.kind: "manage_messages", Timeout.kind: "moderate_members", Kick.kind: "kick_members",
    Ban.kind: "ban_members", Restore.kind: "manage_webhooks",
}  # fmt: skip


class Cards(Protocol):
    """Shows moderators an incident."""

    async def show(self, planned: PlannedAction, say: Texts) -> Outcome: ...

    def touch(self, incident_id: int) -> None:
        """Something came of this incident: its card, if any, is to be written anew."""
        ...

    async def complain(self, community_id: str, problem: str, say: Texts) -> None:
        """Tell the moderators once that something cannot be done."""
        ...


@dataclass(slots=True, kw_only=True)
class Hands:
    """Everything that the bot does to messages and members."""

    client: discord.Client
    cards: Cards
    notices: Notices
    names: Names
    clock: Clock
    invalid: InvalidAnswers
    own_webhooks: set[int] = field(default_factory=set)
    _deletions: Deletions = field(init=False)
    _webhooks: OrderedDict[int, discord.Webhook] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._deletions = Deletions(self.client.http, self.clock)

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.invalid.check()
        say = texts(planned.language)
        if obstacle := self._obstacle(planned, say):
            await self.cards.complain(planned.message.community_id, obstacle, say)
            return Refused(obstacle)
        match planned.action:
            case Flag() | Escalate():
                return await self.cards.show(planned, say)
            case Warn():
                with self.notices.room():
                    return await self._warn(planned, say)
            case _:
                outcome = await self._act(planned, say)
                self.cards.touch(planned.incident_id)
                return outcome

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
                hidden = self._rename(int(message.extra[TITLE]), say["discord.hidden_title"], reason)
                return await outcome_of(hidden, say, needs="manage_threads")
            case Restore() if TITLE in message.extra:
                shown = self._rename(int(message.extra[TITLE]), message.text, reason)
                return await outcome_of(shown, say, needs="manage_threads")
            case Delete():
                for piece in filter(None, message.extra.get(PIECES, "").split(",")):  # of the same answer
                    await self._deletions.delete(channel_id, int(piece), reason=reason, say=say)
                return await self._deletions.delete(channel_id, int(message.ref.message_id), reason=reason, say=say)
            case Notice():
                said = say("bots.notice", reason=planned.reason.ko if say.language == "ko" else planned.reason.en)
                return await self._post(channel_id, said, f"{planned.incident_id}-notice", say)
            case TellOwner(channel=channel):
                return await self._post(int(channel), told(planned, say), f"{planned.incident_id}-owner", say)
            case Restore():
                return await outcome_of(self._restore(planned, say), say, needs="manage_webhooks")
            case Timeout(lasting=lasting):
                until = self.clock.now() + min(lasting, LONGEST_TIMEOUT)
                quiet = http.edit_member(
                    guild_id, user_id, communication_disabled_until=until.isoformat(), reason=reason
                )
                return await outcome_of(_without_receipt(quiet), say, needs="moderate_members")
            case Kick():
                return await outcome_of(
                    _without_receipt(http.kick(user_id, guild_id, reason=reason)), say, needs="kick_members"
                )
            case Ban():
                seconds = int(BAN_DELETES.total_seconds())
                away = http.ban(user_id, guild_id, delete_message_seconds=seconds, reason=reason)
                return await outcome_of(_without_receipt(away), say, needs="ban_members")
            case Lift():
                return await self._lift(guild_id, int(user_id), reason, say)
            case Retract(receipt=receipt):
                where, _, what = receipt.partition("/")
                gone = http.delete_message(int(where), int(what), reason=reason)
                return await outcome_of(_without_receipt(gone), say, needs="manage_messages")
            case _:
                return Refused(action.kind)

    async def _post(self, channel_id: int, text: str, nonce: str, say: Texts) -> Outcome:
        async def post() -> str:
            sent = await self.client.get_partial_messageable(channel_id).send(text[:2000], nonce=nonce)
            return f"{sent.channel.id}/{sent.id}"

        with self.notices.room():
            return await outcome_of(post(), say, needs="send_messages")

    def _obstacle(self, planned: PlannedAction, say: Texts) -> str | None:
        """Why Discord would refuse, as far as we can know without asking: every 403 counts against us."""
        action, message = planned.action, planned.message
        guild = self.client.get_guild(int(message.community_id))
        if isinstance(action, Timeout | Kick | Ban | Lift) and WEBHOOK in message.extra:
            return say["discord.no_member"]
        if guild is None:
            return None
        names = NAME in message.extra and isinstance(action, Delete | Restore)
        if isinstance(action, Delete) and message.filtered is not None:
            return None
        if needed := "manage_nicknames" if names else NEEDS.get(action.kind):
            channel_id = message.extra.get(PARENT) if needed == "manage_webhooks" else message.ref.channel_id
            if lacking := missing_here(guild, int(channel_id or message.ref.channel_id), [needed]):
                return missing(lacking, say)
        if names or isinstance(action, Timeout | Kick | Ban):
            if int(message.author.id) == guild.owner_id:
                return say["discord.owner"]
            mine = guild.me.top_role if guild.me else None
            theirs = max(
                (role for role in guild.roles if str(role.id) in message.author.roles), default=guild.default_role
            )
            if mine is not None and theirs >= mine:
                return say["discord.above"]
        return None

    async def _rename(self, thread_id: int, name: str, reason: str) -> None:
        await self.client.http.edit_channel(thread_id, name=name[:100], reason=reason)

    async def _name(self, message: Message, nick: str, reason: str, say: Texts) -> Outcome:
        """Give a member another name in this server; empty: the one that they have everywhere."""
        guild_id, user_id = int(message.community_id), message.author.id
        if nick or message.extra[NAME] != NICK:
            self.names.expect(guild_id, int(user_id), nick or message.text)
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

    async def _restore(self, planned: PlannedAction, say: Texts) -> str:
        message = planned.message
        channel_id = int(message.ref.channel_id)
        parent_id = int(message.extra.get(PARENT, channel_id))
        text = message.text[: 1990 - len(say["discord.restored"])] + "\n" + say["discord.restored"]
        for attempt in (1, 2):
            webhook = self._webhooks.get(parent_id) or await self._webhook(parent_id)
            try:
                posted = await webhook.send(
                    text,
                    username=_webhook_name(message.author.name),
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
        return f"{channel_id}/{posted.id}"

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
        if len(self._webhooks) > WEBHOOKS:
            self._webhooks.popitem(last=False)
        return webhook

    async def _warn(self, planned: PlannedAction, say: Texts) -> Outcome:
        if WEBHOOK in planned.message.extra or planned.message.author.bot:
            return Refused(say["discord.no_member"])
        reason = planned.reason.ko if planned.language == "ko" else planned.reason.en
        guild = self.client.get_guild(int(planned.message.community_id))
        warning = say(
            "discord.warning",
            server=discord.utils.escape_markdown(guild.name) if guild else "Discord",
            what=_what(planned.message, say),
            reason=reason,
            incident=planned.incident_id,
        )
        try:
            written = self._write_to(planned, warning, say)
            return await outcome_of(written, say, needs="send_messages")
        except _ClosedDoor:
            if NAME in planned.message.extra:  # there is no channel to say it in
                return Refused(say["discord.closed_dm"])
            return await outcome_of(self._reply_briefly(planned, say), say, needs="send_messages")

    async def _write_to(self, planned: PlannedAction, text: str, say: Texts) -> str:
        author, number = planned.message.author.id, planned.incident_id
        try:
            dm = await self.client.http.start_private_message(author)
            posted = await self.client.get_partial_messageable(int(dm["id"])).send(
                text, nonce=f"{number}-warn", view=appeal_view(number, author, say)
            )
        except discord.Forbidden as error:
            raise _ClosedDoor from error
        return f"{posted.channel.id}/{posted.id}"

    async def _reply_briefly(self, planned: PlannedAction, say: Texts) -> str:
        """Who takes no direct messages is told in the channel, without the reason, for half a minute."""
        author = planned.message.author.id
        posted = await self.client.get_partial_messageable(int(planned.message.ref.channel_id)).send(
            say("discord.short_warning", member=f"<@{author}>", incident=planned.incident_id),
            allowed_mentions=discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(int(author))]),
            view=appeal_view(planned.incident_id, author, say),
            delete_after=SHORT_REPLY_STAYS,
        )
        return f"{posted.channel.id}/{posted.id}"


class _ClosedDoor(Exception):
    """A member takes no direct messages."""


async def _without_receipt(request: Any) -> None:
    await request


def _what(message: Message, say: Texts) -> str:
    """What was acted on, for the member whose it is; what it said, they know."""
    if NAME in message.extra:
        return say("discord.your_name", name=discord.utils.escape_markdown(message.text))
    place = f"<#{message.ref.channel_id}>"
    if TITLE in message.extra:
        return say("discord.your_title", place=place)
    return say("discord.your_message", place=place, at=discord.utils.format_dt(message.sent_at, "f"))


def missing_here(guild: discord.Guild, channel_id: int, needed: list[str]) -> list[str]:
    """Which of these permissions the bot lacks in a channel (by the server's id: in the server as a whole); none
    where the channel is not known to us."""
    channel = guild.get_channel_or_thread(channel_id)
    if guild.me is None or (channel is None and channel_id != guild.id):
        return []
    granted = channel.permissions_for(guild.me) if channel else guild.me.guild_permissions
    return [name for name in needed if not getattr(granted, name)]


def audit_reason(planned: PlannedAction, say: Texts) -> str:
    """Cut so that it fits even if Discord counts what is sent and not what is read."""
    reason = planned.reason.ko if planned.language == "ko" else planned.reason.en
    text = say("discord.audit", incident=planned.incident_id, reason=reason)
    while len(quote(text, safe="/ ")) > LONGEST_REASON:
        text = text[:-1]
    return text


def _webhook_name(name: str) -> str:
    """Discord refuses webhooks that call themselves by its own names."""
    for taken in ("discord", "clyde"):
        if taken in name.lower():
            return "회원"
    return name[:80] or "회원"
