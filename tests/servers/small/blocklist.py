"""A small HTTP server that answers as CAS does: `listed` are on its list. `trouble` is what it says instead: a status,
or bytes; `hangs`: it begins to answer and never ends."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from tests.servers.small.local import LocalServer


class BlocklistServer(LocalServer):
    def __init__(self, *listed: int) -> None:
        self.listed = set(listed)
        self.trouble: int | bytes | None = None
        self.hangs = False
        self.asked: list[dict[str, str]] = []  # all that was told of whoever was asked about
        self.headers: list[dict[str, str]] = []

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/check", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        self.headers.append(dict(request.headers))
        if self.hangs:
            begun = web.StreamResponse()
            await begun.prepare(request)
            while True:
                await begun.write(b" ")
                await asyncio.sleep(0.02)
        if isinstance(self.trouble, int):
            return web.Response(status=self.trouble, headers={"Location": "/check?user_id=1"})
        if self.trouble is not None:
            return web.Response(body=self.trouble)
        if int(request.query["user_id"]) not in self.listed:
            return web.json_response({"ok": False, "description": "Record not found."})
        result = {"offenses": 3, "messages": ["…"], "time_added": "2026-01-01T00:00:00.000Z"}
        return web.json_response({"ok": True, "result": result})
