"""A message that was taken away -> what is posted in its place, in as many messages as Discord needs for it."""

from dataclasses import dataclass, field
from datetime import timedelta

import discord
import structlog
from discord.utils import MISSING

from adapters.chat.discord.errors import OUT_OF_REACH, may_have_arrived, outcome_of
from adapters.chat.discord.moderators.asking import pieces, plain
from adapters.chat.discord.receiving.reading import AVATAR, CONTENT, FILES, PARENT
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Outcome, Unconfirmed
from bot.core.text.catalogue import Texts

_log = structlog.get_logger(__name__)

LONGEST = 2000  # characters in a message of a webhook
MOST_NAMED = 300  # characters of the names of files
WEBHOOKS = 1000  # remembered, one a channel
CLOCKS_DIFFER = timedelta(seconds=30)  # ours and Discord's, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """Posts under an author's name and picture, by webhooks of our own."""

    client: discord.Client
    clock: Clock
    own_webhooks: set[int] = field(default_factory=set)
    _webhooks: Bounded[int, discord.Webhook] = field(default_factory=lambda: Bounded(WEBHOOKS))

    async def restore_once(self, planned: PlannedAction, say: Texts) -> Outcome:
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


def _webhook_name(name: str, say: Texts) -> str:
    """Discord refuses webhooks that call themselves by its own names."""
    taken = any(own in name.lower() for own in ("discord", "clyde"))
    return say["discord.who"] if taken or not name else name[:80]


def restored(message: Message, say: Texts) -> list[str]:
    """What its author typed, and nothing else that was read for them: files are gone with the message, and named."""
    typed = message.extra.get(CONTENT, message.text)
    answering = ""
    if message.reply_to:
        link = f"https://discord.com/channels/{message.community_id}/{message.ref.channel_id}/{message.reply_to}"
        answering = say("discord.answering", link=link) + "\n"
    end = say["discord.restored"]
    if files := message.extra.get(FILES):
        names = plain(", ".join(files.split("\n")))
        end += "\n" + say("discord.files_lost", names=names if len(names) <= MOST_NAMED else names[:MOST_NAMED] + "…")
    *first, last = pieces(answering + typed, LONGEST) if answering + typed else ("",)
    if len(last) + len(end) + 1 > LONGEST:
        return [*first, last, end]
    return [*first, f"{last}\n{end}".strip()]
