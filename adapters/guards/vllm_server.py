"""One guard model behind one or several `vllm serve` servers: exchanges in, HTTP requests out, screenings back.

A prompt that the dialect renders goes to /v1/completions exactly as it is: as token ids where the guard's tokenizer is
at hand (`Encoding`), else as text. One that only the guard's own tokenizer can render goes to /v1/chat/completions; the
server renders it, and the dialect has made user text harmless for that. A form with a single label is asked for one
token after its anchor, the others write their whole answer; both bring the 20 likeliest tokens of each place.

    replica            closed --3 failures in a row or Retry-After--> open --pause--> half open --one answer--> closed
    a request          goes to the replica with the fewest open requests; after a failure to another one
    Unavailable        every circuit is open, or three replicas in a row failed
    Broken             the server does not know the model, or not our token
    Unscreened         the server refused this prompt, or its answer makes no sense (200, but garbage)

aiohttp, because with 256 requests in flight httpx takes 6 ms of processor time for each, aiohttp 0.1 (measured).
"""

import asyncio
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, InvalidURL, TCPConnector
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from adapters.guards.dialects import Answer, Chat, Dialect, Form, Piece, Question, Token, encoder, token_bound
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.base.waiting import Backoff
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.limit import Limit
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened

_log = structlog.get_logger(__name__)

ATTEMPTS = 3  # of one question, each on another replica where there is one
FAILURES = 3  # in a row open a replica's circuit
OPEN_FOR = Backoff(first=0.5, longest=30.0)  # how long a circuit stays open
LIKELIEST = 20  # tokens whose probability is asked for; the most that a server gives by default

AIM = 0.5  # seconds that a server may take for what it is given at once
FIRST = 512  # tokens that it is given at once, until it has shown what it can

REFUSED = "the guard's server refused the request"


