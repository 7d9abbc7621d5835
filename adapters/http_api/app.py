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
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http_api.admission import Admission, Visitor, worth
from adapters.http_api.compatible import perspective
from adapters.http_api.compatible.moderations import ModerationAnswer, ModerationRequest, moderated
from adapters.http_api.description.openapi import document
from adapters.http_api.judging.deciding import Judging, expect_verdict, facts_of, leaves
from adapters.http_api.judging.streaming import Stream
from adapters.http_api.metrics import Metrics
from adapters.http_api.wire.problems import Left, Problem
from adapters.http_api.wire.reading import expect_stream, expect_text, read, wanted
from adapters.http_api.wire.shapes import Alive, BatchAnswer, BatchRequest, CheckAnswer, CheckRequest, Ready
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
            Route("/v1/check/batch", self.batch, methods=["POST"]),
            Route("/v1/check/stream", self.stream, methods=["POST"]),
            Route("/v1/moderations", self.moderate, methods=["POST"]),
            Route(f"{perspective.PREFIX}comments:analyze", self.analyze, methods=["POST"]),
            Route("/$discovery/rest", self.discovery, methods=["GET"]),
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
            (answer,) = await self._checked(visitor, {"prompt": asked}, request)
        return _json(answer)

    async def batch(self, request: Request) -> Response:
        visitor = await self._admit(request)
        visitor.spend()
        with self.admission.place(visitor):
            asked = await read(request, BatchRequest)
            checks = {f"checks.{number}.prompt": check for number, check in enumerate(asked.checks)}
            answers = await self._checked(visitor, checks, request, each=True)
        return _json(BatchAnswer(request_id=request.state.id, results=answers))

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
            error=lambda problem: problem.answer(wanted(request.headers) or self.say, request.state.id),
            say=wanted(request.headers),
        )

    async def moderate(self, request: Request) -> Response:
        visitor = await self._admit(request)
        visitor.spend()
        with self.admission.place(visitor):
            asked = await read(request, ModerationRequest)
            answers = await self._checked(visitor, asked.checks, request)
        results = [moderated(answer) for answer in answers]
        return _json(ModerationAnswer(id=f"modr-{request.state.id}", model=answers[0].guard.name, results=results))

    async def analyze(self, request: Request) -> Response:
        key = request.query_params.get("key") or request.headers.get("x-goog-api-key")
        visitor = await self._admit(request, f"Bearer {key}" if key else None)
        visitor.spend()
        with self.admission.place(visitor):
            asked = await read(request, perspective.AnalyzeCommentRequest)
            perspective.expect_offered(asked)
            (answer,) = await self._checked(visitor, {"comment.text": CheckRequest(prompt=asked.comment.text)}, request)
        return _json(perspective.analyzed(asked, answer))

    async def discovery(self, request: Request) -> Response:
        """Behind a proxy that speaks TLS, the address is that of the proxy: a key must not travel without."""
        scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else request.url.scheme
        address = str(request.base_url.replace(scheme=scheme))
        return JSONResponse(perspective.discovery(address), headers={"Cache-Control": "no-store"})

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

    async def _admit(self, request: Request, authorization: str | None = None) -> Visitor:
        visitor = await self.admission.admit(authorization or request.headers.get("authorization", ""))
        request.state.visitor = visitor
        return visitor

    async def _checked(
        self, visitor: Visitor, checks: Mapping[str, CheckRequest], request: Request, *, each: bool = False
    ) -> list[CheckAnswer]:
        """One answer for each check, which stands in the request where its name says. Where one cannot be judged,
        none is answered, unless `each` speaks for itself."""
        for place, check in checks.items():
            visitor.speaks_for(check.community)
            expect_text(check, place)
        visitor.spend(sum(worth(check.prompt, check.response) for check in checks.values()) - 1)
        decisions = await self.judging.decide(visitor, [*checks.values()], request.state.id, leaves(request.receive))
        if not each:
            for decision in decisions:
                expect_verdict(decision)
        say = wanted(request.headers)
        return [
            CheckAnswer(**facts_of(decision, request.state.id, say, explain=check.explain))
            for decision, check in zip(decisions, checks.values(), strict=True)
        ]

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
        return _refusal(error if isinstance(error, Problem) else Problem("failed"), say, request)

    async def not_here(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        return _refusal(Problem(code, headers=error.headers or {}), say, request)

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

        def seen() -> Visitor | None:
            return state.get("visitor")

        async def answer(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers.update({"X-Request-Id": request_id, **(visitor.headers() if (visitor := seen()) else {})})
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
            elif path.startswith("/v1"):
                key = visitor.key.id if (visitor := seen()) else None
                ms = round((time.monotonic() - began) * 1000, 1)
                _log.info("answered", path=path, status=status, ms=ms, request_id=request_id, key=key)

    def _refused_a_stranger(self) -> None:
        """Whoever has no key cannot fill the log either."""
        self._strangers += 1
        if time.monotonic() - self._told_at >= 1.0:
            _log.warning("refused without a valid key", requests=self._strangers)
            self._strangers, self._told_at = 0, time.monotonic()


def _json(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, media_type="application/json")


def _refusal(problem: Problem, say: Texts, request: Request) -> Response:
    """In the language of whoever asks, and in the shape that the clients of this endpoint know."""
    say = wanted(request.headers) or say
    headers = {"Content-Language": say.language, "Vary": "Accept-Language", **problem.all_headers()}
    if request.url.path.startswith(perspective.PREFIX):
        answer = perspective.refusal(problem, say)
        return _json(answer, answer.error.code, headers)
    return _json(problem.answer(say, request.state.id), problem.status, headers)
