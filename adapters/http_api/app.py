"""Requests -> answers: the routes, and around them what every request gets: an id, a count, a line in the log."""

import asyncio
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http_api.admission import Admission, Visitor, worth
from adapters.http_api.judging import Judging, Pair, checked, leaves
from adapters.http_api.metrics import Metrics
from adapters.http_api.moderations import ModerationAnswer, ModerationRequest, moderated
from adapters.http_api.openapi import document
from adapters.http_api.problems import Left, Problem
from adapters.http_api.reading import expect_stream, read
from adapters.http_api.shapes import Alive, CheckAnswer, CheckRequest, ErrorAnswer, Ready
from adapters.http_api.streaming import Stream
from bot.core.base.errors import BotError, raised
from bot.core.operations.ports import HealthSource
from bot.core.text.catalogue import Texts

PATIENCE = 2.0  # seconds that the database has to answer a health check
AS_OF = 1.0  # seconds for which its answer is good
CLIENT_LEFT = 499  # a status that nobody reads, for the count

_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Every endpoint: one request in, one answer out, or a Problem."""

    admission: Admission
    judging: Judging
    health_source: HealthSource
    metrics: Metrics
    say: Texts
    _count: "_Count" = field(init=False)
    _document: Response = field(default_factory=lambda: Response(document(), media_type="application/json"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "_count", _Count(self.health_source))

    def api(self) -> list[Route]:
        return [
            Route("/v1/check", self.check, methods=["POST"]),
            Route("/v1/check/stream", self.stream, methods=["POST"]),
            Route("/v1/moderations", self.moderate, methods=["POST"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            *self.health(),
        ]

    def health(self) -> list[Route]:
        return [Route("/healthz", self.alive, methods=["GET"]), Route("/readyz", self.ready, methods=["GET"])]

    def figures(self) -> list[Route]:
        return [Route("/metrics", self.measured, methods=["GET"])]

    async def check(self, request: Request) -> Response:
        visitor = await self._admit(request)
        visitor.spend()
        with self.admission.place(visitor):
            asked = await read(request, CheckRequest)
            visitor.speaks_for(asked.community)
            visitor.spend(worth(asked.prompt, asked.response) - 1)
            (answer,) = await self._checked(visitor, [(asked.prompt, asked.response)], request)
        return _json(answer)

    async def stream(self, request: Request) -> ASGIApp:
        visitor = await self._admit(request)
        visitor.spend()
        expect_stream(request.headers)
        return Stream(
            admission=self.admission,
            judging=self.judging,
            clock=self.judging.clock,
            visitor=visitor,
            request_id=request.state.id,
            error=lambda problem: problem.answer(self.say, request.state.id),
        )

    async def moderate(self, request: Request) -> Response:
        visitor = await self._admit(request)
        visitor.spend()
        with self.admission.place(visitor):
            asked = await read(request, ModerationRequest)
            texts = [asked.input] if isinstance(asked.input, str) else asked.input
            visitor.spend(sum(map(worth, texts)) - 1)
            answers = await self._checked(visitor, [(text, None) for text in texts], request)
        results = [moderated(answer) for answer in answers]
        return _json(ModerationAnswer(id=f"modr-{request.state.id}", model=answers[0].guard.name, results=results))

    async def openapi(self, request: Request) -> Response:
        return self._document

    async def alive(self, request: Request) -> Response:
        return _json(Alive())

    async def ready(self, request: Request) -> Response:
        if await self._waiting() is None:
            raise Problem("database_away", retry_after=5)
        self.judging.expect_guard()
        return _json(Ready())

    async def measured(self, request: Request) -> Response:
        self.metrics.waiting = await self._waiting()
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _admit(self, request: Request) -> Visitor:
        visitor = await self.admission.admit(request.headers.get("authorization", ""))
        request.state.key = visitor.key.id
        return visitor

    async def _checked(self, visitor: Visitor, pairs: list[Pair], request: Request) -> list[CheckAnswer]:
        decisions = await self.judging.decide(visitor, pairs, request.state.id, leaves(request.receive))
        return [checked(decision, request.state.id) for decision in decisions]

    async def _waiting(self) -> int | None:
        """Messages that wait in the inbox, as of the last second; None where the database does not answer in time."""
        return await self._count.get()


@dataclass(slots=True, eq=False)
class _Count:
    """Asks the database at most once a second, however many want to know: no key is needed for it."""

    health_source: HealthSource
    _asked_at: float = -AS_OF
    _answer: "asyncio.Task[int | None] | None" = None

    async def get(self) -> int | None:
        now = time.monotonic()
        if self._answer is None or (self._answer.done() and now - self._asked_at >= AS_OF):
            self._asked_at, self._answer = now, asyncio.create_task(self._ask())
        return await asyncio.shield(self._answer)

    async def _ask(self) -> int | None:
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await self.health_source.waiting()
        return None


def application(routes: list[Route], metrics: Metrics, say: Texts) -> ASGIApp:
    async def refused(request: Request, error: Exception) -> Response:
        return _refusal(error if isinstance(error, Problem) else Problem("failed"), say, request.state.id)

    async def not_here(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        return _refusal(Problem(code, headers=error.headers or {}), say, request.state.id)

    async def left(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_LEFT)

    handlers = {Problem: refused, Exception: refused, HTTPException: not_here, Left: left}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    return _Front(inner, metrics, frozenset(route.path for route in routes))


class _Front:
    """Around every request. Health checks and metrics are not worth a line in the log."""

    def __init__(self, inner: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self._inner, self._metrics, self._paths = inner, metrics, paths
        self._strangers = 0  # refused since the last line about them
        self._told_at = -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = time.monotonic()
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        state: dict[str, Any] = scope.setdefault("state", {})
        state["id"] = request_id
        status, complete = 0, False

        async def answer(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(raw=message.setdefault("headers", [])).update({"X-Request-Id": request_id})
            else:
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._inner(scope, receive, answer)
        except Exception as error:
            # Whatever it says may quote a text: its kind and place must do.
            _log.error("request failed", request_id=request_id, error=raised(error))
            if not complete:
                raise
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.answered(path, status, time.monotonic() - began)
            if status == 401:
                self._refused_a_stranger()
            elif path.startswith("/v1/"):
                ms = round((time.monotonic() - began) * 1000, 1)
                _log.info("answered", path=path, status=status, ms=ms, request_id=request_id, key=state.get("key"))

    def _refused_a_stranger(self) -> None:
        """Whoever has no key cannot fill the log either."""
        self._strangers += 1
        if time.monotonic() - self._told_at >= 1.0:
            _log.warning("refused without a valid key", requests=self._strangers)
            self._strangers, self._told_at = 0, time.monotonic()


def _json(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, media_type="application/json")


def _refusal(problem: Problem, say: Texts, request_id: str) -> Response:
    answer: ErrorAnswer = problem.answer(say, request_id)
    return _json(answer, problem.status, problem.all_headers())