@dataclass(frozen=True, slots=True)
class Encoding:
    """The guard's vocabulary on this side of the network. `measure`: tokens of a text."""

    encode: Callable[[Iterable[Piece]], list[int]]
    measure: Callable[[str], int]

    @classmethod
    def read(cls, path: Path, dialect: Dialect) -> Self:
        """From a `tokenizer.json` or the folder that holds it. Raises Broken where there is none, or where it is not
        this guard's: its labels must begin with different single tokens."""
        from tokenizers import Tokenizer

        file = path / "tokenizer.json" if path.is_dir() else path
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            raise Broken(f"{file}: not a tokenizer.json that can be read") from error
        tokenizer.encode_special_tokens = True  # control tokens in user text are text
        added = tokenizer.get_added_tokens_decoder().items()

        def plain(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
            return ids

        encode = encoder({token.content: number for number, token in added if token.special}, plain)
        for form in dialect.forms:
            for label_field in form.fields:
                if label_field.anchor is not None:
                    label_field.label_ids(lambda text: encode([Piece(text, trusted=True)]))
        return cls(encode, lambda text: len(plain(text)))


@dataclass(slots=True, kw_only=True, eq=False)
class _Replica:
    """One server and its circuit breaker; times are the clock's monotonic seconds."""

    url: str
    limit: Limit
    outstanding: int = 0
    in_flight: int = 0  # tokens
    answered: int = 0
    failures: int = 0  # in a row
    opened: int = 0  # times its circuit opened since it last answered
    open_until: float | None = None  # None: closed
    probe: asyncio.Event | None = None  # set when the request that tries the half-open circuit has ended

    def admits(self, now: float) -> bool:
        return self.open_until is None or (now >= self.open_until and self.probe is None)

    def circuit(self, now: float) -> str:
        if self.open_until is None:
            return "closed"
        return "half_open" if self.probe or now >= self.open_until else "open"

    def succeed(self) -> None:
        if self.open_until is not None:
            _log.info("guard server is back", server=self.url)
        self.answered += 1
        self.failures, self.opened, self.open_until = 0, 0, None

    def fail(self, error: "_Failed", now: float, *, probe: bool) -> None:
        self.failures += 1
        if self.open_until is not None and not probe:
            return  # sent before the circuit opened: says nothing new
        if probe or self.failures >= FAILURES or error.retry_after:
            if not self.opened:
                _log.warning("guard server is away", server=self.url, reason=str(error))
            self.opened += 1
            self.open_until = now + OPEN_FOR.after(self.opened, asked=error.retry_after)


class _Failed(Exception):
    """A replica did not answer this time."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    retry_after: str
    content: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class VllmServers:
    """The guard. `model` is the name that the servers know it by; `timeout` is for one request, in seconds. Use it with
    `async with`, or close it with `aclose`."""

    servers: Sequence[str]
    dialect: Dialect
    clock: Clock
    model: str = ""  # empty: the published one
    revision: str = ""
    token: str = field(default="", repr=False)
    timeout: float = 10.0
    encoding: Encoding | None = None
    _replicas: tuple[_Replica, ...] = field(init=False)
    _session: ClientSession | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self._replicas = tuple(
            _Replica(url=url.rstrip("/").removesuffix("/v1"), limit=Limit(aim=AIM, tokens=FIRST))
            for url in self.servers
        )

    @property
    def version(self) -> GuardVersion:
        model = self.model or self.dialect.model
        return GuardVersion(
            name=self.dialect.name,
            model=f"{model}@{self.revision}" if self.revision else model,
            dialect=self.dialect.hash,
        )

    @property
    def tasks(self) -> frozenset[Task]:
        return self.dialect.tasks

    def tokens(self, exchange: Exchange) -> int:
        return self.dialect.tokens(exchange)

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        """How each server is doing."""
        now = self.clock.monotonic()
        return [
            ReplicaFigures(
                server=urlsplit(replica.url).netloc.rpartition("@")[2],
                circuit=replica.circuit(now),
                outstanding=replica.outstanding,
                limit=int(replica.limit.tokens) if replica.admits(now) else 0,
                answered=replica.answered,
                failures=replica.failures,
            )
            for replica in self._replicas
        ]

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order. Cancelling it closes the requests, so that the engines stop.
        Raises Unavailable where no server answers, Broken where none ever will."""
        measure = self.encoding.measure if self.encoding else token_bound
        asked = [self.dialect.questions(exchange, measure) for exchange in exchanges]
        try:
            async with asyncio.TaskGroup() as group:
                answers = {
                    question: group.create_task(self._ask(question))
                    for question in dict.fromkeys(question for questions in asked for question in questions)
                }
        except ExceptionGroup as failed:
            for kind in (Broken, BotError):  # Broken says more
                if found := failed.subgroup(kind):
                    raise found.exceptions[0] from None
            raise
        return [self._screening([(question, answers[question].result()) for question in qs]) for qs in asked]

    def _screening(self, answered: Sequence[tuple[Question, Answer | None]]) -> Screening:
        given = [(question, answer) for question, answer in answered if answer is not None]
        if len(given) < len(answered):
            return Unscreened(reason=REFUSED, guard=self.version)
        return self.dialect.combine(given, self.version)

    async def _ask(self, question: Question) -> Answer | None:
        """The answer, from whichever replica gives one; None where it refuses to."""
        path, body = self._request(question)
        tried: set[_Replica] = set()
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.05, max=1.0),
                retry=retry_if_exception_type(_Failed),
                reraise=True,
            ):
                with attempt:
                    replica = await self._choose(tried)
                    tried.add(replica)
                    reply = await self._send(replica, path, body, question.tokens)
        except _Failed as error:
            raise Unavailable(f"no guard server answers: {error}") from None
        return _answer(question, reply.content) if reply.status == 200 else None

    def _request(self, question: Question) -> tuple[str, dict[str, Any]]:
        form = question.form
        body: dict[str, Any] = {
            "model": self.model or self.dialect.model,
            "temperature": 0,
            "max_tokens": form.max_tokens,
            "stop": list(form.stop),
            "skip_special_tokens": not form.special_answer,
        }
        if isinstance(question.prompt, Chat):
            arguments = dict(question.prompt.arguments)
            return "/v1/chat/completions", body | {
                "messages": question.prompt.messages(),
                "add_generation_prompt": arguments.pop("add_generation_prompt", True),
                "chat_template_kwargs": arguments,
                "logprobs": True,
                "top_logprobs": LIKELIEST,
            }
        pieces = question.pieces()
        if _is_forced(form):
            pieces = (*pieces, Piece(question.forced(), trusted=True))
            body |= {"max_tokens": 1, "stop": []}
        prompt = self.encoding.encode(pieces) if self.encoding else "".join(piece.text for piece in pieces)
        return "/v1/completions", body | {"prompt": prompt, "add_special_tokens": False, "logprobs": LIKELIEST}

    async def _choose(self, tried: set[_Replica]) -> _Replica:
        """Of the replicas whose circuits let a request through: one to be probed, else the one with the fewest open
        requests. Where there is none, what a probe under way brings is waited for; then raises Unavailable."""
        while not (admitting := [r for r in self._replicas if r.admits(self.clock.monotonic())]):
            if probe := next((replica.probe for replica in self._replicas if replica.probe), None):
                await probe.wait()
                continue
            soonest = min(replica.open_until or math.inf for replica in self._replicas)
            wait = max(soonest - self.clock.monotonic(), 0.1)
            raise Unavailable("no guard server answers", retry_after=wait)
        fresh = [replica for replica in admitting if replica not in tried] or admitting
        return min(fresh, key=lambda replica: (replica.open_until is None, replica.outstanding, replica.answered))

    async def _send(self, replica: _Replica, path: str, body: Mapping[str, Any], tokens: int) -> "_Reply":
        probe = replica.probe = None if replica.open_until is None else asyncio.Event()
        replica.outstanding += 1
        replica.in_flight += tokens
        began, in_flight = self.clock.monotonic(), replica.in_flight
        try:
            reply = await self._post(replica.url + path, body)
        except _Failed as error:
            replica.fail(error, self.clock.monotonic(), probe=probe is not None)
            raise
        else:
            replica.succeed()
            replica.limit.answered(tokens, began=began, now=self.clock.monotonic(), in_flight=in_flight)
            return reply
        finally:
            replica.outstanding -= 1
            replica.in_flight -= tokens
            if probe:
                replica.probe = None
                probe.set()

    async def _post(self, url: str, body: Mapping[str, Any]) -> "_Reply":
        """A reply of 200, or of a 4xx that is about this one request. Raises _Failed or Broken."""
        if self._session is None:
            self._session = ClientSession(
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=ClientTimeout(total=self.timeout),
                connector=TCPConnector(limit=0, keepalive_timeout=4.0),  # vLLM's own server closes after 5 s
                cookie_jar=DummyCookieJar(),
            )
        try:
            async with self._session.post(url, json=body) as response:
                reply = _Reply(response.status, response.headers.get("Retry-After", ""), await response.read())
        except TimeoutError:
            raise _Failed(f"no answer within {self.timeout:g} s") from None
        except InvalidURL:
            raise Broken(f"[guard] servers: {url} is not an address") from None
        except ClientError as error:
            raise _Failed(type(error).__name__) from None
        if reply.status in (401, 403):
            raise Broken(f"{url}: the guard server refuses our token; set JIKIMI_GUARD_TOKEN or [guard] token")
        if reply.status == 404 and _knows_no_such_model(reply.content):
            raise Broken(f"{url}: the guard server does not serve {body['model']}; set [guard] model to what it serves")
        if reply.status in (200, 400, 413, 422):
            return reply
        raise _Failed(f"HTTP {reply.status}", _seconds(reply.retry_after))

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _is_forced(form: Form) -> bool:
    """Whether one token says it all: a single label that can be forced, and no list of categories after it."""
    return len(form.fields) == 1 and form.fields[0].anchor is not None and "categories" not in form.answer.groupindex


