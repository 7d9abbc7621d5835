"""The API described by itself: the OpenAPI 3.1 document, made from the shapes that check and write everything."""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from adapters.http_api.compatible.moderations import ModerationAnswer, ModerationRequest
from adapters.http_api.compatible.perspective import AnalyzeCommentRequest, AnalyzeCommentResponse, GoogleErrorAnswer
from adapters.http_api.webhooks import WebhookList, WebhookMade, WebhookRemoved, WebhookRequest
from adapters.http_api.wire.problems import PROBLEMS
from adapters.http_api.wire.shapes import (
    Alive,
    BatchAnswer,
    BatchRequest,
    CheckAnswer,
    CheckRequest,
    ErrorAnswer,
    FeedbackAnswer,
    FeedbackRequest,
    Ready,
    StreamLine,
    StreamPiece,
    StreamStart,
    UnscreenedAnswer,
)

_ASKED: list[type[BaseModel]] = [
    CheckRequest, BatchRequest, StreamStart, StreamPiece, ModerationRequest, AnalyzeCommentRequest, FeedbackRequest,
    WebhookRequest
]  # fmt: skip
_ANSWERED: list[type[BaseModel]] = [
    CheckAnswer, BatchAnswer, StreamLine, ModerationAnswer, AnalyzeCommentResponse, ErrorAnswer, UnscreenedAnswer,
    GoogleErrorAnswer, FeedbackAnswer, WebhookMade, WebhookList, WebhookRemoved, Alive, Ready
]  # fmt: skip
#: What the shapes and this file say in English, in Korean.
_KOREAN: Mapping[str, str] = tomllib.loads((Path(__file__).parent / "korean.toml").read_text("utf-8"))

_REFERENCE = "#/components/schemas/{model}"

_SHARE = {"X-RateLimit-Limit": "Limit", "X-RateLimit-Remaining": "Remaining", "X-RateLimit-Reset": "Reset"}
_SAFE = (
    "Only `flagged: false` with status 200 means that nothing was found. Every other answer (503 with Retry-After: the "
    "guard is away or too slow; 422: it could not judge this text; `flagged: null`) means that nobody can say."
)
_MEANINGS = {
    400: "Not JSON, or not what is asked for here",
    401: "No key, or one that is not valid or no longer",
    403: "The key speaks for another community, or may not do this",
    404: "There is nothing of that name here",
    405: "Not with this method",
    408: "The request did not come in time",
    413: "The request is too large",
    415: "Another content type is wanted",
    422: "There is no text, or the guard could not judge it: neither safe nor harmful",
    429: "The key's share is used up",
    500: "A defect of this service; the request id is in its log",
    503: "Cannot be answered now; nothing is said about the text",
}


@cache
def document(language: str = "en") -> bytes:
    """In Korean, what people read of it is; names are not."""
    return json.dumps(described(language), ensure_ascii=False).encode()


def described(language: str) -> dict[str, Any]:
    content = _content()
    return content if language == "en" else _translated(content, _KOREAN)


def _content() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jikimi",
            "version": version("jikimi"),
            "description": f"The verdict on what an LLM bot was asked and is about to say, before it says it. {_SAFE}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": _paths(),
        "components": _components(),
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/check": {
            "post": _judging(
                "check",
                "Judge a prompt, and a response to it, by the community's policy",
                _json_body(CheckRequest),
                CheckAnswer,
            )
        },
        "/v1/check/batch": {"post": _batch()},
        "/v1/check/stream": {"post": _stream()},
        "/v1/moderations": {
            "post": _judging(
                "moderations",
                "The same in the shape of OpenAI's moderations endpoint",
                _json_body(ModerationRequest),
                ModerationAnswer,
            )
        },
        "/v1alpha1/comments:analyze": {"post": _analyze()},
        "/v1/feedback": {"post": _feedback()},
        "/v1/webhooks": _webhooks(),
        "/healthz": {"get": _open("alive", "The process lives", Alive)},
        "/readyz": {"get": _open("ready", "Database and guard answer", Ready, 503)},
        "/openapi.json": {"get": _open("openapi", "This document", None)},
        "/docs": {"get": _page()},
    }


def _components() -> dict[str, Any]:
    schemas = models_json_schema(
        [*((one, "validation") for one in _ASKED), *((one, "serialization") for one in _ANSWERED)],
        ref_template=_REFERENCE,
    )[1]["$defs"]
    return {
        "schemas": schemas,
        "headers": {
            "RequestId": {
                "description": "The request's own X-Request-Id where it gave a plain one, else a new one.",
                "required": True,
                "schema": {"type": "string"},
            },
            "RetryAfter": {"description": "In seconds.", "required": True, "schema": {"type": "integer"}},
            "Limit": {
                "description": "How many requests may come at once: 32 more than in a second.",
                "schema": {"type": "integer"},
            },
            "Remaining": {"description": "How many of these are left.", "schema": {"type": "integer"}},
            "Reset": {"description": "In how many seconds all are there again.", "schema": {"type": "integer"}},
        },
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "A key made with `jikimi keys create`."},
            "googleHeader": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key"},
            "googleQuery": {"type": "apiKey", "in": "query", "name": "key"},
        },
    }


def _translated(part: Any, words: Mapping[str, str]) -> Any:
    match part:
        case dict():
            read = ("description", "summary")
            return {
                name: words[" ".join(value.split())]
                if name in read and isinstance(value, str)
                else _translated(value, words)
                for name, value in part.items()
            }
        case list():
            return [_translated(one, words) for one in part]
    return part


