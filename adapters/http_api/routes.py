"""Every endpoint: one request in, one answer out, or a Problem."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from adapters.http_api.admission import Admission, Visitor, worth
from adapters.http_api.compatible import perspective
from adapters.http_api.compatible.moderations import ModerationAnswer, ModerationRequest, moderated
from adapters.http_api.description.openapi import document
from adapters.http_api.description.page import HEADERS, page
from adapters.http_api.judging.deciding import Judging, expect_verdict, leaves
from adapters.http_api.judging.streaming import Stream
from adapters.http_api.metrics import Metrics
from adapters.http_api.webhooks import WebhookRequest, added, listed, removed
from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.reading import Asked, expect_stream, expect_text, read, said_in, wanted
from adapters.http_api.wire.shapes import (
    Alive,
    BatchAnswer,
    BatchRequest,
    CheckAnswer,
    CheckRequest,
    FeedbackAnswer,
    FeedbackRequest,
    Ready,
)
from adapters.http_api.wire.writing import json_of
from bot.core.base.errors import BotError
from bot.core.base.waiting import outlasting
from bot.core.incidents.ports import Webhooks
from bot.core.operations.keys import Scope
from bot.core.operations.outside.standing import Backlog
from bot.core.operations.ports import HealthSource
from bot.core.text.catalogue import LANGUAGES, Texts

PATIENCE = 2.0  # seconds that the database, and a guard that was never called, has to answer a health check
AS_OF = 1.0  # seconds for which its answer is good

OF_LANGUAGE = {"Vary": "Accept-Language"}

Endpoint = Callable[[Request], Awaitable[Response]]

#: What becomes of a body that was read, for who has sent it.
Answering = Callable[[Visitor, Asked, Request], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Every endpoint: one request in, one answer out, or a Problem."""

    admission: Admission
    judging: Judging
    webhooks: Webhooks
    health_source: HealthSource
    metrics: Metrics
    say: Texts
    _backlog: "_Backlog" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_backlog", _Backlog(self.health_source))

    def api(self) -> list[Route]:
        return [
            Route("/v1/check", self._taking(CheckRequest, self.check), methods=["POST"]),
            Route("/v1/check/batch", self._taking(BatchRequest, self.batch), methods=["POST"]),
            Route("/v1/check/stream", self.stream, methods=["POST"]),
            Route("/v1/moderations", self._taking(ModerationRequest, self.moderate), methods=["POST"]),
            Route(
                f"{perspective.PREFIX}comments:analyze",
                self._taking(perspective.AnalyzeCommentRequest, self.analyze),
                methods=["POST"],
            ),
            Route("/v1/feedback", self._taking(FeedbackRequest, self.hear, Scope.FEEDBACK), methods=["POST"]),
            _by_method(
                "/v1/webhooks",
                POST=self._taking(WebhookRequest, self.add_webhook, Scope.WEBHOOKS),
                GET=self._telling(self.list_webhooks, Scope.WEBHOOKS),
                DELETE=self._telling(self.remove_webhook, Scope.WEBHOOKS),
            ),
            Route("/$discovery/rest", self.discovery, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
            *self.health(),
        ]

    def health(self) -> list[Route]:
        return [Route("/healthz", self.alive, methods=["GET"]), Route("/readyz", self.ready, methods=["GET"])]

    def figures(self) -> list[Route]:
        return [Route("/metrics", self.measured, methods=["GET"])]

    async def check(self, visitor: Visitor, asked: CheckRequest, request: Request) -> BaseModel:
        (answer,) = await self._checked(visitor, {"prompt": asked}, request)
        return answer

    async def batch(self, visitor: Visitor, asked: BatchRequest, request: Request) -> BaseModel:
        checks = {f"checks.{number}.prompt": check for number, check in enumerate(asked.checks)}
        answers = await self._checked(visitor, checks, request, each=True)
        return BatchAnswer(request_id=request.state.id, results=answers)

    async def stream(self, request: Request) -> ASGIApp:
        """Takes its place itself, for as long as it lasts."""
        visitor = await self._admit(request)
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

    async def moderate(self, visitor: Visitor, asked: ModerationRequest, request: Request) -> BaseModel:
        answers = await self._checked(visitor, asked.checks, request)
        results = [moderated(answer) for answer in answers]
        return ModerationAnswer(id=f"modr-{request.state.id}", model=answers[0].guard.name, results=results)

    async def analyze(self, visitor: Visitor, asked: perspective.AnalyzeCommentRequest, request: Request) -> BaseModel:
        perspective.expect_offered(asked)
        (answer,) = await self._checked(visitor, {"comment.text": CheckRequest(prompt=asked.comment.text)}, request)
        return perspective.analyzed(asked, answer)

    async def hear(self, visitor: Visitor, asked: FeedbackRequest, request: Request) -> BaseModel:
        changed = await self.judging.hear(visitor, asked)
        return FeedbackAnswer(request_id=request.state.id, verdict=asked.verdict, changed=changed)

    async def add_webhook(self, visitor: Visitor, asked: WebhookRequest, request: Request) -> BaseModel:
        return await added(self.webhooks, self.judging.clock, visitor, asked)

    async def list_webhooks(self, visitor: Visitor, request: Request) -> BaseModel:
        return await listed(self.webhooks, visitor)

    async def remove_webhook(self, visitor: Visitor, request: Request) -> BaseModel:
        return await removed(self.webhooks, visitor, request.query_params.get("id", ""))

    async def discovery(self, request: Request) -> Response:
        """Behind a proxy that speaks TLS, the address is that of the proxy: a key must not travel without."""
        scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else request.url.scheme
        address = str(request.base_url.replace(scheme=scheme))
        return JSONResponse(perspective.discovery(address), headers={"Cache-Control": "no-store"})

    async def openapi(self, request: Request) -> Response:
        say = wanted(request.headers)
        return Response(document(say.language if say else "en"), headers=OF_LANGUAGE, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        asked, say = request.query_params.get("lang"), wanted(request.headers) or self.say
        language = asked if asked in LANGUAGES else say.language
        return Response(page(language), headers={**HEADERS, **OF_LANGUAGE}, media_type="text/html")

    async def alive(self, request: Request) -> Response:
        return json_of(Alive())

    async def ready(self, request: Request) -> Response:
        """Whether this process can do what it is there for: keep, judge, and hear every platform it is to hear. Whoever
        stands by for one is ready; a guard is there once it has answered."""
        if await self._backlog.get() is None:
            raise Problem("database_away", retry_after=5)
        snapshot = self.health_source.snapshot()
        if snapshot.judges and not await self._guard_answers():
            raise Problem("guard_away", retry_after=5)
        if deaf := [platform for platform, one in snapshot.connections.items() if not one.is_up]:
            raise Problem("not_connected", retry_after=5, facts={"platforms": ", ".join(deaf)})
        return json_of(Ready())

    async def _guard_answers(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await self.health_source.guard_answers()
        return False

    async def measured(self, request: Request) -> Response:
        self.metrics.backlog = await self._backlog.get()
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _taking(self, shape: type[Asked], answer: Answering[Asked], scope: Scope = Scope.CHECK) -> Endpoint:
        """Nothing of a body is read before its sender is admitted, has spent a token and has a place."""

        async def endpoint(request: Request) -> Response:
            visitor = await self._admit(request, scope)
            with self.admission.place(visitor):
                return json_of(await answer(visitor, await read(request, shape), request))

        return endpoint

    def _telling(self, answer: Callable[[Visitor, Request], Awaitable[BaseModel]], scope: Scope) -> Endpoint:
        """The same without a body."""

        async def endpoint(request: Request) -> Response:
            visitor = await self._admit(request, scope)
            with self.admission.place(visitor):
                return json_of(await answer(visitor, request))

        return endpoint

    async def _admit(self, request: Request, scope: Scope = Scope.CHECK) -> Visitor:
        given = perspective.authorization(request.query_params, request.headers)
        if not request.url.path.startswith(perspective.PREFIX) or given is None:
            given = request.headers.get("authorization", "")
        visitor = await self.admission.admit(given, scope)
        request.state.visitor = visitor
        visitor.spend()
        return visitor

    async def _checked(
        self, visitor: Visitor, checks: Mapping[str, CheckRequest], request: Request, *, each: bool = False
    ) -> list[CheckAnswer]:
        """One answer for each check, which stands in the request where its name says. Where one cannot be judged,
        none is answered, unless `each` speaks for itself."""
        for place, check in checks.items():
            visitor.speaks_for(check.community)
            expect_text(check, place)
        visitor.spend(sum(worth(*said_in(check)) for check in checks.values()), paid=1)
        decided = await self.judging.decide(visitor, [*checks.values()], request.state.id, leaves(request.receive))
        if not each:
            for one in decided:
                expect_verdict(one)
        say = wanted(request.headers)
        return [
            CheckAnswer(**await self.judging.told(one, request.state.id, say, explain=check.explain))
            for one, check in zip(decided, checks.values(), strict=True)
        ]


def _by_method(path: str, **endpoints: Endpoint) -> Route:
    """One route of all, so that whoever comes with another method hears of each."""

    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, endpoint, methods=[*endpoints])


@dataclass(slots=True, eq=False)
class _Backlog:
    """As of the last second, however many want to know: no key is needed for it. None where the database does not take
    what is written, or does not say so in time."""

    health_source: HealthSource
    _asked_at: float = -AS_OF
    _answer: "asyncio.Task[Backlog | None] | None" = None

    async def get(self) -> Backlog | None:
        now = time.monotonic()
        if self._answer is None or (self._answer.done() and now - self._asked_at >= AS_OF):
            self._asked_at, self._answer = now, asyncio.create_task(self._ask())
        return await outlasting(self._answer)

    async def _ask(self) -> Backlog | None:
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                if await self.health_source.standings.answers():
                    return await self.health_source.standings.backlog()
        return None