def _answer(question: Question, content: bytes) -> Answer:
    """What a server wrote. An empty answer, which nothing can be read from, where it is not what was asked for."""
    try:
        choice = json.loads(content)["choices"][0]
        text, tokens = _written(choice)
        truncated = choice["finish_reason"] == "length"
        if not isinstance(question.prompt, Chat) and _is_forced(question.form):
            return Answer(readings=(question.form.fields[0].reading(tokens[0].probabilities),))
        return question.read(_spelling(tokens, text), truncated=truncated)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Answer()


def _written(choice: Mapping[str, Any]) -> tuple[str, list[Token]]:
    """Text and tokens of a completion (either endpoint's form)."""
    if "message" in choice:
        content = choice["logprobs"]["content"]
        return choice["message"]["content"], [
            Token(place["token"], _probabilities((top["token"], top["logprob"]) for top in place["top_logprobs"]))
            for place in content
        ]
    tops = choice["logprobs"]["top_logprobs"]
    tokens = zip(choice["logprobs"]["tokens"], tops, strict=True)
    return choice["text"], [Token(token, _probabilities((top or {}).items())) for token, top in tokens]


def _probabilities(logprobs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for token, logprob in logprobs:
        found[token] = found.get(token, 0.0) + math.exp(min(0.0, logprob))
    return found


def _spelling(tokens: Sequence[Token], text: str) -> list[Token]:
    """The tokens that spell the text: a server reports the stop string and the end-of-turn token among the tokens but
    leaves them out of the text. Raises ValueError where they spell something else."""
    joined = "".join(token.text for token in tokens)
    if not joined.lstrip().startswith(text.lstrip()):
        raise ValueError("the tokens do not spell the text")
    left = len(joined) - len(joined.lstrip()) + len(text.lstrip())
    spelling = []
    for token in tokens:
        if left <= 0:
            break
        spelling.append(Token(token.text[:left], token.probabilities))
        left -= len(token.text)
    return spelling


def _knows_no_such_model(content: bytes) -> bool:
    """vLLM's own 404; a server that is still starting answers another one."""
    try:
        return "does not exist" in json.loads(content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return False


def _seconds(retry_after: str) -> float | None:
    try:
        return min(max(float(retry_after), 0.0), 2 * OPEN_FOR.longest) or None
    except ValueError:
        return None
