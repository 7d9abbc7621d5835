"""A response that grows line by line -> verdict lines as it grows, the first harmful one at once and the last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from adapters.http_api.admission import Admission, Visitor, worth
from adapters.http_api.judging.deciding import Decisions, Judging
from adapters.http_api.wire.problems import Left, Problem
from adapters.http_api.wire.reading import Lines, parsed
from adapters.http_api.wire.shapes import LONGEST_TEXT, CheckRequest, ErrorAnswer, StreamLine, StreamPiece, StreamStart
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.text.catalogue import Texts

STEP = 200  # characters after which the response is looked at again; an eighth of it once that is more
EVERY = 1.0  # seconds after which whatever has come is looked at
IDLE = 30.0  # seconds without new text, after which the client is taken for dead
SOON = 0.2  # seconds in which the first piece is waited for before anything is answered
LONGEST = 600.0  # seconds of a stream

_HEADERS = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An ASGI answer that goes out while the request still comes in."""

    admission: Admission
    judging: Judging
    clock: Clock
    visitor: Visitor
    request_id: str
    error: Callable[[Problem], ErrorAnswer]
    say: Texts | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Problem as long as nothing has been answered; later problems are lines of the answer."""
        lines = Lines(receive)
        pumping = asyncio.create_task(lines.pump())
        try:
            with self.admission.place(self.visitor, stream=True):
                start = await self._start(lines)
                first = await self._first(lines)
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await self._answer(start, first, lines, send)
        finally:
            pumping.cancel()
            with suppress(asyncio.CancelledError):
                await pumping

    async def _start(self, lines: Lines) -> StreamStart:
        try:
            first = await lines.next(IDLE)
        except TimeoutError:
            raise Problem("too_slow", headers={"Connection": "close"}) from None
        start = parsed(first or b"", StreamStart)
        self.visitor.speaks_for(start.community)
        self.judging.expect_guard()
        return start

    async def _first(self, lines: Lines) -> str:
        """What has been added so far, where a piece comes soon: one that is wrong still gets a status of its own."""
        with suppress(TimeoutError):
            if line := await lines.next(SOON):
                return parsed(line, StreamPiece).piece
        return ""

    async def _answer(self, start: StreamStart, first: str, lines: Lines, send: Send) -> None:
        async def write(line: BaseModel) -> None:
            body = line.model_dump_json().encode() + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})

        try:
            async with asyncio.timeout(LONGEST):
                async for line in self._verdicts(start, first, lines):
                    await write(line)
        except Left:
            return
        except TimeoutError:
            await write(self.error(Problem("too_slow")))
        except Problem as problem:
            await write(self.error(problem))
        except BotError as error:
            _log.error("request failed", request_id=self.request_id, error=type(error).__name__)
            await write(self.error(Problem("failed")))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _verdicts(self, start: StreamStart, text: str, lines: Lines) -> AsyncIterator[StreamLine]:
        seen = 0
        looked_at = grown_at = self.clock.monotonic()
        ended = False
        while not ended:
            self.admission.expect(self.visitor)
            now, fresh = self.clock.monotonic(), len(text) > seen
            if now - grown_at >= IDLE:
                raise Problem("too_slow")
            due = looked_at + EVERY - now if fresh else min(EVERY, grown_at + IDLE - now)
            line: bytes | None = b""
            if due > 0:
                with suppress(TimeoutError):
                    line = await lines.next(due)
            if line:
                piece = parsed(line, StreamPiece).piece
                text, grown_at = text + piece, self.clock.monotonic() if piece else grown_at
                if len(text) > LONGEST_TEXT:
                    raise Problem("too_large", facts={"most": LONGEST_TEXT, "unit": "characters"})
                if len(text) - seen < max(STEP, len(text) // 8):
                    continue
            elif line is not None and not fresh:
                continue
            ended = line is None
            decided = await self._look(start, lines, text)
            seen, looked_at = len(text), self.clock.monotonic()
            facts = await self.judging.told(decided, self.request_id, self.say)
            ended = ended or facts["flagged"] is True
            yield StreamLine(**facts, characters=len(text), final=ended)

    async def _look(self, start: StreamStart, lines: Lines, text: str) -> Decisions:
        while wait := self.visitor.take(worth(start.prompt, text)):  # the client's own share slows it down
            await self.clock.sleep(wait)
        check = CheckRequest.model_construct(
            prompt=start.prompt, response=text, channel=start.channel, author=start.author
        )
        (decided,) = await self.judging.decide(self.visitor, [check], self.request_id, lines.gone.wait())
        return decided
