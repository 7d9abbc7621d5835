"""A Discord to test against: simcord's backend behind real HTTP and a real websocket, on loopback.

An unmodified discord.py connects over TCP, so its rate limiter, retries, heartbeat and RESUME are the real ones.
Everything that simcord keeps (permissions, hierarchy, error codes, audit log) answers as Discord would.
"""

import asyncio
import io
import json
import re
import sys
import time
import urllib.parse
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

import discord
from aiohttp import BodyPartReader, web
from simcord._clock import Clock
from simcord.backend import Backend, serializers
from simcord.backend.access import channel_accessible
from simcord.backend.errors import BackendError
from simcord.backend.models import Message
from simcord.enums import MessageType
from simcord.http import (
    router,
    routes,  # noqa: F401  (registers every route)
)
from simcord.http._helpers import message_response
from simcord.intents import prune_guild_create, required_intent
from simcord.interactions import base_payload

TOKEN = "test-token"
KEPT = 1000  # of what simcord notes down, which nobody here reads
RESUMABLE = 180.0  # seconds; the real one's are fewer, and nobody says how many (fact D9)


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request as it came in."""

    method: str
    path: str
    body: Any
    reason: str | None
    at: float
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picked:
    """A role, a channel, somebody, or a file (the number of one of `files`) as the value of a command's option."""

    kind: Literal["role", "channel", "user", "attachment"]
    id: int
    size: int = 0  # of a file, as Discord says


@dataclass(frozen=True, slots=True)
class Bucket:
    """A route's limit as people have observed it: Discord publishes none (fact D17). `path`'s group is the major
    parameter. `hidden`: a limit within another one, of which no header tells."""

    name: str
    method: str
    path: str
    most: int
    seconds: float
    hidden: bool = False


BUCKETS = (
    Bucket("deletes", "DELETE", r"/channels/(\d+)/messages/\d+", 5, 1),  # discord-api-docs#8330
    Bucket("posts", "POST", r"/channels/(\d+)/messages", 5, 5),  # discord-api-docs#2190
    Bucket("edits", "PATCH", r"/channels/(\d+)/messages/\d+", 5, 5),
    Bucket("members", "PATCH", r"/guilds/(\d+)/members/\d+", 10, 10),  # discord-api-docs#7680 on its sibling
    Bucket("webhooks", "POST", r"/webhooks/(\d+)/[^/]+", 5, 2),
    Bucket("names", "PATCH", r"/channels/(\d+)", 2, 600, hidden=True),  # discord-api-docs#1900
)


@dataclass(slots=True)
class Trouble:
    """The next `times` requests of this kind are answered with `status`; 0: the connection breaks."""

    method: str
    prefix: str
    status: int
    times: int
    retry_after: float = 0.3
    scope: str = "user"
    code: int = 0


