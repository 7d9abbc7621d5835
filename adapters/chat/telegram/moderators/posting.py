"""Reports -> Telegram: the picture with its caption, and the files as one album. And plain words."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from telegram import Bot, InputMediaDocument, Message
from telegram.error import BadRequest, Forbidden, NetworkError

from adapters.chat.pacing import Pace
from adapters.chat.telegram.errors import Lost
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.moderators.commands.advised import keys
from adapters.chat.telegram.moderators.fleeting import Fleeting
from adapters.chat.telegram.text import LONGEST, cut, units
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.chat.ports import Bookmarks
from bot.core.chat.post import Attachment, Post
from bot.core.rules.actions import Done, Gone, Outcome, Refused, Unconfirmed
from bot.core.text.catalogue import texts

LONGEST_CAPTION = 1024  # UTF-16 units
LARGEST_PHOTO, LARGEST_FILE = 10_000_000, 50_000_000  # bytes
PER_SECOND = 25  # of the 30 that Telegram takes; the others are for cards and warnings
PATIENCE = 90.0  # seconds that a part waits for its turn
TRIES = 3  # for what follows the picture
READS, WRITES = 30.0, 60.0  # seconds for an upload

#: Telegram's words for a picture that it takes as a file only.
_NO_PHOTO = ("photo_invalid_dimensions", "image_process_failed", "photo_save_file_invalid", "photo_ext_invalid")

_log = structlog.get_logger(__name__)
Sent = TypeVar("Sent", bound=Message | Sequence[Message])


@dataclass(slots=True, kw_only=True)
class Posting:
    """Telegram has no mark by which it knows a post again: a first part of which no answer came is not sent anew. Once
    that part stands, the report is done; what follows it is tried a few times."""

    bot: Bot
    limiter: Limiter
    clock: Clock
    bookmarks: Bookmarks | None = None
    fleeting: Fleeting = field(init=False)  # posts with members' names
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.fleeting = Fleeting(bot=self.bot, limiter=self.limiter, clock=self.clock, bookmarks=self.bookmarks)
        self._pace = Pace(clock=self.clock, per_second=PER_SECOND, among=self.limiter.among)

    async def post(self, chat_id: int, post: Post) -> Outcome:
        """Raises `ChatMigrated` where the group has another id by now."""
        post = post.fitting(LARGEST_FILE)
        text = _told(post)
        fits = units(text) <= LONGEST_CAPTION
        try:
            first = await self._show(chat_id, post, text if fits else None)
        except Forbidden as error:
            return Refused(error.message)
        except BadRequest as error:
            return Gone() if "chat not found" in error.message.lower() else Refused(error.message)
        except Lost as error:
            if error.answered:
                raise
            return Unconfirmed()
        if not fits:
            await self._follow(chat_id, 1, lambda: self.bot.send_message(chat_id, cut(text, LONGEST)), named=post.named)
        await self._attach(chat_id, post)
        return Done(f"{first.chat.id}/{first.message_id}")

    async def announce(self, chat_id: int, text: str) -> None:
        async with self.limiter.turn(chat_id, Lane.CARD):
            await self.bot.send_message(chat_id, text)

    async def _show(self, chat_id: int, post: Post, caption: str | None) -> Message:
        picture = post.picture
        more: dict[str, Any] = {
            "caption": caption,
            "filename": picture.name,
            "read_timeout": READS,
            "write_timeout": WRITES,
            "reply_markup": keys(post.advised, texts(post.language)),
        }
        send = partial(self._send, chat_id, 1, named=post.named)
        if len(picture.content) <= LARGEST_PHOTO:
            try:
                return await send(lambda: self.bot.send_photo(chat_id, picture.content, **more))
            except BadRequest as error:
                if not any(word in error.message.lower() for word in _NO_PHOTO):
                    raise
            except _TooLarge:
                pass
        if len(picture.content) <= LARGEST_FILE:
            try:
                return await send(lambda: self.bot.send_document(chat_id, picture.content, **more))
            except _TooLarge:
                pass
        return await send(lambda: self.bot.send_message(chat_id, cut(_told(post, picture.name), LONGEST)))

    async def _attach(self, chat_id: int, post: Post) -> None:
        lighter: Post | None = post
        while lighter and lighter.files:
            files = lighter.files

            def send(files: tuple[Attachment, ...] = files) -> Awaitable[object]:
                patience: dict[str, Any] = {"read_timeout": READS, "write_timeout": WRITES}
                if len(files) == 1:
                    (file,) = files
                    return self.bot.send_document(chat_id, file.content, filename=file.name, **patience)
                album = [InputMediaDocument(file.content, filename=file.name) for file in files]
                return self.bot.send_media_group(chat_id, album, **patience)

            try:
                await self._follow(chat_id, len(files), send, named=post.named)
                break
            except _TooLarge:
                lighter = lighter.lighter()
        if lighter and lighter.left_out != post.left_out:
            told = _left_out(lighter)
            await self._follow(chat_id, 1, lambda: self.bot.send_message(chat_id, told), named=post.named)

    async def _follow(
        self, chat_id: int, count: int, send: Callable[[], Awaitable[Any]], *, named: CommunityRef | None
    ) -> None:
        """A part that comes after the first. One that is not to be had is passed over: the report itself is there."""
        for _ in range(TRIES):
            try:
                await self._send(chat_id, count, send, named=named)
                return
            except (BadRequest, Forbidden, Lost) as error:
                _log.warning("part of a report not posted", chat=chat_id, error=type(error).__name__)
                return
            except Unavailable as error:
                await self.clock.sleep(min(error.retry_after or 5.0, PATIENCE))
        _log.warning("part of a report not posted", chat=chat_id, error="Unavailable")

    async def _send(
        self, chat_id: int, count: int, send: Callable[[], Awaitable[Sent]], *, named: CommunityRef | None
    ) -> Sent:
        notices = self.limiter.turn(chat_id, Lane.ANSWER, count=count, patience=PATIENCE)
        async with self._pace.turn(count), notices:
            try:
                sent = await send()
            except NetworkError as error:  # a BadRequest is one, too
                if "(413)" in error.message or "too large" in error.message.lower():
                    raise _TooLarge from None
                raise
        if named:
            parts = [sent] if isinstance(sent, Message) else sent
            await self.fleeting.note(named, chat_id, [one.message_id for one in parts])
        return sent


class _TooLarge(Exception):
    """Telegram does not take so much at once."""


def _told(post: Post, *more: str) -> str:
    """The text, how long it stands, and how to get what could not be attached."""
    text = f"{post.text}\n{texts(post.language)['delivery.fleeting']}" if post.named else post.text
    return f"{text}\n\n{_left_out(post, *more)}" if post.left_out or more else text


def _left_out(post: Post, *more: str) -> str:
    names = ", ".join((*more, *post.left_out))
    return texts(post.language)("delivery.left_out", files=names, command="/report day")
