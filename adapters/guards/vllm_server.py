"""One guard model behind one or several `vllm serve` servers: exchanges in, HTTP requests out, screenings back.

A prompt that the dialect renders goes to /v1/completions exactly as it is, many in a request: as token ids where the
guard's tokenizer is at hand (`Encoding`), else as text. Labels that can be forced are walked, one token a request: the
anchor of the next one is appended to what is known, all questions together; a server that knows `logprob_token_ids`
(vLLM 0.32) gives the probabilities of exactly the labels, an older one those of the 20 likeliest tokens. A server of
the model as a classifier (`--convert classify`) has no such endpoint: /classify is asked the same there. Other forms
write their whole answer. A prompt that only the guard's own tokenizer can render goes to /v1/chat/completions; the
server renders it, and the dialect has made user text harmless for that.

    Unavailable, Broken    see `vllm_replicas`
    Unscreened             the server refused this prompt, or its answer makes no sense (200, but garbage)
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from adapters.guards.dialects import (
    Answer,
    Chat,
    Dialect,
    Field,
    Form,
    Label,
    Piece,
    Question,
    Token,
    encoder,
    token_bound,
)
from adapters.guards.dialects.chat_form import is_same, samples
from adapters.guards.vllm_replicas import NOT_ITS_SHAPE, NoAnswer, Replicas
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.ports import PRIORITY
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened

LIKELIEST = 20  # tokens whose probability is asked for; the most that a server gives by default
TOGETHER = 128  # prompts of a request

Choice = Mapping[str, Any] | NoAnswer  # as the server gives it


@dataclass(frozen=True, slots=True)
class Encoding:
    """The guard's vocabulary on this side of the network. `measure`: tokens of a text."""

    encode: Callable[[Iterable[Piece]], list[int]]
    measure: Callable[[str], int]

    def labels(self, label_field: Field) -> Iterable[int]:
        return label_field.label_ids(lambda text: self.encode([Piece(text, trusted=True)])).values()

    @classmethod
    def read(cls, path: Path, dialect: Dialect) -> Self:
        """From a `tokenizer.json` or the folder that holds it. Raises Broken where there is none, or where it is not
        this guard's: its labels must begin with different single tokens."""
        from tokenizers import Tokenizer

        file = path / "tokenizer.json" if path.is_dir() else path
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            raise Broken("{file}: not a tokenizer.json that can be read", file=file) from error
        tokenizer.encode_special_tokens = True  # control tokens in user text are text
        added = tokenizer.get_added_tokens_decoder().items()

        def plain(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
            return ids

        encode = encoder({token.content: number for number, token in added if token.special}, plain)
        found = cls(encode, lambda text: len(plain(text)))
        for form in dialect.forms:
            for label_field in form.fields:
                if label_field.anchor is not None:
                    found.labels(label_field)
        return found


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
    engine_options: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # to start one with
    _replicas: Replicas = field(init=False)
    _comparison: asyncio.Task[bool | None] | None = None

    def __post_init__(self) -> None:
        self._replicas = Replicas(
            servers=self.servers,
            clock=self.clock,
            token=self.token,
            timeout=self.timeout,
            start=self.dialect.serve(self.model, self.revision, self.engine_options),
        )

    @property
    def _served(self) -> str:
        return self.model or self.dialect.model

    @property
    def version(self) -> GuardVersion:
        return GuardVersion(
            name=self.dialect.name,
            model=f"{self._served}@{self.revision}" if self.revision else self._served,
            dialect=self.dialect.hash,
        )

    @property
    def tasks(self) -> frozenset[Task]:
        return self.dialect.tasks

    def tokens(self, exchange: Exchange) -> int:
        return self.dialect.tokens(exchange)

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return self._replicas.figures()

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order. Cancelling it closes the requests, so that the engines stop.
        Raises Unavailable where no server answers, Broken where none ever will."""
        measure = self.encoding.measure if self.encoding else token_bound
        asked = [self.dialect.questions(exchange, measure) for exchange in exchanges]
        found = await self._answers(list(dict.fromkeys(question for questions in asked for question in questions)))
        self._comparison = self._comparison or asyncio.create_task(self.compare_chat())
        return [self._screening([(question, found[question]) for question in questions]) for questions in asked]

    def _screening(self, answered: Sequence[tuple[Question, Answer | None]]) -> Screening:
        given = [(question, answer) for question, answer in answered if answer is not None]
        if len(given) < len(answered):
            return Unscreened(reason=NoAnswer.REFUSED, guard=self.version)
        return self.dialect.combine(given, self.version)

    async def _answers(self, questions: Sequence[Question]) -> Mapping[Question, Answer | None]:
        """None where the server refuses to answer."""
        groups: defaultdict[Form | None, list[Question]] = defaultdict(list)
        for question in questions:
            groups[None if _is_walked(question) else question.form].append(question)
        calls = [
            (self._walked if form is None else self._written)(some[start : start + together])
            for form, some in groups.items()
            for together in [1 if form and form.turns else TOGETHER]
            for start in range(0, len(some), together)
        ]
        return {question: answer for found in await _all(calls) for question, answer in found.items()}

    async def _walked(self, questions: Sequence[Question]) -> Mapping[Question, Answer | None]:
        """Field after field, all questions together; the likelier label is forced before the next field is asked."""
        labels: dict[Question, list[Label]] = {question: [] for question in questions}
        readings: dict[Question, list[Mapping[str, float]]] = {question: [] for question in questions}
        found: dict[Question, Answer | None] = {}
        while left := [question for question in questions if question not in found]:
            fields = [question.form.fields[len(labels[question])] for question in left]
            wanted = {number for one in set(fields) for number in self.encoding.labels(one)} if self.encoding else ()
            more: dict[str, Any] = {"max_tokens": 1}
            if wanted:
                # A label that ends the answer is never put into words: that would decode the whole prompt before it.
                more |= dict.fromkeys(("logprob_token_ids", "stop_token_ids"), sorted(wanted))
            forced = [(one, one.forced(labels[one])) for one in left]
            choices = await self._completed(forced, more, by_class=self._has_two_labels)
            for question, asked, choice in zip(left, fields, choices, strict=True):
                try:
                    reading = _reading(asked, choice)
                except NOT_ITS_SHAPE:
                    found[question] = None if choice is NoAnswer.REFUSED else Answer()
                    continue
                readings[question].append(reading)
                labels[question].append(max(asked.labels, key=lambda label: reading[label.name]))
                if len(labels[question]) == len(question.form.fields):
                    found[question] = Answer(readings=tuple(readings[question]))
        return found

    async def _written(self, questions: Sequence[Question]) -> Mapping[Question, Answer | None]:
        """Questions of one form, each answered at length."""
        form = questions[0].form
        how = {"max_tokens": form.max_tokens, "stop": list(form.stop), "skip_special_tokens": not form.special_answer}
        choices: Sequence[Choice]
        if isinstance(questions[0].prompt, Chat):
            choices = [await self._chatted(questions[0].prompt, questions[0].tokens, how)]
        else:
            choices = await self._completed([(question, "") for question in questions], how)
        return {
            question: None if choice is NoAnswer.REFUSED else _read(question, choice)
            for question, choice in zip(questions, choices, strict=True)
        }

    @property
    def _has_two_labels(self) -> bool:
        return len(self.dialect.classifier or ()) == 2

    async def _completed(
        self, asked: Sequence[tuple[Question, str]], how: Mapping[str, Any], *, by_class: bool = False
    ) -> Sequence[Choice]:
        """Of each question, with what is forced behind it. One by one where the server does not take them
        together: one may be to blame for all. `by_class`: a server of the model as a classifier will do."""
        pieces = [(*question.pieces(), Piece(forced, trusted=True)) for question, forced in asked]
        prompts = [
            self.encoding.encode(some) if self.encoding else "".join(piece.text for piece in some) for some in pieces
        ]
        written = self._body(how) | {"prompt": prompts, "add_special_tokens": False, "logprobs": LIKELIEST}
        ways: list[tuple[str, Mapping[str, Any]]] = [("/v1/completions", written)]
        if by_class:
            raw = {"add_special_tokens": False, "use_activation": False}
            ways.append(("/classify", {"model": self._served, "input": prompts, **self._priority, **raw}))
        tokens, alone = sum(question.tokens for question, _ in asked), asked[0] if len(asked) == 1 else None
        choices = await self._replicas.ask(ways, tokens, lambda answer: _choices(answer, len(asked)), alone=alone)
        if not isinstance(choices, NoAnswer):
            return choices
        if alone:
            return [choices]
        return [choice for (choice,) in await _all([self._completed([one], how, by_class=by_class) for one in asked])]

    async def _chatted(self, chat: Chat, tokens: int, how: Mapping[str, Any]) -> Choice:
        arguments = dict(chat.arguments)
        body = self._body(how) | {
            "messages": chat.messages(),
            "add_generation_prompt": arguments.pop("add_generation_prompt", True),
            "chat_template_kwargs": arguments,
            "logprobs": True,
            "top_logprobs": LIKELIEST,
        }
        choices = await self._replicas.ask(
            [("/v1/chat/completions", body)], tokens, lambda answer: _choices(answer, 1), alone=chat
        )
        return choices if isinstance(choices, NoAnswer) else choices[0]

    def _body(self, how: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self._served, "temperature": 0, **self._priority, **how}

    @property
    def _priority(self) -> Mapping[str, int]:
        """A server that does not order by it refuses any other than 0."""
        return {"priority": PRIORITY.get()} if self.engine_options.get("scheduling_policy") == "priority" else {}

    async def compare_chat(self) -> bool | None:
        """Whether the servers' chat endpoint makes the prompts that we send; None where they do not tell."""
        found = []
        for form, ours, messages in samples(self.dialect):
            one, other = [
                await self._replicas.look_up("/tokenize", {"model": self._served, "return_token_strs": True, **more})
                for more in (
                    {"prompt": ours, "add_special_tokens": False},
                    {"messages": messages, "add_generation_prompt": True},
                )
            ]
            try:
                found.append(is_same(self.dialect, form, *("".join(each["token_strs"]) for each in (one, other))))
            except (KeyError, TypeError):
                continue
        return all(found) if found else None

    async def aclose(self) -> None:
        if self._comparison:
            self._comparison.cancel()
        await self._replicas.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _all(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    """What they return. Raises what says most of what they raise."""

    async def run(call: Awaitable[Any]) -> Any:
        return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(call)) for call in calls]
    except ExceptionGroup as failed:
        for kind in (Broken, BotError):  # Broken says more
            if found := failed.subgroup(kind):
                raise found.exceptions[0] from None
        raise
    return [task.result() for task in tasks]


