"""A Bot API server for tests: calls of an unmodified client come in over TCP, and what a real one would say goes out.

Groups with owners, admins and rights; updates with real offset semantics and long polling, or pushed to a webhook;
the errors 400, 401, 403, 409 and 429; albums, anonymous admins, channels that post, migration. Polls and webhooks are
throttled, ended and bounded as telegram-bot-api 10.0 does (Client.cpp; facts T61-T65). Every call that comes
in and every object that goes out is validated by aiogram's models, which know the Bot API independently.
"""

import asyncio
import itertools
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import formatdate
from functools import cache
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin

from aiogram import methods
from aiogram.types import Update as UpdateModel
from aiohttp import ClientError, ClientSession, web
from pydantic import BaseModel, TypeAdapter, ValidationError

TOKEN = "42:test-token-of-the-group-guardian"
BOT_ID = 42
ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
DEFAULT_UPDATES = ("message", "edited_message", "channel_post", "edited_channel_post", "callback_query",
                   "my_chat_member", "poll")  # fmt: skip
RIGHTS = (
    "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
    "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
    "can_pin_messages", "can_manage_topics", "can_send_welcome_messages",
)  # fmt: skip
FULL = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": {
    "unlimited_gifts": True, "limited_gifts": True, "unique_gifts": True, "premium_subscription": True,
    "gifts_from_channels": True,
}}  # fmt: skip
RESTRICTED = {
    "is_member": True, "can_send_messages": False, "can_send_audios": False, "can_send_documents": False,
    "can_send_photos": False, "can_send_videos": False, "can_send_video_notes": False, "can_send_voice_notes": False,
    "can_send_polls": False, "can_send_other_messages": False, "can_add_web_page_previews": False,
    "can_change_info": False, "can_invite_users": False, "can_pin_messages": False, "can_manage_topics": False,
    "can_react_to_messages": False, "can_edit_tag": False,
}  # fmt: skip

METHODS = {name.lower(): name[0].lower() + name[1:] for name in methods.__all__}  # the Bot API ignores case
Json = dict[str, Any]


#: Of telegram-bot-api 10.0 and tdlib, in seconds and updates.
REPEATED_WAITS, REPEATED_IS_SMALL = 3.0, 0.5
CONFLICTS_EVERY = 3.0
MOST_UPDATES = 100_000
LARGE_GROUP = 10_000  # members, from which on nobody is told who joins


