"""A Discord to test against: simcord's backend behind real HTTP and a real websocket, on loopback.

An unmodified discord.py connects over TCP, so its rate limiter, retries, heartbeat and RESUME are the real ones.
Everything that simcord keeps (permissions, hierarchy, error codes, audit log) answers as Discord would.
"""

import asyncio
import collections
import io
import json
import time
import urllib.parse
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from simcord.backend import Backend, serializers
from simcord.backend.errors import BackendError
from simcord.http import (
    router,
    routes,  # noqa: F401  (registers every route)
)
from simcord.interactions import base_payload

TOKEN = "test-token"


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request as it came in."""

    method: str
    path: str
    body: Any
    reason: str | None
    at: float


@dataclass(slots=True)
class Trouble:
    """The next `times` requests of this kind are answered with `status`; 0: the connection breaks."""

    method: str
    prefix: str
    status: int
    times: int
    retry_after: float = 0.3
    scope: str = "user"


class User(int):
    """Somebody as the option of a command."""


class Channel(int):
    """A channel as the option of a command."""


class WallClock:
    """simcord's clock: the real time, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class DiscordWire:
    """`backend` holds the state: `backend.create_message(…)` is somebody writing. `calls` is what the bot asked."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.backend = Backend(clock=self.clock)
        self.calls: list[Call] = []
        self.troubles: list[Trouble] = []
        self.delete_buckets = False  # five single deletes a second in a channel, as Discord sets them
        self.identified = 0
        self.intents = 0
        self.resumed = 0
        self._deleted: dict[str, deque[float]] = collections.defaultdict(deque)
        self._sessions: dict[str, _Session] = {}
        self.backend.subscribers.append(self._emit)

    async def __aenter__(self) -> "DiscordWire":
        app = web.Application(client_max_size=30 << 20)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_get("/gateway/", self._gateway)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self.files: dict[str, bytes] = {}
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
        if message_id is not None:
            record.source_message_id = message_id
            message = self.backend.get_message(channel_id, message_id)
            payload["message"] = dict(serializers.message_payload(self.backend, message))
        self.backend.emit("INTERACTION_CREATE", payload)
        return record

    def select(
        self, user_id: int, channel_id: int, message_id: int, custom_id: str, values: list[str], *, kind: int
    ) -> Any:
        """Choosing in a menu; `kind` 8 is a menu of channels."""
        data: dict[str, Any] = {"component_type": kind, "custom_id": custom_id, "values": values}
        if kind == 8:
            chosen = [self.backend.get_channel(int(value)) for value in values]
            shown = [dict(serializers.channel_payload(self.backend, channel)) for channel in chosen]
            data["resolved"] = {"channels": {channel["id"]: channel | {"permissions": "0"} for channel in shown}}
        return self._interact(user_id, channel_id, 3, data, message_id)

    def command(
        self, user_id: int, channel_id: int, name: str, *, kind: int = 1, target: int | None = None, **options: Any
    ) -> Any:
        """A slash command ("jikimi status" is the group and its command) or a context menu (`kind` 3)."""
        first, *rest = name.split(" ") if kind == 1 else [name]
        known = (command for scope in self.backend.commands.values() for command in scope.values())
        command = next(one for one in known if one["name"] == first)
        kinds = {str: 3, int: 4, bool: 5, User: 6, Channel: 7, float: 10}
        given = [
            {"name": key, "value": str(value) if type(value) in (User, Channel) else value, "type": kinds[type(value)]}
            for key, value in options.items()
        ]
        for word in reversed(rest):
            given = [{"name": word, "type": 1, "options": given}]
        data: dict[str, Any] = {"id": command["id"], "name": first, "type": kind, "options": given}
        users = [self.backend.users[value] for value in options.values() if isinstance(value, User)]
        channels = [self.backend.get_channel(value) for value in options.values() if isinstance(value, Channel)]
        shown = [dict(serializers.channel_payload(self.backend, one)) | {"permissions": "0"} for one in channels]
        if users or channels:
            data["resolved"] = {
                "users": {str(user.id): dict(serializers.user_payload(user)) for user in users},
                "channels": {channel["id"]: channel for channel in shown},
            }
        if target is not None:
            message = self.backend.get_message(channel_id, target)
            resolved = dict(serializers.message_payload(self.backend, message))
            data |= {"target_id": str(target), "resolved": {"messages": {str(target): resolved}}}
        return self._interact(user_id, channel_id, 2, data)

    # ---- REST

    async def _rest(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body, files = await _content(request)
        reason = request.headers.get("X-Audit-Log-Reason")
        reason = urllib.parse.unquote(reason) if reason else None
        self.calls.append(Call(request.method, path, body, reason, time.monotonic()))
        open_to_all = path.startswith(("/webhooks/", "/interactions/"))
        if not open_to_all and request.headers.get("Authorization") != f"Bot {TOKEN}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        if refused := self._troubled(request, path) or self._bucket(request.method, path):
            return refused
        if path == "/gateway/bot":
            limit = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
            return _json({"url": self.gateway_url, "shards": 1, "session_start_limit": limit})
        try:
            params = dict(request.query)
            answer = router.dispatch(
                self.backend, request.method, path, json=body, params=params, files=files, reason=reason
            )
        except BackendError as error:
            return _json(error.to_json(), status=error.status)
        except (router.RouteNotImplemented, router.UnsupportedField) as error:
            return _json({"message": f"not built: {error}", "code": 0}, status=501)
        return web.Response(status=204) if answer is None else _json(answer)

    def _troubled(self, request: web.Request, path: str) -> web.Response | None:
        for trouble in self.troubles:
            if trouble.times and trouble.method in (request.method, "*") and path.startswith(trouble.prefix):
                trouble.times -= 1
                if trouble.status == 0 and request.transport:
                    request.transport.abort()
                if trouble.status == 429:
                    return _limited(trouble.retry_after, trouble.scope)
                return _json({"message": "trouble", "code": 0}, status=trouble.status)
        return None

    def _bucket(self, method: str, path: str) -> web.Response | None:
        parts = path.split("/")
        if not self.delete_buckets or method != "DELETE" or len(parts) != 5 or parts[3] != "messages":
            return None
        taken, now = self._deleted[parts[2]], time.monotonic()
        while taken and taken[0] < now - 1:
            taken.popleft()
        if len(taken) >= 5:
            return _limited(taken[0] + 1 - now, "user")
        taken.append(now)
        return None

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]])

    # ---- gateway

    def _emit(self, event: str, payload: Any) -> None:
        for session in self._sessions.values():
            session.push(event, dict(payload))

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
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
                    session = _Session(str(self.identified))
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
            session.push("GUILD_CREATE", dict(serializers.guild_create_payload(self.backend, guild)))

    def _send_members(self, session: "_Session", asked: dict[str, Any]) -> None:
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
    """What a client may resume: every event is numbered and the last 10,000 are kept."""

    id: str
    seq: int = 0
    sent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=10_000))
    dead: bool = False
    ws: web.WebSocketResponse | None = None
    _out: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    _pump: "asyncio.Task[None] | None" = None

    def attach(self, ws: web.WebSocketResponse) -> None:
        if self._pump:
            self._pump.cancel()
        self.ws, self._out = ws, asyncio.Queue()
        self._pump = asyncio.create_task(self._send_all(ws, self._out))

    def detach(self) -> None:
        self.ws = None
        if self._pump:
            self._pump.cancel()

    def replay(self, seq: int) -> None:
        for event in self.sent:
            if event["s"] > seq:
                self._out.put_nowait(json.dumps(event))

    def push(self, kind: str, data: Any) -> None:
        self.seq += 1
        written = json.dumps({"op": 0, "t": kind, "s": self.seq, "d": data})
        self.sent.append(json.loads(written))
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
            assert not isinstance(part, collections.abc.Sequence)
            if part.name == "payload_json":  # type: ignore[union-attr]
                body = json.loads(await part.text())  # type: ignore[union-attr]
            elif part.filename:  # type: ignore[union-attr]
                files.append(_Upload(part.filename, await part.read(decode=False)))  # type: ignore[union-attr]
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
