"""A small HTTP server that answers as CAS does: `listed` are on its list. `trouble` is what it says instead: a status,
or bytes; `hangs`: it begins to answer and never ends."""

import asyncio
from typing import Self

from aiohttp import web


class BlocklistServer:
    def __init__(self, *listed: int) -> None:
        self.listed = set(listed)
        self.trouble: int | bytes | None = None
        self.hangs = False
        self.asked: list[dict[str, str]] = []  # all that was told of whoever was asked about
        self.headers: list[dict[str, str]] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/check", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

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