def _judging(name: str, summary: str, body: dict[str, Any], answer: type[BaseModel]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "description": _SAFE,
        "requestBody": body,
        "responses": {
            "200": _answer("Judged", answer, **_SHARE),
            **_errors(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
        },
    }


def _batch() -> dict[str, Any]:
    return _judging("batch", "Several checks at once", _json_body(BatchRequest), BatchAnswer)


def _analyze() -> dict[str, Any]:
    """Errors are in Google's shape; what is too large, late or of another type is a bad request there."""
    summary = "The same in the shape of Google's Perspective API"
    operation = _judging("analyze", summary, _json_body(AnalyzeCommentRequest), AnalyzeCommentResponse)
    kept = ("400", "401", "403", "429", "500", "503")
    refused = {status: operation["responses"][status] for status in kept}
    for answer in refused.values():
        answer["content"] = {"application/json": {"schema": _schema(GoogleErrorAnswer)}}
    return operation | {
        "description": "The key may also be sent as `key=` in the address or in the header X-Goog-Api-Key. What could "
        "not be judged is a 400, which says nothing about the comment.",
        "security": [{"key": []}, {"googleHeader": []}, {"googleQuery": []}],
        "responses": {"200": operation["responses"]["200"], **refused},
    }


def _stream() -> dict[str, Any]:
    """OpenAPI 3.1 has no types for lines: they are written down as the list that they make."""
    pieces = (
        'JSON Lines, one for each element of this list. The first is a StreamStart (`{"prompt": "…"}`), every further '
        'one a StreamPiece (`{"piece": "…"}`); the response is complete when the body ends.'
    )
    lines = (
        "JSON Lines while the request still comes in: a StreamLine after every 200 characters or so and after every "
        "second in which something came, one more at the end. A line with `flagged: true` is the last. A problem "
        "on the way is an ErrorAnswer as the last line; then nothing is said about the rest."
    )
    asked = {"type": "array", "prefixItems": [_schema(StreamStart)], "items": _schema(StreamPiece), "minItems": 1}
    body = {"required": True, "description": pieces, "content": {"application/x-ndjson": {"schema": asked}}}
    operation = _judging("stream", "Judge a response while it grows", body, StreamLine)
    answered = {"type": "array", "items": {"anyOf": [_schema(StreamLine), _schema(ErrorAnswer)]}}
    operation["responses"]["200"] |= {
        "description": lines,
        "content": {"application/x-ndjson": {"schema": answered}},
    }
    del operation["responses"]["422"]
    return operation


def _feedback() -> dict[str, Any]:
    return {
        "operationId": "feedback",
        "summary": "Say that a judgement was right, or wrong",
        "description": "Takes a key with the scope feedback. Moderators' own calls go first, and nothing that was done "
        "in a chat is undone by it. The last 200 of a community count.",
        "requestBody": _json_body(FeedbackRequest),
        "responses": {"200": _answer("Heard", FeedbackAnswer, **_SHARE), **_taking_errors(404)},
    }


def _webhooks() -> dict[str, Any]:
    """What is sent is described as OpenAPI 3.1 describes webhooks, in the document's own list of them."""
    which = {"name": "id", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 1}}
    asking = {str(status): _errors(status)[str(status)] for status in (401, 403, 429, 500, 503)}
    return {
        "post": {
            "operationId": "addWebhook",
            "summary": "Be told of the community's incidents",
            "description": "Takes a key with the scope webhooks. Incidents are those of the community's chat: what is "
            "asked here opens none. Requests come signed (standardwebhooks.com), at least once, and for a day again "
            "until they are answered with 2xx; redirects are not followed.",
            "requestBody": _json_body(WebhookRequest),
            "responses": {"200": _answer("Added", WebhookMade, **_SHARE), **_taking_errors()},
        },
        "get": {
            "operationId": "listWebhooks",
            "summary": "The community's webhooks",
            "description": "Takes a key with the scope webhooks.",
            "responses": {"200": _answer("Known", WebhookList, **_SHARE), **asking},
        },
        "delete": {
            "operationId": "removeWebhook",
            "summary": "Remove a webhook",
            "description": "Takes a key with the scope webhooks. What it was still to be told is forgotten.",
            "parameters": [which],
            "responses": {"200": _answer("Removed", WebhookRemoved, **_SHARE), **asking, **_errors(404)},
        },
    }


def _taking_errors(*more: int) -> dict[str, Any]:
    """Of endpoints that take a body and judge nothing."""
    return _errors(400, 401, 403, *more, 408, 413, 415, 429, 500, 503)


def _page() -> dict[str, Any]:
    operation = _open("docs", "This document, for people to read", None)
    operation["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    return operation


def _open(name: str, summary: str, answer: type[BaseModel] | None, *errors: int) -> dict[str, Any]:
    """Needs no key."""
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": _answer(summary, answer), **_errors(*errors, 500)},
    }


def _json_body(shape: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _schema(shape)}}}


def _answer(meaning: str, shape: type[BaseModel] | None, **headers: str) -> dict[str, Any]:
    known = {"X-Request-Id": "RequestId"} | headers
    return {
        "description": meaning,
        "headers": {name: {"$ref": f"#/components/headers/{header}"} for name, header in known.items()},
        "content": {"application/json": {"schema": _schema(shape) if shape else {"type": "object"}}},
    }


def _errors(*statuses: int) -> dict[str, Any]:
    assert set(statuses) <= {status for status, _ in PROBLEMS.values()}
    return {
        str(status): _answer(
            _MEANINGS[status],
            UnscreenedAnswer if status == 422 else ErrorAnswer,
            **({"Retry-After": "RetryAfter"} if status in (429, 503) else {}),
            **(_SHARE if status == 429 else {}),
        )
        for status in statuses
    }


def _schema(shape: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=shape.__name__)}
