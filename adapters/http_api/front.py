"""Around every request: an id, a count, a line in the log, and whatever keeps it from being answered as an answer."""

import math
import re
import time
from typing import Any
from uuid import uuid4

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http_api.admission import Visitor
from adapters.http_api.compatible import perspective
from adapters.http_api.metrics import Metrics
from adapters.http_api.wire.problems import Left, Problem
from adapters.http_api.wire.reading import wanted
from adapters.http_api.wire.writing import json_of
from bot.core.base.errors import Unavailable, raised
from bot.core.text.catalogue import Texts

CLIENT_LEFT = 499  # a status that nobody reads, for the count

_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_log = structlog.get_logger(__name__)


def application(routes: list[Route], metrics: Metrics, say: Texts) -> ASGIApp:
    async def refused(request: Request, error: Exception) -> Response:
        return _refusal(error if isinstance(error, Problem) else Problem("failed"), say, request)

    async def not_here(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        return _refusal(Problem(code, headers=error.headers or {}), say, request)

    async def left(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_LEFT)

    async def away(request: Request, error: Exception) -> Response:
        return _refusal(Problem("database_away", retry_after=5), say, request)

    handlers = {Problem: refused, Unavailable: away, Exception: refused, HTTPException: not_here, Left: left}
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


def _refusal(problem: Problem, say: Texts, request: Request) -> Response:
    """In the language of whoever asks, and in the shape that the clients of this endpoint know."""
    say = wanted(request.headers) or say
    headers = {"Content-Language": say.language, "Vary": "Accept-Language", **problem.all_headers()}
    if request.url.path.startswith(perspective.PREFIX):
        answer = perspective.refusal(problem, say)
        return json_of(answer, answer.error.code, headers)
    return json_of(problem.answer(say, request.state.id), problem.status, headers)
