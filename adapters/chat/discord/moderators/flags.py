"""A member points the moderators to a message -> one post about it in their channel, which counts who did."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import discord
import structlog

from adapters.chat.discord.moderators.asking import Interaction, answer, as_said, plain, say_to
from adapters.chat.discord.receiving.reading import read
from adapters.chat.discord.refs import guild_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.chat.message import Message
from bot.core.incidents.card import masked
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts, texts

_log = structlog.get_logger(__name__)

MINUTE = 60.0  # seconds; one report of a member in that time
POSTS = 10  # new posts a minute in one server: the moderators' channel has to have room for cards
REMEMBERED = 10_000  # messages and members
NAMED = 10  # members on one post


@dataclass(slots=True, eq=False)
class _Flagged:
    """A message that was reported, and the post about it once there is one."""

    by: list[int] = field(default_factory=list)
    post: discord.PartialMessage | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, kw_only=True)
class Flags:
    client: discord.Client
    desk: Desk
    clock: Clock
    _flagged: Bounded[int, _Flagged] = field(default_factory=lambda: Bounded(REMEMBERED))  # by message
    _last: Bounded[tuple[int, int], float] = field(default_factory=lambda: Bounded(REMEMBERED))  # by server and member
    _posts: Bounded[int, deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))  # when, by server

    async def flag(self, interaction: Interaction, message: discord.Message) -> None:
        say, guild_id, member = say_to(interaction), interaction.guild_id or 0, interaction.user.id
        channel = self.desk.community(guild_ref(guild_id)).moderators_channel
        if channel is None:
            await answer(interaction, say["discord.nobody_to_tell"])
            return
        flagged = self._flagged.refresh(message.id, _Flagged())
        if member in flagged.by:
            await answer(interaction, say["discord.passed_on"])
            return
        now = self.clock.monotonic()
        if now - self._last.get((guild_id, member), -MINUTE) < MINUTE:
            await answer(interaction, say["discord.flags_too_often"])
            return
        if flagged.post is None and not self._has_room(guild_id, now):
            await answer(interaction, say["discord.flags_too_many"])
            return
        self._last[guild_id, member] = now
        await interaction.response.defer(ephemeral=True, thinking=True)
        language = texts(self.desk.policy(as_said(interaction, "")).language)
        passed_on = await self._pass_on(flagged, message, int(channel), member, language)
        if not passed_on:
            del self._last[guild_id, member]
        await answer(interaction, say["discord.passed_on" if passed_on else "discord.not_passed_on"])

    async def _pass_on(self, flagged: _Flagged, message: discord.Message, channel_id: int, by: int, say: Texts) -> bool:
        async with flagged.writing:
            embed = _embed(read(message), message.jump_url, [*flagged.by, by], say)
            channel = self.client.get_partial_messageable(channel_id)
            try:
                if flagged.post is None:
                    posted = await channel.send(embed=embed, nonce=f"flag-{message.id}")
                    flagged.post = channel.get_partial_message(posted.id)
                else:
                    await flagged.post.edit(embed=embed)
            except discord.NotFound:  # the moderators have dealt with it
                pass
            except (discord.DiscordException, OSError, TimeoutError) as error:
                _log.warning("report not passed on", channel=channel_id, error=type(error).__name__)
                return False
            flagged.by.append(by)
            return True

    def _has_room(self, guild_id: int, now: float) -> bool:
        posts = self._posts.refresh(guild_id, deque(maxlen=POSTS))
        if len(posts) == POSTS and now - posts[0] < MINUTE:
            return False
        posts.append(now)
        return True


def _embed(message: Message, link: str, by: list[int], say: Texts) -> discord.Embed:
    embed = discord.Embed(title=say["discord.reported"], description=plain(masked(message.text)) or None)
    embed.add_field(name=say["discord.where"], value=f"[{say['discord.link']}]({link})")
    embed.add_field(name=say["discord.who"], value=f"<@{message.author.id}>")
    named = " ".join(f"<@{member}>" for member in by[:NAMED])
    embed.add_field(name=say("discord.reported_by", count=len(by)), value=named)
    return embed
