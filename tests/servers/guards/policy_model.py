"""A small HTTP server with OpenAI's chat endpoint and a model that reads rules: a message that says "광고" or "나쁜"
breaks the first of them. `trouble` is what it answers instead: a status, a text, "hang" or "endless"."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.servers.small.local import LocalServer


class PolicyServer(LocalServer):
    def __init__(self, *, knows_schemas: bool = True) -> None:
        self.knows_schemas = knows_schemas
        self.trouble: str | int = ""
        self.bodies: list[Any] = []

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if self.trouble == "hang":
            await asyncio.Event().wait()
        if self.trouble == "endless":
            return await self._without_end(request)
        if isinstance(self.trouble, int):
            return web.json_response({"error": {"message": "trouble"}}, status=self.trouble)
        if "response_format" in body and not self.knows_schemas:
            return web.json_response({"error": {"message": "unknown field"}}, status=400)
        told, asked = (message["content"] for message in body["messages"])
        said = self.trouble or json.dumps(_opinion(told, json.loads(asked)), ensure_ascii=False)
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})

    async def _without_end(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)


def _opinion(told: str, asked: dict[str, str]) -> dict[str, Any]:
    text = list(asked.values())[-1]
    words = next((one for one in ("광고", "나쁜") if one in text), "")
    return {"breaks": bool(words), "rule": told.rpartition("\n\n")[2].splitlines()[0] if words else "", "words": words}