class WallClock(Clock):
    """simcord's clock: the real time, which a test may move on."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


class _ToAChannel(dict[str, Any]):
    """A reference without a message, which simcord asks for."""

    def __missing__(self, _: str) -> int:
        return 0


class _Backend(Backend):
    """AutoMod as Discord has it: bots, webhooks and who manages the server are left alone, and so is what the allow
    list matches."""

    def _auto_mod_blocks(self, channel: Any, author_id: int, content: str) -> bool:
        members = self.guilds[channel.guild_id].members if channel.guild_id in self.guilds else {}
        if author_id not in members or self.users[author_id].bot or self._manages(channel.guild_id, author_id):
            return False
        return super()._auto_mod_blocks(channel, author_id, content)

    def create_system_message(
        self,
        channel_id: int,
        message_type: MessageType,
        author_id: int,
        *,
        target_channel_id: int | None = None,
        **more: Any,
    ) -> Message:
        """What tells a channel of a thread points to it (discord-api-docs#5256)."""
        made = super().create_system_message(
            channel_id, message_type, author_id, target_channel_id=target_channel_id, **more
        )
        if message_type == MessageType.THREAD_CREATED and target_channel_id:
            made.reference = _ToAChannel(
                channel_id=str(target_channel_id), guild_id=str(self.channels[channel_id].guild_id)
            )
        return made

    def _manages(self, guild_id: int, user_id: int) -> bool:
        guild = self.guilds[guild_id]
        held = (guild.roles[role].permissions for role in guild.members[user_id].role_ids)
        each = map(discord.Permissions, held)
        return guild.owner_id == user_id or any(one.administrator or one.manage_guild for one in each)

    def permissions(self, guild_id: int) -> int:
        """The bot's own in a server, by its roles (DD resources/user.mdx, Get Current User Guilds)."""
        guild = self.guilds[guild_id]
        roles = (guild_id, *guild.members[self.bot_user.id].role_ids)
        held = discord.Permissions()
        for role in roles:
            held |= discord.Permissions(int(guild.roles[role].permissions))
        return held.value

    @staticmethod
    def _match_keyword(rule: Any, content: str) -> str | None:
        for allowed in rule.trigger_metadata.get("allow_list") or []:
            content = re.sub(re.escape(allowed.strip("*")), "\n", content, flags=re.IGNORECASE)
        return Backend._match_keyword(rule, content)


class DiscordWire:
    """`backend` holds the state: `backend.create_message(…)` is somebody writing. `calls` is what the bot asked."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.backend: Backend = _Backend(clock=self.clock)
        self.backend.transcript = deque(maxlen=KEPT)  # type: ignore[assignment]
        self.backend.http_requests = deque(maxlen=KEPT)  # type: ignore[assignment]
        self.calls: list[Call] = []
        self.troubles: list[Trouble] = []
        self.odd: deque[tuple[int, str, str]] = deque()  # status, type and text of the next answers: not Discord's
        self.buckets: Sequence[Bucket] = ()  # BUCKETS: as the real one
        self.locale = "en-US"  # of whoever presses, chooses and commands
        self.file_limit = 10 << 20  # bytes
        self.global_limit: int | None = None  # requests a second, 50 at the real one
        self.applications: dict[int, int] = {}  # by webhook: whose it is; those of people are not among them
        self.latency = 0.0  # seconds that every request takes at least
        self.lost = 0  # so many messages more, webhooks' too, are made and never answered
        self.limited: list[str] = []  # paths that were answered with 429
        self.application_flags = 1 << 18  # MESSAGE CONTENT INTENT is switched on
        self.onboarding: dict[int, dict[str, Any]] = {}  # by server
        self.incident_actions: dict[int, Any] = {}  # by server: until when invites and direct messages are paused
        self._requested: deque[float] = deque()
        self._marked: dict[tuple[str, str], Any] = {}  # messages by channel and enforced nonce
        self.gateway_open = asyncio.Event()  # cleared: whoever connects to the gateway waits
        self.gateway_open.set()
        self.identified = 0
        self.members_asked = 0  # questions over the gateway
        self.intents = 0
        self.resumed = 0
        self._taken: dict[tuple[str, str], tuple[float, int]] = {}  # by bucket and whose: since when, how many
        self._sessions: dict[str, _Session] = {}
        self.backend.subscribers.append(self._emit)

    async def __aenter__(self) -> "DiscordWire":
        app = web.Application(client_max_size=30 << 20)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_get("/gateway/", self._gateway)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self.files: dict[str, bytes | None] = {}  # None: one without end
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert self._runner.addresses
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop_gateway()
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/gateway"

    def made(self, method: str, part: str) -> list[Call]:
        """The requests of this method whose path holds `part`."""
        return [call for call in self.calls if call.method == method and part in call.path]

    # ---- faults

    def trouble(self, method: str, prefix: str, status: int, times: int = 1, **more: Any) -> None:
        self.troubles.append(Trouble(method, prefix, status, times, **more))

    async def drop_gateway(self, code: int = 4000, *, invalidate: bool = False) -> None:
        for session in self._sessions.values():
            session.dead = session.dead or invalidate
            if session.ws is not None:
                await session.ws.close(code=code)

    def outage(self, guild_id: int, *, over: bool = False) -> None:
        """A server of which nothing is heard for a while (Discord's own trouble)."""
        for session in self._sessions.values():
            if over:
                shown = dict(serializers.guild_create_payload(self.backend, self.backend.guilds[guild_id]))
                prune_guild_create(shown, session.intents, self.backend.bot_user.id)
                session.push("GUILD_CREATE", shown | {"unavailable": False})
            else:
                session.push("GUILD_DELETE", {"id": str(guild_id), "unavailable": True})

    # ---- what people do

    def click(self, user_id: int, channel_id: int, message_id: int, custom_id: str) -> Any:
        return self._interact(user_id, channel_id, 3, {"component_type": 2, "custom_id": custom_id}, message_id)

    def _interact(
        self, user_id: int, channel_id: int, kind: int, data: dict[str, Any], message_id: int | None = None
    ) -> Any:
        guild_id = self.backend.get_channel(channel_id).guild_id
        record, payload = base_payload(
            self.backend, type=kind, channel_id=channel_id, guild_id=guild_id, user_id=user_id, data=data
        )
        payload["locale"] = self.locale
        record.initial_response_deadline = None  # three seconds at the real one, which a busy machine does not keep
        if message_id is not None:
            record.source_message_id = message_id
            message = self.backend.get_message(channel_id, message_id)
            payload["message"] = dict(serializers.message_payload(self.backend, message))
        self.backend.emit("INTERACTION_CREATE", payload)
        return record

    def select(
        self, user_id: int, channel_id: int, message_id: int, custom_id: str, values: list[str], *, kind: int
    ) -> Any:
        """Choosing in a menu; `kind` 8 is a menu of channels, 7 one of roles and people."""
        data: dict[str, Any] = {"component_type": kind, "custom_id": custom_id, "values": values}
        if kind == 8:
            chosen = [self.backend.get_channel(int(value)) for value in values]
            shown = [dict(serializers.channel_payload(self.backend, channel)) for channel in chosen]
            data["resolved"] = {"channels": {channel["id"]: channel | {"permissions": "0"} for channel in shown}}
        if kind == 7:
            guild = self.backend.guilds[self._guild_of(channel_id)]
            of_role = {int(value): int(value) in guild.roles for value in values}
            picked = [Picked("role" if is_role else "user", id_) for id_, is_role in of_role.items()]
            data["resolved"] = self._resolved(guild.id, picked)
        return self._interact(user_id, channel_id, 3, data, message_id)

    def submit(self, user_id: int, channel_id: int, modal: Any, value: str) -> Any:
        """Writing into the one field of a window and sending it off."""
        (label,) = modal["components"]
        field_ = {"type": 4, "custom_id": label["component"]["custom_id"], "value": value}
        data = {
            "custom_id": modal["custom_id"],
            "components": [{"type": 18, "id": label.get("id"), "component": field_}],
        }
        return self._interact(user_id, channel_id, 5, data)

    def command(
        self, user_id: int, channel_id: int, name: str, *, kind: int = 1, target: int | None = None, **options: Any
    ) -> Any:
        """A slash command ("jikimi policy ladder": groups, and a command) or a context menu (`kind` 3)."""
        first, *rest = name.split(" ") if kind == 1 else [name]
        known = (command for scope in self.backend.commands.values() for command in scope.values())
        command = next(one for one in known if one["name"] == first)
        kinds = {str: 3, int: 4, bool: 5, float: 10}
        given = [
            {
                "name": key,
                "value": str(value.id),
                "type": {"user": 6, "channel": 7, "role": 8, "attachment": 11}[value.kind],
            }
            if isinstance(value, Picked)
            else {"name": key, "value": value, "type": kinds[type(value)]}
            for key, value in options.items()
        ]
        given = _within(rest, given)
        data: dict[str, Any] = {"id": command["id"], "name": first, "type": kind, "options": given}
        if picked := [value for value in options.values() if isinstance(value, Picked)]:
            data["resolved"] = self._resolved(self.backend.get_channel(channel_id).guild_id, picked)
        if target is not None:
            message = self.backend.get_message(channel_id, target)
            resolved = dict(serializers.message_payload(self.backend, message))
            data |= {"target_id": str(target), "resolved": {"messages": {str(target): resolved}}}
        return self._interact(user_id, channel_id, 2, data)

    def autocomplete(self, user_id: int, channel_id: int, name: str, option: str, typed: str = "") -> Any:
        """Typing into an option; the record has `autocomplete_choices` in the end."""
        first, *rest = name.split(" ")
        known = (command for scope in self.backend.commands.values() for command in scope.values())
        command = next(one for one in known if one["name"] == first)
        given: list[dict[str, Any]] = [{"name": option, "type": 3, "value": typed, "focused": True}]
        given = _within(rest, given)
        return self._interact(user_id, channel_id, 4, {"id": command["id"], "name": first, "type": 1, "options": given})

    def _guild_of(self, channel_id: int) -> int:
        guild_id = self.backend.get_channel(channel_id).guild_id
        assert guild_id is not None, "a channel of people's own"
        return guild_id

    def _resolved(self, guild_id: int | None, picked: list[Picked]) -> dict[str, Any]:
        """In private nobody is a member."""
        roles, channels, users, members, files = {}, {}, {}, {}, {}
        for one in picked:
            guild = self.backend.guilds[guild_id] if guild_id else None
            if one.kind == "role" and guild:
                roles[str(one.id)] = dict(serializers.role_payload(guild.roles[one.id]))
            elif one.kind == "user":
                users[str(one.id)] = dict(serializers.user_payload(self.backend.users[one.id]))
                if guild and (member := guild.members.get(one.id)) is not None:
                    shown = dict(serializers.member_payload(self.backend, guild, member))
                    members[str(one.id)] = {k: v for k, v in shown.items() if k != "user"} | {"permissions": "0"}
            elif one.kind == "attachment":
                url = f"http://127.0.0.1:{self.port}/files/{one.id}"
                names = {"id": str(one.id), "filename": "policy.toml", "size": one.size}
                files[str(one.id)] = names | {"url": url, "proxy_url": url}
            elif one.kind == "channel":
                shown = dict(serializers.channel_payload(self.backend, self.backend.get_channel(one.id)))
                channels[str(one.id)] = shown | {"permissions": "0"}
        return {"roles": roles, "channels": channels, "users": users, "members": members, "attachments": files}

    # ---- REST

    async def _rest(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body, files = await _content(request)
        reason = request.headers.get("X-Audit-Log-Reason")
        reason = urllib.parse.unquote(reason) if reason else None
        self.calls.append(Call(request.method, path, body, reason, time.monotonic(), dict(request.query)))
        if self.odd:
            status, kind, text = self.odd.popleft()
            return web.Response(status=status, body=text.encode(), headers={"Content-Type": kind})
        await asyncio.sleep(self.latency)
        open_to_all = path.startswith(("/webhooks/", "/interactions/"))
        if not open_to_all and request.headers.get("Authorization") != f"Bot {TOKEN}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        if refused := self._troubled(request, path) or self._too_many(path) or self._bucket(request.method, path):
            return refused
        if path.startswith("/channels/") and path.endswith("/messages") and self._is_stranger(path.split("/")[2]):
            told = "Cannot send messages to this user due to having no mutual guilds"
            return _json({"message": told, "code": 50278}, status=403)
        if path == "/gateway/bot":
            limit = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
            return _json({"url": self.gateway_url, "shards": 1, "session_start_limit": limit})
        if "/auto-moderation/rules" in path and (problem := self._automod_problem(request.method, path, body)):
            return _json({"message": "Invalid Form Body", "code": 50035, "errors": {problem: "limit"}}, status=400)
        posts = request.method == "POST" and path.startswith("/channels/") and path.endswith("/messages")
        is_hook = request.method == "POST" and path.startswith("/webhooks/")
        if posts and any(len(file.fp.getvalue()) > self.file_limit for file in files):
            return _json({"message": "Request entity too large", "code": 40005}, status=413)
        mark = (path, str(body.get("nonce"))) if posts and body.get("enforce_nonce") else None
        if mark in self._marked:
            return _json(self._marked[mark])
        if path.endswith("/onboarding"):
            return self._onboarding(request.method, int(path.split("/")[2]), body)
        if request.method == "PUT" and path.endswith("/incident-actions"):
            return self._incident_actions(int(path.split("/")[2]), body)
        try:
            params = dict(request.query)
            answer: Any = self._history(path, params) if request.method == "GET" else None
            if answer is None:
                answer = router.dispatch(
                    self.backend, request.method, path, json=body, params=params, files=files, reason=reason
                )
        except BackendError as error:
            return _json(error.to_json(), status=error.status)
        except (router.RouteNotImplemented, router.UnsupportedField) as error:
            return _json({"message": f"not built: {error}", "code": 0}, status=501)
        if path == "/users/@me/guilds":
            assert isinstance(self.backend, _Backend)
            answer = [{**one, "permissions": str(self.backend.permissions(int(one["id"])))} for one in answer]
        if path == "/oauth2/applications/@me":
            answer = {**answer, "flags": self.application_flags}
        if request.method == "GET" and re.fullmatch(r"/guilds/\d+", path):
            answer = {**answer, "incidents_data": self.incident_actions.get(int(path.split("/")[2]))}
        if mark:
            self._marked[mark] = answer
        if (posts or is_hook) and self.lost:
            self.lost -= 1
            assert request.transport
            request.transport.abort()
        limits = self._told(request.method, path)
        return web.Response(status=204, headers=limits) if answer is None else _json(answer, headers=limits)

    def _history(self, path: str, params: dict[str, str]) -> list[Any] | None:
        """A page of a channel, for as much work as how far back it lies: simcord sorts the whole channel each time.
        None: that answers."""
        asked = re.fullmatch(r"/channels/(\d+)/messages", path)
        if not asked or params.keys() & {"around", "after"} or int(asked[1]) not in self.backend.channels:
            return None
        channel_id, before = int(asked[1]), int(params.get("before", sys.maxsize))
        ctx = router.RequestContext(self.backend, {}, json=None, params=params, files=[], reason=None)
        ctx.require_channel_permissions(channel_id)
        if not channel_accessible(self.backend, channel_id, self.backend.bot_user.id, history=True):
            return []
        kept = reversed(self.backend.messages[channel_id].values())  # in the order of their ids
        shown = (message for message in kept if message.id < before and not message.is_ephemeral)
        return [message_response(ctx, message) for message in islice(shown, int(params.get("limit", 50)))]

    def _incident_actions(self, guild_id: int, body: Any) -> web.Response:
        """Up to 24 hours ahead, for who manages the server (DD resources/guild.mdx, Modify Guild Incident Actions)."""
        assert isinstance(self.backend, _Backend)
        if not self.backend._manages(guild_id, self.backend.bot_user.id):
            return _json({"message": "Missing Permissions", "code": 50013}, status=403)
        now = datetime.now(UTC)
        ends = [datetime.fromisoformat(end) for end in body.values() if end]
        if any(end <= now or end > now + timedelta(hours=24, seconds=5) for end in ends):
            return _json({"message": "Invalid Form Body", "code": 50035}, status=400)
        self.incident_actions[guild_id] = body
        return _json(body)

    def _onboarding(self, method: str, guild_id: int, body: Any) -> web.Response:
        """For who manages server and roles; on only where it is prepared (DD resources/guild.mdx, Guild Onboarding)."""
        assert isinstance(self.backend, _Backend)
        shown = self.onboarding.setdefault(guild_id, {"enabled": False, "default_channel_ids": [], "prompts": []})
        if method == "PUT":
            held = discord.Permissions(self.backend.permissions(guild_id))
            if not (held.administrator or (held.manage_guild and held.manage_roles)):
                return _json({"message": "Missing Permissions", "code": 50013}, status=403)
            if body.get("enabled") and len(body.get("default_channel_ids", shown["default_channel_ids"])) < 7:
                return _json({"message": "Onboarding requirements are not met", "code": 350000}, status=400)
            shown.update(body)
        return _json({"guild_id": str(guild_id), "mode": 0, **shown})

    def _automod_problem(self, method: str, path: str, body: Any) -> str | None:
        """Which of AutoMod's documented limits a rule does not keep (fact D67)."""
        if method not in ("POST", "PATCH"):
            return None
        guild = self.backend.guilds[int(path.split("/")[2])]
        words = body.get("trigger_metadata", {})
        told = [action.get("metadata", {}).get("custom_message", "") for action in body.get("actions", ())]
        kind = body.get("trigger_type", 1)
        holds = {
            "name": 1 <= len(body.get("name", "-")) <= 100,
            "trigger_type": method == "PATCH" or sum(r.trigger_type == kind for r in guild.auto_mod_rules.values()) < 6,
            "keyword_filter": 0 < len(words.get("keyword_filter", "-")) <= 1000,
            "keyword": all(1 <= len(word) <= 60 for word in words.get("keyword_filter", ())),
            "regex_patterns": len(words.get("regex_patterns", ())) <= 10,
            "allow_list": len(words.get("allow_list", ())) <= 100,
            "allowed": all(1 <= len(word) <= 60 for word in words.get("allow_list", ())),
            "actions": method == "PATCH" or bool(body.get("actions")),
            "custom_message": all(len(text) <= 150 for text in told),
            "exempt_roles": len(body.get("exempt_roles", ())) <= 20
            and all(int(role) in guild.roles for role in body.get("exempt_roles", ())),
            "exempt_channels": len(body.get("exempt_channels", ())) <= 50,
        }
        return next((key for key, kept in holds.items() if not kept), None)

    def _troubled(self, request: web.Request, path: str) -> web.Response | None:
        for trouble in self.troubles:
            if trouble.times and trouble.method in (request.method, "*") and path.startswith(trouble.prefix):
                trouble.times -= 1
                if trouble.status == 0 and request.transport:
                    request.transport.abort()
                if trouble.status == 429:
                    return _limited(trouble.retry_after, trouble.scope)
                return _json({"message": "trouble", "code": trouble.code}, status=trouble.status)
        return None

    def _bucket(self, method: str, path: str) -> web.Response | None:
        for bucket in self.buckets:
            if method == bucket.method and (match := re.fullmatch(bucket.path, path)):
                key, now = (bucket.name, match[1]), time.monotonic()
                since, taken = self._taken.get(key, (now, 0))
                if now - since >= bucket.seconds:
                    since, taken = now, 0
                if taken >= bucket.most:
                    self.limited.append(path)
                    return _limited(since + bucket.seconds - now, "user")
                self._taken[key] = since, taken + 1
        return None

    def _told(self, method: str, path: str) -> dict[str, str]:
        """What Discord's headers say of the bucket that a request was in."""
        for bucket in self.buckets:
            match = re.fullmatch(bucket.path, path) if method == bucket.method and not bucket.hidden else None
            if match and (known := self._taken.get((bucket.name, match[1]))):
                after = max(0.0, known[0] + bucket.seconds - time.monotonic())
                return {
                    "X-RateLimit-Bucket": bucket.name,
                    "X-RateLimit-Limit": str(bucket.most),
                    "X-RateLimit-Remaining": str(bucket.most - known[1]),
                    "X-RateLimit-Reset-After": f"{after:.3f}",
                    "X-RateLimit-Reset": f"{time.time() + after:.3f}",
                }
        return {}

    def _is_stranger(self, channel_id: str) -> bool:
        """Whether this is a direct line to somebody who shares no server with the bot (any more)."""
        who = [user for user, dm in self.backend.dm_channels.items() if str(dm) == channel_id]
        return bool(who) and not any(who[0] in guild.members for guild in self.backend.guilds.values())

    def _too_many(self, path: str) -> web.Response | None:
        """Interactions are outside of the global limit."""
        if not self.global_limit or path.startswith(("/interactions/", "/webhooks/")):
            return None
        now = time.monotonic()
        while self._requested and self._requested[0] < now - 1:
            self._requested.popleft()
        if len(self._requested) >= self.global_limit:
            self.limited.append(path)
            return _limited(self._requested[0] + 1 - now, "global")
        self._requested.append(now)
        return None

    async def _file(self, request: web.Request) -> web.Response:
        if content := self.files[request.match_info["name"]]:
            return web.Response(body=content)
        endless = web.StreamResponse()
        await endless.prepare(request)
        while True:
            await endless.write(b"#" * 65_536)

    # ---- gateway

    def _emit(self, event: str, payload: Any) -> None:
        """To those who have asked for it; of its own member a bot always hears."""
        intent = required_intent(event, payload)
        if owner := self.applications.get(int(payload.get("webhook_id") or 0)):
            payload = {**payload, "application_id": str(owner)}
        mine = event == "GUILD_MEMBER_UPDATE" and payload["user"]["id"] == str(self.backend.bot_user.id)
        data = json.dumps(payload)
        for session in [one for one in self._sessions.values() if one.is_over]:
            del self._sessions[session.id]
        for session in self._sessions.values():
            if intent is None or mine or getattr(session.intents, intent):
                session.send(event, data)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        await self.gateway_open.wait()
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_json({"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})
        session: _Session | None = None
        async for frame in ws:
            message = json.loads(frame.data)
            match message["op"]:
                case 1:
                    await ws.send_json({"op": 11})
                case 2 if message["d"]["token"] != TOKEN:
                    await ws.close(code=4004)
                case 2:
                    self.identified += 1
                    self.intents = message["d"]["intents"]
                    session = _Session(str(self.identified), discord.Intents._from_value(self.intents))
                    session.attach(ws)
                    self._sessions[session.id] = session
                    self._greet(session, message["d"].get("shard", [0, 1]))
                case 6:
                    session = self._sessions.get(message["d"]["session_id"])
                    if session is None or session.dead:
                        await ws.send_json({"op": 9, "d": False})
                        session = None
                        continue
                    self.resumed += 1
                    session.attach(ws)
                    session.replay(message["d"]["seq"])
                    session.push("RESUMED", {})
                case 8:
                    assert session is not None
                    self._send_members(session, message["d"])
        if session is not None and session.ws is ws:
            session.detach()
        return ws

    def _greet(self, session: "_Session", shard: Sequence[int]) -> None:
        guilds = [guild for guild in self.backend.guilds.values() if (guild.id >> 22) % shard[1] == shard[0]]
        ready = {
            "v": 10,
            "user": dict(serializers.user_payload(self.backend.bot_user)),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.gateway_url,
            "shard": shard,
            "application": {"id": str(self.backend.application_id), "flags": 0},
        }
        session.push("READY", ready)
        for guild in guilds:
            shown = dict(serializers.guild_create_payload(self.backend, guild))
            prune_guild_create(shown, session.intents, self.backend.bot_user.id)
            session.push("GUILD_CREATE", shown)

    def _send_members(self, session: "_Session", asked: dict[str, Any]) -> None:
        self.members_asked += 1
        guild = self.backend.guilds[int(asked["guild_id"])]
        wanted = set(map(int, _as_list(asked.get("user_ids"))))
        members = [member for member in guild.members.values() if not wanted or member.user_id in wanted]
        chunk = {
            "guild_id": asked["guild_id"],
            "members": [dict(serializers.member_payload(self.backend, guild, member)) for member in members],
            "chunk_index": 0,
            "chunk_count": 1,
        }
        session.push("GUILD_MEMBERS_CHUNK", chunk | ({"nonce": asked["nonce"]} if asked.get("nonce") else {}))


@dataclass(slots=True, eq=False)
class _Session:
    """What a client may resume for a while: every event is numbered and the last 10,000 are kept, as they are sent."""

    id: str
    intents: discord.Intents
    seq: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=10_000))
    dead: bool = False
    ws: web.WebSocketResponse | None = None
    left_at: float | None = None  # time.monotonic(): since when nobody is there
    _out: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    _pump: "asyncio.Task[None] | None" = None

    def attach(self, ws: web.WebSocketResponse) -> None:
        if self._pump:
            self._pump.cancel()
        self.ws, self.left_at, self._out = ws, None, asyncio.Queue()
        self._pump = asyncio.create_task(self._send_all(ws, self._out))

    def detach(self) -> None:
        self.ws, self.left_at = None, time.monotonic()
        if self._pump:
            self._pump.cancel()

    def replay(self, seq: int) -> None:
        for number, event in self.sent:
            if number > seq:
                self._out.put_nowait(event)

    @property
    def is_over(self) -> bool:
        """Whether nobody has come back to it in time."""
        return self.left_at is not None and time.monotonic() - self.left_at > RESUMABLE

    def push(self, kind: str, data: Any) -> None:
        self.send(kind, json.dumps(data))

    def send(self, kind: str, data: str) -> None:
        """`data`: JSON."""
        self.seq += 1
        written = f'{{"op": 0, "t": "{kind}", "s": {self.seq}, "d": {data}}}'
        self.sent.append((self.seq, written))
        if self.ws is not None:
            self._out.put_nowait(written)

    async def _send_all(self, ws: web.WebSocketResponse, out: "asyncio.Queue[str]") -> None:
        while True:
            event = await out.get()
            try:
                await ws.send_str(event)
            except (ConnectionError, RuntimeError):
                return


async def _content(request: web.Request) -> tuple[Any, list[Any]]:
    body, files = None, []
    if request.content_type.startswith("multipart/"):
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            if part.name == "payload_json":
                body = json.loads(await part.text())
            elif part.filename:
                files.append(_Upload(part.filename, await part.read(decode=False)))
    elif request.can_read_body:
        body = await request.json()
    return body, files


class _Upload:
    description = None

    def __init__(self, name: str, content: bytes) -> None:
        self.filename, self.fp = name, io.BytesIO(content)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # discord.py parses an answer only where the type is exactly this, without a charset.
    headers = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers)


def _limited(retry_after: float, scope: str) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": scope == "global"}
    headers = {"Retry-After": str(retry_after), "X-RateLimit-Scope": scope, "Via": "1.1 wire"}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    return _json(body, status=429, headers=headers)


def _within(groups: list[str], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The options of a command as Discord sends them: within its group, and that one's."""
    for kind, word in enumerate(reversed(groups), 1):
        given = [{"name": word, "type": kind, "options": given}]
    return given
