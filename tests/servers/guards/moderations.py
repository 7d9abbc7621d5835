"""A small HTTP server with OpenAI's moderation endpoint: a text that says "나쁜" harasses, one that says "너무 긴" is
refused. `trouble` is what it answers instead, as JSON."""

from typing import Any, Self

from aiohttp import web


class ModerationsServer:
    def __init__(self) -> None:
        self.trouble: Any = None
        self.bodies: list[Any] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/moderations", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if self.trouble is not None:
            return web.json_response(self.trouble)
        if any("너무 긴" in text for text in body["input"]):
            return web.json_response({"error": {"message": "too long"}}, status=400)
        results = [
            {
                "flagged": "나쁜" in text,
                "category_scores": {"harassment": 0.93 if "나쁜" in text else 0.01, "odd": 0.02},
            }
            for text in body["input"]
        ]
        return web.json_response({"id": "modr-1", "model": body["model"], "results": results})
