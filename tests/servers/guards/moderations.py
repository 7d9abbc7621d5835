"""A small HTTP server with OpenAI's moderation endpoint: a text that says "나쁜" harasses, one that says "너무 긴" is
refused. `trouble` is what it answers instead, as JSON."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.servers.small.local import LocalServer


class ModerationsServer(LocalServer):
    def __init__(self) -> None:
        self.trouble: Any = None
        self.bodies: list[Any] = []

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/v1/moderations", self._answer)]

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
