"""Reports -> one Discord message each: text, picture and as many of the files as the server takes. And plain words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import discord
import structlog

from adapters.chat.discord.errors import TOO_LARGE, InvalidAnswers, lacking, may_have_arrived, missing_here, outcome_of
from adapters.chat.discord.moderators.commands.advised import keys
from adapters.chat.pacing import Pace, alone
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.post import Attachment, Post
from bot.core.rules.actions import Outcome, Refused, Unconfirmed
from bot.core.text.catalogue import Texts, texts

_log = structlog.get_logger(__name__)

LONGEST = 2000  # characters in a message
PER_SECOND = 25  # half of what Discord takes of one bot; the other half is for moderation
NEEDED = ("view_channel", "send_messages", "attach_files")
AGAIN = (1.0, 4.0, 10.0)  # seconds between tries when an answer was lost: as long as Discord knows the mark


@dataclass(slots=True, kw_only=True)
class Posting:
    client: discord.Client
    clock: Clock
    invalid: InvalidAnswers
    say: Texts
    among: Callable[[], int] = alone
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(clock=self.clock, per_second=PER_SECOND, among=self.among)

    async def post(self, channel_id: int, post: Post, mark: str) -> Outcome:
        """Discord does not make a second message of the same `mark` within some minutes, so an answer that was lost is
        asked for again. Unconfirmed: it stays lost."""
        self.invalid.check()
        if absent := self._lacking(channel_id):
            return Refused(lacking(absent))
        lighter: Post | None = post.fitting(self._limit(channel_id))
        while lighter:
            try:
                return await self._post(channel_id, lighter, (lighter.picture, *lighter.files), mark)
            except _TooLarge:
                lighter = lighter.lighter()
        return await self._post(channel_id, post, (), mark)

    async def announce(self, channel_id: int, text: str) -> None:
        """See `Announcer`."""
        guild = getattr(self.client.get_channel(channel_id), "guild", None)
        if guild and missing_here(guild, channel_id, ("view_channel", "send_messages")):
            _log.warning("nowhere to announce", channel=channel_id)
            return
        try:
            await self.client.get_partial_messageable(channel_id).send(text)
        except (discord.Forbidden, discord.NotFound):
            _log.warning("nowhere to announce", channel=channel_id)
        except (discord.DiscordException, OSError, TimeoutError) as error:
            raise Unavailable("Discord does not take it ({why})", why=type(error).__name__) from error

    async def _post(self, channel_id: int, post: Post, parts: Sequence[Attachment], mark: str) -> Outcome:
        for pause in (*AGAIN, None):
            try:
                async with self._pace.turn():
                    sent = self._send(channel_id, post, attached(parts), mark)
                    return await outcome_of(sent, self.say, needs=NEEDED[-1])
            except Unavailable as error:
                if not may_have_arrived(error.__cause__):
                    raise
            if pause is not None:
                await self.clock.sleep(pause)
        return Unconfirmed()

    async def _send(self, channel_id: int, post: Post, files: list[discord.File], mark: str) -> str:
        try:
            channel = self.client.get_partial_messageable(channel_id)
            view = keys(post.advised, texts(post.language)) or discord.utils.MISSING
            posted = await channel.send(told(post, everything=not files), files=files, nonce=mark, view=view)
        except discord.HTTPException as error:
            if files and (error.status == 413 or error.code == TOO_LARGE):
                raise _TooLarge from None
            raise
        return f"{posted.channel.id}/{posted.id}"

    def _lacking(self, channel_id: int) -> list[str]:
        """What Discord would refuse it for, as far as we know: every 403 counts against us."""
        guild = self._guild(channel_id)
        return missing_here(guild, channel_id, NEEDED) if guild else []

    def _limit(self, channel_id: int) -> int:
        """Bytes in one file."""
        guild = self._guild(channel_id)
        return guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES

    def _guild(self, channel_id: int) -> discord.Guild | None:
        return getattr(self.client.get_channel(channel_id), "guild", None)


class _TooLarge(Exception):
    """Discord does not take so much at once."""


def attached(parts: Iterable[Attachment]) -> list[discord.File]:
    """What is first is what is shown large."""
    return [discord.File(BytesIO(one.content), one.name, description=one.description[:1024]) for one in parts]


def told(post: Post, *, everything: bool = False) -> str:
    """The text, and how to get what could not be attached."""
    files = (post.picture, *post.files) if everything else ()
    names = (*post.left_out, *(file.name for file in files))
    if not names:
        return post.text[:LONGEST]
    say = texts(post.language)
    command = f"/{say['command.jikimi']} {say['command.report']}"
    told = say("delivery.left_out", files=", ".join(names), command=command)
    return f"{post.text[: LONGEST - len(told) - 2]}\n\n{told}"
