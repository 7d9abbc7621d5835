"""Members' reports of messages -> one post a community in its moderators' room, which counts them and is written anew.

Members can neither fill the room nor keep cards from it: what they report shares one lane, and one post. It names those
who wrote what was reported, and so it does not stay."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from telegram import LinkPreviewOptions, User
from telegram import Message as TelegramMessage
from telegram.error import BadRequest, Forbidden, TelegramError

from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.moderators.asking import Answers, Typed, is_somebodys
from adapters.chat.telegram.moderators.fleeting import LASTS
from adapters.chat.telegram.moderators.posting import Posting
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.refs import group_ref
from adapters.chat.telegram.text import LONGEST, cut
from bot.core.base.bounded import Bounded
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts

APART = 60.0  # seconds between two reports by one member
FOLD = 600.0  # seconds in which reports go onto the same post
REWRITE = 10.0  # seconds between two versions of a post
LINES = 10  # messages that a post names; of more it tells the number
REMEMBERED = 10_000  # messages, and members

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Flagged:
    """A message that somebody reported."""

    author: str
    link: str
    first: str  # who reported it first
    post: "_Post"
    members: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Post:
    community: CommunityRef
    at: float
    say: Texts
    room: int | None = None
    message_id: int | None = None
    flagged: list[_Flagged] = field(default_factory=list)
    is_news: bool = False
    is_served: bool = False


@dataclass(slots=True, kw_only=True)
class Flags:
    posting: Posting
    moves: Moves
    desk: Desk
    _last: Bounded[tuple[int, int], float] = field(default_factory=lambda: Bounded(REMEMBERED))  # chat, member
    _flagged: Bounded[tuple[int, int], _Flagged] = field(default_factory=lambda: Bounded(REMEMBERED))  # chat, message
    _posts: Bounded[CommunityRef, _Post] = field(default_factory=lambda: Bounded(REMEMBERED))  # the newest
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def flag(self, typed: Typed, answers: Answers, me: int) -> None:
        """A member reports the message that they answer; not before the eyes of the others."""
        target, say = typed.message.reply_to_message, typed.say
        if target is None or not typed.in_group or not is_somebodys(target, me) or typed.user is None:
            await answers.say(typed, say["telegram.usage.flag"], lane=Lane.NOTICE)
            return
        if self.desk.community(group_ref(typed.chat_id)).moderators_channel is None:
            await answers.say(typed, say["telegram.no_moderators_chat"], lane=Lane.NOTICE)
            return
        is_taken = self.take(typed.user, target, say)
        with suppress(BadRequest, Forbidden, BotError):
            async with self.posting.limiter.turn(typed.chat_id, Lane.MODERATION):
                await self.posting.bot.delete_message(typed.chat_id, typed.message.message_id)
        if is_taken:
            await answers.say(typed, say["telegram.thanks"], lane=Lane.NOTICE, quietly=True)

    def take(self, by: User, target: TelegramMessage, say: Texts) -> bool:
        """A member points to a message. False: they have just done so, and this one does not count."""
        now, chat_id = self.posting.clock.monotonic(), target.chat.id
        if now - self._last.get((chat_id, by.id), -APART) < APART:
            return False
        self._last[chat_id, by.id] = now
        key = (chat_id, target.message_id)
        flagged = self._flagged.get(key)
        if flagged is None or now - flagged.post.at > LASTS.total_seconds():
            who, post = target.sender_chat or target.from_user, self._post(group_ref(chat_id), now, say)
            author = getattr(who, "full_name", None) or getattr(who, "title", None) or ""
            flagged = self._flagged[key] = _Flagged(author, target.link or "", by.full_name, post)
            post.flagged.append(flagged)
        if by.id not in flagged.members:
            flagged.members.add(by.id)
            self._show(flagged.post)
        return True

    def _post(self, community: CommunityRef, now: float, say: Texts) -> _Post:
        post = self._posts.get(community)
        if post is None or (now - post.at > FOLD and not post.is_served):
            post = self._posts[community] = _Post(community, now, say)
        return post

    def _show(self, post: _Post) -> None:
        post.is_news = True
        if not post.is_served:
            post.is_served = True
            task = asyncio.create_task(self._serve(post))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, post: _Post) -> None:
        try:
            while post.is_news:
                post.is_news = False
                try:
                    await self._write(post)
                    await self.posting.clock.sleep(REWRITE)
                except Unavailable as error:  # the room has no space for it now: it is shown later
                    post.is_news = True
                    await self.posting.clock.sleep(max(REWRITE, error.retry_after or 0))
        except (BotError, TelegramError) as error:
            _log.warning("reports by members not shown", community=post.community.id, error=type(error).__name__)
        finally:
            post.is_served = False

    async def _write(self, post: _Post) -> None:
        room = self.desk.community(post.community).moderators_channel
        if room is None:
            return
        bot, none = self.posting.bot, LinkPreviewOptions(is_disabled=True)

        async def write(room_id: int) -> None:
            async with self.posting.limiter.turn(room_id, Lane.REPORT):
                if not post.flagged:  # somebody was forgotten meanwhile
                    return
                if post.message_id is not None and post.room == room_id:
                    await bot.edit_message_text(
                        _text(post), chat_id=room_id, message_id=post.message_id, link_preview_options=none
                    )
                    return
                sent = await bot.send_message(room_id, _text(post), link_preview_options=none)
            post.room, post.message_id = room_id, sent.message_id
            await self.posting.fleeting.note(room_id, [sent.message_id])

        await self.moves.follow(int(room), write)

    def forget(self) -> None:
        """Whoever is forgotten may be named on any of these, which are taken away."""
        for flagged in self._flagged.values():
            flagged.post.flagged.clear()
        self._flagged.clear()
        self._posts.clear()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _text(post: _Post) -> str:
    """Those that most reported come first."""
    flagged = sorted(post.flagged, key=lambda one: -len(one.members))
    lines = [post.say("telegram.flags", count=len(flagged))]
    for one in flagged[:LINES]:
        by = post.say("telegram.flagged_by", by=one.first, others=len(one.members) - 1, count=len(one.members))
        lines.append(post.say("telegram.flagged", author=one.author or "-", by=by, link=one.link).strip())
    if more := len(flagged) - LINES:
        lines += [post.say("telegram.more_flags", count=more)] if more > 0 else []
    lines.append(post.say["telegram.flags_go"])
    return cut("\n".join(lines), LONGEST)
