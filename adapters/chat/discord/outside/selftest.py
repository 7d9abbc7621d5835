"""An operator's own server -> what Discord does there of what nobody has confirmed, in a channel that goes again."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import seconds_asked
from bot.core.operations.outside.selftest import Ask, Outcome, Tried
from bot.core.text.catalogue import Texts

NAME = "jikimi-selftest"
POSTS = 12  # that are deleted as fast as Discord lets us
REASON = 512  # characters, as many as an audit log's reason may have
RESUMES = (40.0, 70.0)  # seconds after which a session should still be known, and should not
ONE_MINUTE = timedelta(minutes=1)
GUILDS = 1  # the intent that takes no permission
IDENTIFY, RESUME, INVALID, HELLO = 2, 6, 9, 10

_Answer = tuple[int, Any, Mapping[str, str]]


async def selftest(
    token: str, community: str, ask: Ask, say: Texts, *, api_url: str, gateway_url: str, resumes: tuple[float, float]
) -> AsyncIterator[Tried]:
    """Raises `Broken` where nothing can be tried there, `Unavailable` where Discord does not answer."""
    try:
        async with ClientSession(timeout=ClientTimeout(total=60)) as session:
            server = _Server(session, token, api_url.rstrip("/"), community)
            async with server.room(say) as room:
                yield await server.reason_fits(room)
                yield await server.deletes(room)
                yield await server.bots_are_unchecked(room)
                yield await server.times_out("D31", room, ask, bot=True)
                yield await server.times_out("D32", room, ask, bot=False)
                yield Tried("D34", Outcome.NOT_TRIED)  # it would take banning somebody
            yield await server.resumes(gateway_url, resumes)
    except (ClientError, TimeoutError, OSError) as error:
        raise Unavailable(type(error).__name__) from error


@dataclass(slots=True)
class _Server:
    session: ClientSession
    token: str
    api_url: str
    id: str

    async def call(self, method: str, path: str, body: Any = None, *, reason: str = "") -> _Answer:
        headers = {"Authorization": f"Bot {self.token}"}
        if reason:
            headers["X-Audit-Log-Reason"] = quote(reason)
        async with self.session.request(method, self.api_url + path, json=body, headers=headers) as answer:
            content = await answer.read()
            return answer.status, json.loads(content) if content else None, answer.headers

    @asynccontextmanager
    async def room(self, say: Texts) -> AsyncIterator[str]:
        status, made, _ = await self.call("POST", f"/guilds/{self.id}/channels", {"name": NAME}, reason="가" * REASON)
        if status >= 300:
            raise Broken(say("selftest.no_room", status=status))
        try:
            yield str(made["id"])
        finally:
            await self.call("DELETE", f"/channels/{made['id']}")

    async def reason_fits(self, room: str) -> Tried:
        """D64: the channel was made with a reason of as many Korean characters as there may be."""
        status, log, _ = await self.call("GET", f"/guilds/{self.id}/audit-logs?action_type=10&limit=5")
        entries = [one for one in (log or {}).get("audit_log_entries", ()) if one.get("target_id") == room]
        kept = len(entries[0].get("reason") or "") if status == 200 and entries else -1
        return Tried.found("D64", kept == REASON, sent=REASON, kept=kept)

    async def deletes(self, room: str) -> Tried:
        """D22: five single deletions of young messages in a second."""
        posted = [id_ for _ in range(POSTS) if (id_ := await self._post(room, "."))]
        limit, first, refused, began = -1, -1, 0, time.monotonic()
        for number, id_ in enumerate(posted):
            while True:
                status, answer, headers = await self.call("DELETE", f"/channels/{room}/messages/{id_}")
                limit = int(headers.get("X-RateLimit-Limit", limit))
                if status != 429:
                    break
                first, refused = number if first < 0 else first, refused + 1
                await asyncio.sleep(seconds_asked(answer["retry_after"]) or 1.0)
        took = round(time.monotonic() - began, 2)
        return Tried.found(
            "D22", 5 in (limit, first), deleted=len(posted), limit=limit, first_refused=first, refused=refused, s=took
        )

    async def bots_are_unchecked(self, room: str) -> Tried:
        """D71: AutoMod lets a bot say what it blocks."""
        rule = {
            "name": NAME, "event_type": 1, "trigger_type": 1, "enabled": True, "actions": [{"type": 1}],
            "trigger_metadata": {"keyword_filter": [f"*{NAME}*"]},
        }  # fmt: skip
        made, answer, _ = await self.call("POST", f"/guilds/{self.id}/auto-moderation/rules", rule)
        if made >= 300:
            return Tried("D71", Outcome.NOT_TRIED, {"status": made})
        try:
            status, _, _ = await self.call("POST", f"/channels/{room}/messages", {"content": NAME})
        finally:
            await self.call("DELETE", f"/guilds/{self.id}/auto-moderation/rules/{answer['id']}")
        return Tried.found("D71", status == 200, status=status)

    async def times_out(self, fact: str, room: str, ask: Ask, *, bot: bool) -> Tried:
        """D31, D32: whoever was asked to write, a bot or a member with a higher role; for a minute, and lifted."""
        if await ask(fact) is None:
            return Tried(fact, Outcome.NOT_TRIED)
        _, said, _ = await self.call("GET", f"/channels/{room}/messages?limit=20")
        ours = (await self.call("GET", "/users/@me"))[1]["id"]
        who = [one["author"] for one in said if bool(one["author"].get("bot")) is bot and one["author"]["id"] != ours]
        if not who:
            return Tried(fact, Outcome.NOT_TRIED)
        member, until = f"/guilds/{self.id}/members/{who[0]['id']}", datetime.now(UTC) + ONE_MINUTE
        status, changed, _ = await self.call("PATCH", member, {"communication_disabled_until": until.isoformat()})
        lifted = -1
        if status == 200:
            lifted, _, _ = await self.call("PATCH", member, {"communication_disabled_until": None})
        is_out = status == 200 and bool(changed.get("communication_disabled_until"))
        return Tried.found(fact, is_out if bot else status == 403, status=status, lifted=lifted)

    async def resumes(self, gateway_url: str, after: tuple[float, float]) -> Tried:
        """D9: a session that was lost is known for about 45 seconds."""
        if not gateway_url:
            gateway_url = (await self.call("GET", "/gateway/bot"))[1]["url"]
        known = [await self._known_after(gateway_url, seconds) for seconds in after]
        seen = {f"after_{seconds:g}_s": one for seconds, one in zip(after, known, strict=True)}
        return Tried.found("D9", known == [True, False], **seen)

    async def _known_after(self, url: str, seconds: float) -> bool:
        who = {"token": self.token, "intents": GUILDS, "properties": {"os": "linux", "browser": NAME, "device": NAME}}
        async with self.session.ws_connect(f"{url}?v=10&encoding=json") as socket:
            await self._until(socket, HELLO)
            await socket.send_json({"op": IDENTIFY, "d": who})
            ready = await self._until(socket, 0)
            await socket.close(code=4000)
        await asyncio.sleep(seconds)
        about = {"token": self.token, "session_id": ready["d"]["session_id"], "seq": ready["s"]}
        async with self.session.ws_connect(f"{ready['d']['resume_gateway_url']}?v=10&encoding=json") as socket:
            await self._until(socket, HELLO)
            await socket.send_json({"op": RESUME, "d": about})
            answer = await self._until(socket, 0, INVALID)
            await socket.close(code=1000)
        return bool(answer["op"] != INVALID)

    async def _until(self, socket: Any, *wanted: int) -> Mapping[str, Any]:
        async with asyncio.timeout(30):
            while (frame := await socket.receive()).type is WSMsgType.TEXT:
                message: Mapping[str, Any] = json.loads(frame.data)
                if message["op"] in wanted:
                    return message
        raise Unavailable("the gateway closed")

    async def _post(self, room: str, content: str) -> str:
        while True:
            status, answer, _ = await self.call("POST", f"/channels/{room}/messages", {"content": content})
            if status != 429:
                return str(answer["id"]) if status == 200 else ""
            await asyncio.sleep(seconds_asked(answer["retry_after"]) or 1.0)