class Refusal(Exception):
    """An answer with ok = false."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Call:
    """One call of the client, as it came in."""

    method: str
    arguments: Json
    at: float  # time.monotonic()
    error: str = ""


#: ChatPermissions, by core.telegram.org/bots/api.
PERMISSIONS = (
    "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos",
    "can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages",
    "can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics",
)  # fmt: skip


@dataclass
class Chat:
    """A group, supergroup, channel or private chat with its members and messages."""

    id: int
    type: str = "supergroup"
    title: str = "동네 모임"
    linked_chat_id: int | None = None
    migrated_to: int | None = None
    bot_started: bool = True  # private chats: whether the user has pressed Start
    members: dict[int, Json] = field(default_factory=dict)
    messages: dict[int, Json] = field(default_factory=dict)
    banned_senders: set[int] = field(default_factory=set)
    next_id: int = 1
    sends: deque[float] = field(default_factory=deque)
    permissions: Json = field(default_factory=lambda: dict.fromkeys(PERMISSIONS, True))  # of those who are no staff
    size: int = 0  # members, those included that nobody has named
    is_forum: bool = False
    knocking: set[int] = field(default_factory=set)  # who asks to be let in

    def as_object(self) -> Json:
        named = {"first_name": self.title} if self.type == "private" else {"title": self.title}
        return {"id": self.id, "type": self.type, **named} | ({"is_forum": True} if self.is_forum else {})


def user(id_: int, name: str = "민지", **more: Any) -> Json:
    return {"id": id_, "is_bot": False, "first_name": name, "language_code": "ko", **more}


class TelegramServer:
    """`async with TelegramServer() as server`; its address is `server.url`. Tests change and read it freely."""

    def __init__(self) -> None:
        self.chats: dict[int, Chat] = {}
        self.calls: list[Call] = []
        self.updates: dict[int, Json] = {}
        self.next_update = 1000
        self.faults: dict[str, deque[Refusal]] = {}
        self.held: dict[str, set[int]] = {}  # method -> chats of which it is not answered now
        self.group_limit: int | None = None  # messages a minute in a group, 20 at the real one
        self.global_limit: int | None = None  # messages a second everywhere, 30 at the real one
        self.photo_limit, self.file_limit = 10_000_000, 50_000_000  # bytes
        self.lose_answers: deque[str] = deque()  # methods of which the next call is carried out and never answered
        self.allowed_updates: tuple[str, ...] = DEFAULT_UPDATES
        self.unchecked: set[str] = set()  # methods whose answers are to be nonsense
        self.webhook: Json = {}
        self.webhook_set = asyncio.Event()
        self.webhook_answers: list[int] = []
        self.answers: dict[str, Json] = {}  # callback query id -> arguments of answerCallbackQuery
        self.commands: dict[str, list[Json]] = {}
        self.token = TOKEN
        self.defects: list[str] = []  # what aiogram's models found wrong
        self.now: Callable[[], float] = time.time
        self._news = asyncio.Event()
        self.odd: dict[str, deque[tuple[int, bytes]]] = {}  # method -> answers that are none of the Bot API
        self.most_updates = MOST_UPDATES  # that wait at once
        self.dropped = 0  # updates for which there was no room
        self.round_trip = 0.0  # seconds that every call takes longer
        self._poller: asyncio.Future[None] | None = None  # the poll that waits
        self._asked = (-1, float("-inf"))  # the offset of the last poll, and when it began
        self._may_conflict_at = float("-inf")
        self._may_set_webhook_at = float("-inf")
        self._stamps = 0
        self._sends: deque[float] = deque()
        self.files: dict[str, bytes] = {}  # what people have sent, by its id

    # ---- running ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/bot{token}/{method}", self._serve)
        application.router.add_get("/file/bot{token}/{file}", self._give)
        application.on_response_prepare.append(self._dated)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        assert not self.defects, self.defects[0]

    async def _dated(self, _: web.Request, response: web.StreamResponse) -> None:
        """By the clock that dates its messages, too."""
        response.headers["Date"] = formatdate(self.now(), usegmt=True)

    async def _give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["file"]])

    async def _get_file(self, a: Json) -> Json:
        if a["file_id"] not in self.files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        return {"file_id": a["file_id"], "file_unique_id": a["file_id"], "file_path": a["file_id"]}

    async def _serve(self, request: web.Request) -> web.Response:
        method = METHODS.get(request.match_info["method"].lower(), request.match_info["method"])
        form = await request.post()
        call = Call(method, dict(form.items()), time.monotonic())
        try:
            if request.match_info["token"] != self.token:
                raise Refusal(401, "Unauthorized")
            call.arguments = checked(method, form)
            self.calls.append(call)
            while call.arguments.get("chat_id") in self.held.get(method, ()):  # until a test lets go
                await asyncio.sleep(0.005)
            if self.round_trip:
                await asyncio.sleep(self.round_trip)
            if self.odd.get(method):
                status, odd = self.odd[method].popleft()
                call.error = "odd"
                return web.Response(status=status, body=odd)
            if self.faults.get(method):
                raise self.faults[method].popleft()
            result = await getattr(self, f"_{snake(method)}")(call.arguments)
            if self.lose_answers and self.lose_answers[0] == method:
                self.lose_answers.popleft()
                assert request.transport
                request.transport.abort()
            if method not in self.unchecked:
                answer_of(method).validate_python(result)
            return web.json_response({"ok": True, "result": result})
        except (ValidationError, AssertionError, AttributeError) as defect:  # of the bot or of this server
            self.defects.append(f"{method}: {defect}")
            raise
        except Refusal as refusal:
            call.error = refusal.description
            body: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
            if refusal.parameters:
                body["parameters"] = refusal.parameters
            return web.json_response(body, status=refusal.code)

    def of(self, *wanted: str, after: int = 0) -> list[Call]:
        """Calls of these methods that were carried out, in order, but for those among so many that came first."""
        return [call for call in self.calls[after:] if call.method in wanted and not call.error]

    @property
    def polls(self) -> int:
        """How often updates were asked for, successfully or not."""
        return sum(call.method == "getUpdates" for call in self.calls)

    @property
    def waited_at(self) -> bool:
        """Whether all that happened was heard, and a poll waits for more."""
        return not self.updates and self._poller is not None and not self._poller.done()

    async def until(self, condition: Callable[[], object], patience: float = 120.0) -> None:
        """Wait for something to have happened here."""
        async with asyncio.timeout(patience):
            while not condition():  # it may be about anything
                await asyncio.sleep(0.005)

    async def answered(self, press: str) -> None:
        """Wait for a press to have got its answer."""
        await self.until(lambda: press in self.answers)

    def fail(self, method: str, *refusals: Refusal) -> None:
        self.faults.setdefault(method, deque()).extend(refusals)

    def hold(self, method: str, chat_id: int) -> None:
        """Let calls about a chat wait."""
        self.held.setdefault(method, set()).add(chat_id)

    def release(self, method: str) -> None:
        self.held.pop(method, None)

    # ---- the world: people and what they do -------------------------------------------------------------------------

    def group(self, id_: int = -1001, type_: str = "supergroup", *, owner: int = 1, rights: Iterable[str] = RIGHTS,
              **more: Any) -> Chat:  # fmt: skip
        """A group that the bot is an admin of with these rights, and user `owner` owns."""
        chat = self.chats[id_] = Chat(id_, type_, **more)
        chat.members[owner] = member(user(owner, "방장"), "creator")
        chat.members[BOT_ID] = member(self.me, "administrator", rights)
        return chat

    def private(self, id_: int, name: str = "민지", *, started: bool = True) -> Chat:
        chat = self.chats[id_] = Chat(id_, "private", name, bot_started=started)
        return chat

    def admin(self, chat: Chat, id_: int, name: str = "관리자", rights: Iterable[str] = RIGHTS) -> None:
        chat.members[id_] = member(user(id_, name), "administrator", rights)

    @property
    def me(self) -> Json:
        return {"id": BOT_ID, "is_bot": True, "first_name": "지킴이", "username": "jikimi_bot"}

    def update(self, kind: str, content: Json) -> int:
        """Queue an update (or push it to the webhook); its id."""
        id_, self.next_update = self.next_update, self.next_update + 1
        update = {"update_id": id_, kind: content}
        _no_unknown_keys(UpdateModel.model_validate(update), kind)
        if kind in self.allowed_updates and len(self.updates) >= self.most_updates:
            self.dropped += 1  # and nobody is told
        elif kind in self.allowed_updates:
            self.updates[id_] = update
            self._news.set()
        return id_

    def post(self, chat: Chat, author: Json | int = 7, text: str | None = None, *, date: float | None = None,
             **content: Any) -> Json:  # fmt: skip
        """A message by a person (an id, or a whole user) in a chat, and its update."""
        message = self.message(chat, author, text, date=date, **content)
        self.update("message", message)
        return message

    def message(self, chat: Chat, author: Json | int = 7, text: str | None = None, *, date: float | None = None,
                **content: Any) -> Json:  # fmt: skip
        """The same without an update: it has only happened."""
        if isinstance(author, int):
            author = chat.members[author]["user"] if author in chat.members else user(author)
        chat.members.setdefault(author["id"], member(author))
        message: Json = {
            "message_id": chat.next_id, "date": int(date if date is not None else self.now()),
            "chat": chat.as_object(), "from": author,
        } | ({"text": text} if text is not None else {}) | content  # fmt: skip
        chat.next_id += 1
        chat.messages[message["message_id"]] = message
        return message

    def topic(self, chat: Chat, author: int = 1, name: str = "주제") -> Json:
        """A forum's topic: the message that opened it."""
        chat.is_forum = True
        root = self.message(chat, author, forum_topic_created={"name": name, "icon_color": 7322096})
        root |= {"message_thread_id": root["message_id"], "is_topic_message": True}
        return root

    def post_in(self, root: Json, author: Json | int, text: str | None = None, **content: Any) -> Json:
        """Into a topic, or under a channel's post in its discussion group. Whatever is said there replies to what
        began it, if to nothing else (T66); comments are a thread and no topic (T69)."""
        thread: Json = {"message_thread_id": root["message_id"], "reply_to_message": root}
        if "forum_topic_created" in root:
            thread["is_topic_message"] = True
        return self.post(self.chats[root["chat"]["id"]], author, text, **(thread | content))

    def edit(self, message: Json, *, at: float | None = None, **content: Any) -> int:
        """Change a message; an `edited_message` update."""
        chat = self.chats[message["chat"]["id"]]
        changed = message | content | {"edit_date": int(at if at is not None else self.now())}
        chat.messages[message["message_id"]] = changed
        return self.update("edited_message", changed)

    def album(self, chat: Chat, author: int, *captions: str | None, group: str = "album-1",
              date: float | None = None) -> list[Json]:  # fmt: skip
        items = []
        for number, caption in enumerate(captions):
            photo = [{"file_id": f"f{number}", "file_unique_id": f"u{number}", "width": 9, "height": 9}]
            extra = {"caption": caption} if caption is not None else {}
            items.append(self.post(chat, author, date=date, photo=photo, media_group_id=group, **extra))
        return items

    def as_anonymous_admin(self, chat: Chat, text: str, **more: Any) -> Json:
        return self.post(chat, ANONYMOUS_ADMIN, text, sender_chat=chat.as_object(), **more)

    def as_channel(self, chat: Chat, channel: Chat, text: str, **more: Any) -> Json:
        return self.post(chat, CHANNEL_BOT, text, sender_chat=channel.as_object(), **more)

    def from_linked_channel(self, chat: Chat, channel: Chat, text: str) -> Json:
        origin = {"type": "channel", "date": int(self.now()), "chat": channel.as_object(), "message_id": 5}
        return self.post(chat, TELEGRAM, text, sender_chat=channel.as_object(), is_automatic_forward=True,
                         forward_origin=origin)  # fmt: skip

    def join(self, chat: Chat, who: Json, *, by: int | None = None, told_first: bool = False) -> None:
        """Somebody comes in: their membership changes, and in a group that is not large a message says so, too, before
        (`told_first`) or after."""
        by_whom = user(by) if by is not None else who
        large = max(chat.size, len(chat.members)) > LARGE_GROUP

        def tell() -> None:
            if not large:
                self.post(chat, by_whom, new_chat_members=[who])

        chat.members[who["id"]] = member(who, "left")
        if told_first:
            tell()
            chat.members[who["id"]] = member(who, "left")
        self.set_member(chat, who["id"], "member", by=by_whom["id"])
        if not told_first:
            tell()

    def knock(self, chat: Chat, id_: int, *, at: float | None = None, language: str = "ko") -> Chat:
        """Somebody asks to be let in; their private chat, in which a bot may write to them for five minutes."""
        chat.knocking.add(id_)
        private = self.chats.get(id_) or self.private(id_)
        who = user(id_, language_code=language)
        self.update("chat_join_request", {"chat": chat.as_object(), "from": who, "user_chat_id": id_,
                                          "date": int(at if at is not None else self.now())})  # fmt: skip
        return private

    async def _approve_chat_join_request(self, a: Json) -> bool:
        chat = self._open_to(a)
        after = chat.members[a["user_id"]] = member(user(a["user_id"]))
        self.update("chat_member", {"chat": chat.as_object(), "from": self.me, "date": int(self.now()),
                                    "old_chat_member": member(user(a["user_id"]), "left"), "new_chat_member": after,
                                    "via_join_request": True})  # fmt: skip
        return True

    async def _decline_chat_join_request(self, a: Json) -> bool:
        self._open_to(a)
        return True

    def _open_to(self, a: Json) -> Chat:
        """Whose request is answered now."""
        chat = self._chat(a)
        if not chat.members[BOT_ID].get("can_invite_users"):
            raise Refusal(400, "Bad Request: not enough rights to manage chat join requests")
        if a["user_id"] not in chat.knocking:
            raise Refusal(400, "Bad Request: HIDE_REQUESTER_MISSING")
        chat.knocking.remove(a["user_id"])
        return chat

    def press(self, message: Json, author: int, data: str) -> str:
        """A button under one of the bot's messages; the callback query's id."""
        self._stamps += 1
        id_ = f"q{self._stamps}"
        known = (chat.members[author]["user"] for chat in self.chats.values() if author in chat.members)
        author_object = next(known, user(author))
        self.update("callback_query", {"id": id_, "from": author_object, "chat_instance": "1", "data": data,
                                       "message": message})  # fmt: skip
        return id_

    def set_member(self, chat: Chat, id_: int, status: str, rights: Iterable[str] = RIGHTS, by: int = 1) -> None:
        """Somebody's status changes; a `my_chat_member` or `chat_member` update."""
        before = chat.members.get(id_, member(self.me if id_ == BOT_ID else user(id_), "left"))
        after = chat.members[id_] = member(before["user"], status, rights)
        kind = "my_chat_member" if id_ == BOT_ID else "chat_member"
        self.update(kind, {"chat": chat.as_object(), "from": user(by), "date": int(self.now()),
                           "old_chat_member": before, "new_chat_member": after})  # fmt: skip

    def migrate(self, chat: Chat, new_id: int, *, service: str = "both") -> Chat:
        """The group becomes a supergroup. `service`: which side's message arrives ("old", "new", "both", "none")."""
        new = self.chats[new_id] = Chat(new_id, "supergroup", chat.title, members=dict(chat.members))
        chat.migrated_to = new_id
        if service in ("old", "both"):
            self.post(chat, 1, migrate_to_chat_id=new_id)
        if service in ("new", "both"):
            self.post(new, ANONYMOUS_ADMIN, migrate_from_chat_id=chat.id, sender_chat=new.as_object())
        return new

    # ---- updates ----------------------------------------------------------------------------------------------------

    async def _get_updates(self, a: Json) -> list[Json]:
        if self.webhook.get("url"):
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to "
                               "delete the webhook first")  # fmt: skip
        if a.get("allowed_updates") is not None:
            self.allowed_updates = tuple(a["allowed_updates"]) or DEFAULT_UPDATES
        offset, limit, timeout = a.get("offset") or 0, a.get("limit") or 100, a.get("timeout") or 0
        now, (last_offset, last_began) = time.monotonic(), self._asked
        if offset == last_offset and timeout < REPEATED_WAITS and now < last_began + REPEATED_WAITS:
            timeout = REPEATED_WAITS
        if offset == last_offset and now < last_began + REPEATED_IS_SMALL:
            limit = 1
        self._asked = (offset, now)
        for id_ in list(itertools.takewhile(lambda id_: id_ < offset, self.updates)):
            del self.updates[id_]
        if not self.updates and timeout:
            await self._wait(timeout)
        return list(itertools.islice(self.updates.values(), limit))

    async def _wait(self, seconds: float) -> None:
        """A long poll, in place of the one that waits already."""
        self._end_poll("Conflict: terminated by other getUpdates request; make sure that only one bot instance is "
                       "running")  # fmt: skip
        poller = self._poller = asyncio.get_running_loop().create_future()
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        await asyncio.wait([news, poller], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        if poller.done():
            await self._conflict(poller.exception())
        poller.cancel()

    def _end_poll(self, why: str) -> None:
        if self._poller and not self._poller.done():
            self._poller.set_exception(Refusal(409, why))

    async def _conflict(self, refusal: BaseException | None) -> None:
        """The first is told at once; whoever comes again within three seconds waits for so long."""
        assert refusal
        now = time.monotonic()
        if now >= self._may_conflict_at:
            self._may_conflict_at = now + CONFLICTS_EVERY
        else:
            await asyncio.sleep(CONFLICTS_EVERY)
        raise refusal

    async def _set_webhook(self, a: Json) -> bool:
        if a["url"]:
            now = time.monotonic()
            if now < self._may_set_webhook_at:
                raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
            self._may_set_webhook_at = now + 1
            self._end_poll("Conflict: terminated by setWebhook request")
        self.webhook = a
        self.webhook_set.set()
        if a.get("allowed_updates") is not None:
            self.allowed_updates = tuple(a["allowed_updates"]) or DEFAULT_UPDATES
        return True

    async def _delete_webhook(self, a: Json) -> bool:
        self.webhook = {}
        if a.get("drop_pending_updates"):
            self.updates.clear()
        return True

    async def _get_webhook_info(self, a: Json) -> Json:
        url = self.webhook.get("url", "")
        return {"url": url, "has_custom_certificate": False, "pending_update_count": len(self.updates)}

    async def push(self, *, secret: str | None = None) -> None:
        """Post what waits to the webhook, over several connections at once; what is not answered with 2xx stays."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret_token"] if secret is None else secret}
        room = asyncio.Semaphore(self.webhook.get("max_connections") or 40)

        async def post(id_: int) -> None:
            with suppress(ClientError):
                async with room, session.post(self.webhook["url"], json=self.updates[id_], headers=headers) as answer:
                    self.webhook_answers.append(answer.status)
                    if 200 <= answer.status < 300:
                        self.updates.pop(id_, None)

        async with ClientSession() as session:
            await asyncio.gather(*(post(id_) for id_ in sorted(self.updates)))

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def _get_me(self, a: Json) -> Json:
        return self.me | {"can_join_groups": True, "can_read_all_group_messages": True}

    async def _get_chat(self, a: Json) -> Json:
        chat = self._chat(a)
        linked = {"linked_chat_id": chat.linked_chat_id} if chat.linked_chat_id else {}
        return chat.as_object() | FULL | linked | {"permissions": chat.permissions}

    async def _set_chat_permissions(self, a: Json) -> bool:
        chat = self._chat(a)
        self._may_restrict(chat)
        chat.permissions = {right: bool(a["permissions"].get(right)) for right in PERMISSIONS}
        return True

    async def _get_chat_member(self, a: Json) -> Json:
        chat = self._chat(a)
        return chat.members.get(a["user_id"]) or member(user(a["user_id"]), "left")

    async def _get_chat_administrators(self, a: Json) -> list[Json]:
        chat = self._chat(a)
        return [m for m in chat.members.values() if m["status"] in ("creator", "administrator")
                and (a.get("return_bots") or not m["user"]["is_bot"] or m["user"]["id"] == BOT_ID)]  # fmt: skip

    # ---- speaking ---------------------------------------------------------------------------------------------------

    async def _send_message(self, a: Json) -> Json:
        return self._say(a, text=_plain(a["text"], a.get("parse_mode")), **_formatted(a))

    async def _send_photo(self, a: Json) -> Json:
        self._weigh(a["photo"], self.photo_limit)
        photo = [{"file_id": "p", "file_unique_id": "p", "width": 9, "height": 9}]
        return self._say(a, photo=photo, **({"caption": a["caption"]} if a.get("caption") else {}))

    async def _send_document(self, a: Json) -> Json:
        self._weigh(a["document"], self.file_limit)
        document = {"file_id": "d", "file_unique_id": "d", "file_name": "report"}
        return self._say(a, document=document, **({"caption": a["caption"]} if a.get("caption") else {}))

    async def _send_media_group(self, a: Json) -> list[Json]:
        if not 2 <= len(a["media"]) <= 10:
            raise Refusal(400, "Bad Request: wrong number of media in the album")
        kinds = {"documents" if item["type"] == "document" else "others" for item in a["media"]}
        if len(kinds) != 1:
            raise Refusal(400, "Bad Request: documents can only be grouped with documents")
        for item in a["media"]:
            self._weigh(item["media"], self.file_limit)
        self._stamps += 1
        album = []
        for item in a["media"]:
            document = {"file_id": "d", "file_unique_id": "d", "file_name": _name(item["media"])}
            album.append(self._say(a, document=document, media_group_id=f"group-{self._stamps}"))
        return album

    def _weigh(self, file: Any, limit: int) -> None:
        if isinstance(file, Upload) and len(file.content) > limit:
            raise Refusal(413, "Request Entity Too Large")

    def _say(self, a: Json, **content: Any) -> Json:
        chat = self._chat(a)
        if chat.type == "private" and not chat.bot_started:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
        if self.global_limit:
            now = time.monotonic()
            while self._sends and now - self._sends[0] > 1:
                self._sends.popleft()
            if len(self._sends) >= self.global_limit:
                raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
            self._sends.append(now)
        if len(content.get("caption", "").encode("utf-16-le")) // 2 > 1024:
            raise Refusal(400, "Bad Request: message caption is too long")
        if self.group_limit and chat.type != "private":
            now = time.monotonic()
            while chat.sends and now - chat.sends[0] > 60:
                chat.sends.popleft()
            if len(chat.sends) >= self.group_limit:
                wait = int(60 - (now - chat.sends[0])) + 1
                raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
            chat.sends.append(now)
        for key in ("reply_markup", "message_thread_id"):
            if a.get(key):
                content[key] = a[key]
        if "force_reply" in content.get("reply_markup", {}):
            del content["reply_markup"]
        if reply := a.get("reply_parameters"):
            if quoted := chat.messages.get(reply["message_id"]):
                content["reply_to_message"] = {k: v for k, v in quoted.items() if k != "reply_to_message"}
            elif not reply.get("allow_sending_without_reply"):
                raise Refusal(400, "Bad Request: message to be replied not found")
        _check_buttons(a.get("reply_markup"))
        return self.message(chat, self.me, **content)

    async def _edit_message_text(self, a: Json) -> Json:
        chat = self._chat(a)
        message = chat.messages.get(a["message_id"])
        if not message:
            raise Refusal(400, "Bad Request: message to edit not found")
        if message["from"]["id"] != BOT_ID:
            raise Refusal(400, "Bad Request: message can't be edited")
        _check_buttons(a.get("reply_markup"))
        changed = {key: value for key, value in message.items() if key not in ("reply_markup", "entities")}
        changed |= {"text": _plain(a["text"], a.get("parse_mode"))} | _formatted(a)
        if (a.get("reply_markup") or {}).get("inline_keyboard"):
            changed["reply_markup"] = a["reply_markup"]
        if changed == {k: v for k, v in message.items() if k != "edit_date"}:
            raise Refusal(400, "Bad Request: message is not modified: specified new message content and reply markup "
                               "are exactly the same as a current content and reply markup of the message")  # fmt: skip
        chat.messages[a["message_id"]] = changed | {"edit_date": int(self.now())}
        return chat.messages[a["message_id"]]

    async def _answer_callback_query(self, a: Json) -> bool:
        self.answers[a["callback_query_id"]] = a
        return True

    async def _set_my_commands(self, a: Json) -> bool:
        scope = (a.get("scope") or {"type": "default"})["type"]
        self.commands[f"{scope}/{a.get('language_code') or ''}"] = a["commands"]
        return True

    # ---- moderating -------------------------------------------------------------------------------------------------

    async def _delete_message(self, a: Json) -> bool:
        chat = self._chat(a)
        message = chat.messages.get(a["message_id"])
        if not message:
            raise Refusal(400, "Bad Request: message to delete not found")
        if not self._may_delete(chat, message):
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        del chat.messages[a["message_id"]]
        return True

    async def _delete_messages(self, a: Json) -> bool:
        chat = self._chat(a)
        if not 1 <= len(a["message_ids"]) <= 100:
            raise Refusal(400, "Bad Request: wrong number of message identifiers specified")
        found = [chat.messages[id_] for id_ in a["message_ids"] if id_ in chat.messages]
        if found and not any(self._may_delete(chat, message) for message in found):
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        for message in found:
            if self._may_delete(chat, message):
                del chat.messages[message["message_id"]]
        return True

    def _may_delete(self, chat: Chat, message: Json) -> bool:
        young = self.now() - message["date"] < timedelta(hours=48).total_seconds()
        own = message["from"]["id"] == BOT_ID
        return young and (own or chat.type == "private" or bool(chat.members[BOT_ID].get("can_delete_messages")))

    async def _restrict_chat_member(self, a: Json) -> bool:
        chat = self._chat(a)
        if chat.type != "supergroup":
            raise Refusal(400, "Bad Request: method is available only for supergroups")
        target = self._target(chat, a["user_id"])
        if all(a["permissions"].get(right) for right in ("can_send_messages", "can_send_polls", "can_invite_users")):
            chat.members[a["user_id"]] = member(target["user"])
            return True
        is_in = target.get("is_member", target["status"] not in ("left", "kicked"))
        restricted = member(target["user"], "restricted") | a["permissions"]
        chat.members[a["user_id"]] = restricted | {"until_date": self._until(a), "is_member": is_in}
        return True

    def _until(self, a: Json) -> float:
        """Under 30 s or over 366 d means for ever."""
        until = _stamp(a.get("until_date"))
        return until if 30 <= until - self.now() <= timedelta(days=366).total_seconds() else 0

    async def _ban_chat_member(self, a: Json) -> bool:
        chat = self._chat(a)
        target = self._target(chat, a["user_id"])
        chat.members[a["user_id"]] = member(target["user"], "kicked") | {"until_date": self._until(a)}
        if chat.type == "supergroup":  # always revokes what the member has written
            for id_ in [id_ for id_, m in chat.messages.items() if m["from"]["id"] == a["user_id"]]:
                del chat.messages[id_]
        return True

    async def _unban_chat_member(self, a: Json) -> bool:
        chat = self._chat(a)
        target = self._target(chat, a["user_id"])
        if target["status"] == "kicked" or not a.get("only_if_banned"):
            chat.members[a["user_id"]] = member(target["user"], "left")
        return True

    async def _ban_chat_sender_chat(self, a: Json) -> bool:
        chat = self._chat(a)
        self._may_restrict(chat)
        chat.banned_senders.add(a["sender_chat_id"])
        return True

    async def _unban_chat_sender_chat(self, a: Json) -> bool:
        chat = self._chat(a)
        self._may_restrict(chat)
        chat.banned_senders.discard(a["sender_chat_id"])
        return True

    async def _leave_chat(self, a: Json) -> bool:
        self._chat(a).members[BOT_ID] = member(self.me, "left")
        return True

    def _target(self, chat: Chat, id_: int) -> Json:
        self._may_restrict(chat)
        target = chat.members.get(id_) or member(user(id_), "left")
        if target["status"] == "creator":
            raise Refusal(400, "Bad Request: can't remove chat owner")
        if target["status"] == "administrator":
            raise Refusal(400, "Bad Request: user is an administrator of the chat")
        if id_ in (ANONYMOUS_ADMIN["id"], CHANNEL_BOT["id"], TELEGRAM["id"]):
            raise Refusal(400, "Bad Request: PARTICIPANT_ID_INVALID")
        return target

    def _may_restrict(self, chat: Chat) -> None:
        if not chat.members[BOT_ID].get("can_restrict_members"):
            raise Refusal(400, "Bad Request: not enough rights to restrict/unrestrict chat member")

    def _chat(self, a: Json) -> Chat:
        chat = self.chats.get(int(a["chat_id"]))
        if not chat:
            raise Refusal(400, "Bad Request: chat not found")
        if chat.migrated_to:
            raise Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat",
                          migrate_to_chat_id=chat.migrated_to)  # fmt: skip
        if chat.type in ("group", "supergroup") and chat.members[BOT_ID]["status"] in ("kicked", "left"):
            raise Refusal(403, f"Forbidden: bot was kicked from the {chat.type} chat")
        return chat


def member(who: Json, status: str = "member", rights: Iterable[str] = ()) -> Json:
    """A ChatMember object."""
    object_: Json = {"user": who, "status": status}
    match status:
        case "creator":
            object_ |= {"is_anonymous": False}
        case "administrator":
            given = set(rights)
            object_ |= {"can_be_edited": False, "is_anonymous": False} | {right: right in given for right in RIGHTS}
        case "restricted":
            object_ |= RESTRICTED | {"until_date": 0}
        case "kicked":
            object_ |= {"until_date": 0}
    return object_


# ---- the Bot API as aiogram knows it --------------------------------------------------------------------------------


def snake(method: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method)


def model_of(method: str) -> Any:
    return getattr(methods, method[0].upper() + method[1:])


@cache
def answer_of(method: str) -> TypeAdapter[Any]:
    """What its result must be; made once, for that takes longer than all else here."""
    return TypeAdapter(model_of(method).__returning__)


@dataclass(frozen=True)
class Upload:
    """A file that came with a call."""

    name: str
    content: bytes


def checked(method: str, form: Any) -> Json:
    """The call's arguments as JSON values, validated; unknown arguments are errors, and so is a file that nothing
    refers to. Files come as `Upload`."""
    model = model_of(method)
    raw: Json = {}
    uploads: dict[str, Upload] = {}
    for key, value in form.items():
        if not isinstance(value, str):
            uploads[key] = Upload(value.filename, value.file.read())
            continue
        assert key in model.model_fields, f"{method} has no argument {key}"
        is_text = str in _members(model.model_fields[key].annotation)
        raw[key] = value if is_text else json.loads(value) if value[:1] in "[{" or value in ("true", "false") else value
    attached = {f"attach://{key}": upload for key, upload in uploads.items() if key not in model.model_fields}
    assert all(link in str(raw) for link in attached), f"{method}: a file that nothing refers to"
    valid = model.model_validate(raw | {key: "attached" for key in uploads if key in model.model_fields})
    _no_unknown_keys(valid, method)
    arguments: Json = valid.model_dump(mode="python", exclude_unset=True)
    for item in raw.get("media", ()) if attached else ():
        place = raw["media"].index(item)
        arguments["media"][place]["media"] = attached[item["media"]]
    for key in raw.keys() & {"document", "photo"}:
        arguments[key] = attached.get(raw[key], raw[key])
    for key in uploads.keys() & model.model_fields.keys():
        arguments[key] = uploads[key]
    return arguments | ({"chat_id": int(raw["chat_id"])} if "chat_id" in raw else {})


def _name(file: Any) -> str:
    return file.name if isinstance(file, Upload) else "report"


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _no_unknown_keys(value: Any, where: str) -> None:
    """Every key must be one that the Bot API knows, however deep."""
    for name, inner in _parts(value):
        _no_unknown_keys(inner, f"{where}.{name}")
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{where}: the Bot API has no {', '.join(value.model_extra or ())}"


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        yield from ((name, getattr(value, name)) for name in value.model_fields_set & set(type(value).model_fields))
    elif isinstance(value, list | tuple):
        yield from ((str(number), inner) for number, inner in enumerate(value))


def _check_buttons(markup: Json | None) -> None:
    for row in (markup or {}).get("inline_keyboard", ()):
        for button in row:
            if not 1 <= len(button.get("callback_data", "x").encode()) <= 64:
                raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def _plain(text: str, parse_mode: str | None) -> str:
    """What of a text is shown. Counted as Telegram counts: UTF-16 units."""
    assert parse_mode is None, "the bot sends plain text and entities"
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > 4096:
        raise Refusal(400, "Bad Request: message is too long")
    return text


def _formatted(a: Json) -> Json:
    return {"entities": a["entities"]} if a.get("entities") else {}


def _stamp(value: Any) -> float:
    if isinstance(value, timedelta):
        return time.time() + value.total_seconds()
    return value.timestamp() if isinstance(value, datetime) else float(value or 0)


def kinds(calls: Iterable[Call]) -> Counter[str]:
    return Counter(call.method for call in calls)
