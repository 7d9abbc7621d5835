"""Bodies as they come over the wire -> checked requests; bounded in size and time, strict about JSON."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import Receive

from adapters.http_api.wire.problems import Left, Problem
from adapters.http_api.wire.shapes import CheckRequest
from bot.core.base.errors import BotError
from bot.core.text.catalogue import LANGUAGES, Texts, texts

MOST_BYTES = 1 << 20  # of a body
MOST_VALUES = 600  # in a body: no request needs more, and reading a hundred thousand takes the event loop a second
WITHIN = 10.0  # seconds for a body
LINES = ("application/x-ndjson", "application/jsonl")  # the second is what people call it
_UTF_8 = ("", "charset=utf-8", 'charset="utf-8"')
_ROOM = 1 << 16  # bytes read ahead of a stream

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_A_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")
_OPENS_A_VALUE = re.compile(rb"[\[{,]")

Asked = TypeVar("Asked", bound=BaseModel)


async def read(request: Request, shape: type[Asked]) -> Asked:
    _expect(request.headers, ("application/json",))
    return parsed(await _body(request), shape)


def expect_stream(headers: Mapping[str, str]) -> None:
    _expect(headers, LINES)


def expect_text(check: CheckRequest, place: str = "prompt") -> None:
    """Raises Problem where there is nothing to judge: nobody then says that it is safe."""
    if not check.prompt.strip() and not (check.response and check.response.strip()):
        raise Problem("empty", param=place, facts={"param": place})


def said_in(check: CheckRequest) -> list[str]:
    """All that has to be read of it."""
    return [check.prompt, check.response or "", *(one.text for one in check.recent)]


def wanted(headers: Mapping[str, str]) -> Texts | None:
    """In the first language of Accept-Language that is spoken here; None where the client does not say or mind."""
    ranked: list[tuple[float, str]] = []
    for one in headers.get("accept-language", "").split(",")[:20]:
        tag, _, weight = one.partition(";")
        language = tag.strip().lower().partition("-")[0]
        with suppress(ValueError):
            ranked.append((float(weight.strip().removeprefix("q=") or 1), language))
    ranked.sort(key=lambda pair: -pair[0])
    return next((texts(language) for weight, language in ranked if language in LANGUAGES and weight > 0), None)


_NO_TIME = "it must be a time like 2026-09-01T12:00:00+09:00"
#: What pydantic calls it -> what is said of it.
_WRONG = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "string_type": "it must be text",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "finite_number": "it must be a number",
    "bool_type": "it must be true or false",
    "list_type": "it must be a list",
    "dict_type": "it must be an object",
    "model_type": "it must be an object",
    "model_attributes_type": "it must be an object",
    "string_too_long": "it has more than {max_length:,} characters",
    "too_long": "there are more than {max_length:,}",
    "string_too_short": "it is empty",
    "too_short": "it is empty",
    "less_than_equal": "it is more than {le}",
    "greater_than_equal": "it is less than {ge}",
    "literal_error": "it must be one of {expected}",
    "enum": "it must be one of {expected}",
    "timezone_aware": "a time zone is missing",
    "datetime_type": _NO_TIME,
    "value_error": _NO_TIME,
}


def parsed(content: bytes, shape: type[Asked]) -> Asked:
    """Raises Problem. Nothing of the content is repeated but where it is wrong, by plain names of fields."""
    if len(_OPENS_A_VALUE.findall(_STRING.sub(b"", content))) > MOST_VALUES:
        raise Problem("not_json", facts={"why": "too many values"})
    try:
        given = json.loads(content.decode(), object_pairs_hook=_once_each, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Problem("not_json", facts={"why": _short(error)}) from None
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        facts = first.get("ctx", {})
        if "expected" in facts:
            facts["expected"] = facts["expected"].replace(" or ", ", ")
        why = BotError(_WRONG.get(first["type"], "it is something else"), **facts)
        place = [plain(str(part)) for part in first["loc"]]
        raise Problem("invalid", param=".".join(place) or None, facts={"why": why}) from None


def plain(name: str) -> str:
    """As it may be repeated to whoever has sent it."""
    return name if _A_NAME.fullmatch(name) else "…"


def _expect(headers: Mapping[str, str], wanted: Sequence[str]) -> None:
    given, _, charset = headers.get("content-type", "").partition(";")
    if given.strip().lower() not in wanted or charset.replace(" ", "").lower() not in _UTF_8:
        raise Problem("wrong_type", facts={"wanted": wanted[0]})


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        raise Problem("too_large", facts={"most": MOST_BYTES, "unit": "bytes"})
    body = bytearray()
    try:
        async with asyncio.timeout(WITHIN):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Left
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise Problem("too_large", facts={"most": MOST_BYTES, "unit": "bytes"})
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Problem("too_slow", headers={"Connection": "close"}) from None


class Lines:
    """The lines of a body that is still being sent. No more is read ahead than a little: what is not taken waits with
    the client. `gone` is set when the client has."""

    def __init__(self, receive: Receive) -> None:
        self.gone = asyncio.Event()
        self._receive = receive
        self._buffer = bytearray()
        self._taken = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()

    async def pump(self) -> None:
        """Until the body has ended or the client has gone; to be run beside `next`."""
        while not self.gone.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
            else:
                self._buffer += message.get("body", b"")
                self._ended = self._ended or not message.get("more_body", False)
            self._changed.set()
            while len(self._buffer) > _ROOM and b"\n" in self._buffer:
                self._drained.clear()
                await self._drained.wait()

    async def next(self, within: float) -> bytes | None:
        """The next line; None at the end. Raises TimeoutError, Left, or Problem where there are too many bytes."""
        async with asyncio.timeout(within):
            while True:
                if self.gone.is_set():
                    raise Left
                line, found, rest = self._buffer.partition(b"\n")
                if self._taken + len(line) > MOST_BYTES:
                    raise Problem("too_large", facts={"most": MOST_BYTES, "unit": "bytes"})
                if found or (self._ended and line):
                    self._buffer = rest
                    self._taken += len(line) + len(found)
                    self._drained.set()
                    if line.strip():
                        return bytes(line)
                    continue
                if self._ended:
                    return None
                self._changed.clear()
                await self._changed.wait()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _refuse(_: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")


def _short(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "JSON that is nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.lineno}:{error.colno}"
    return str(error) if str(error).endswith(("twice", "JSON")) else "a number is too long"