def _is_walked(question: Question) -> bool:
    """Whether its labels say it all: each can be forced, and no list of categories follows."""
    form = question.form
    return (
        not isinstance(question.prompt, Chat)
        and all(one.anchor is not None for one in form.fields)
        and "categories" not in form.answer.groupindex
    )


def _choices(answer: Any, count: int) -> list[Mapping[str, Any]]:
    """In the order of the prompts. Raises what `NOT_ITS_SHAPE` names where that is not what was asked for."""
    found = {one["index"]: one for one in (answer["choices"] if "choices" in answer else answer["data"])}
    if not all(one.get("logprobs") or one.get("probs") for one in found.values()):
        raise ValueError("without probabilities")
    return [found[place] for place in range(count)]


def _reading(asked: Field, choice: Choice) -> Mapping[str, float]:
    """Of the one label that was asked for. Raises what `NOT_ITS_SHAPE` names where that is none."""
    if isinstance(choice, NoAnswer):
        raise ValueError(choice)
    if "probs" in choice:
        return asked.classified(choice["probs"])
    return asked.reading(_text_and_tokens(choice)[1][0].probabilities)


def _read(question: Question, choice: Choice) -> Answer:
    """An empty answer where that is not what was asked for."""
    if isinstance(choice, NoAnswer):
        return Answer()
    try:
        text, tokens = _text_and_tokens(choice)
        return question.read(_spelling(tokens, text), truncated=choice["finish_reason"] == "length")
    except NOT_ITS_SHAPE:
        return Answer()


def _text_and_tokens(choice: Mapping[str, Any]) -> tuple[str, list[Token]]:
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
    """Raises ValueError where one is the logarithm of none."""
    found: dict[str, float] = {}
    for token, logprob in logprobs:
        if not logprob < math.inf:  # nor is it where it is not a number
            raise ValueError("not a probability")
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
