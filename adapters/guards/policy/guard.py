"""gpt-oss-safeguard, or any model that follows instructions, behind servers with OpenAI's endpoints: an opinion.

It is asked in the chat form, which the server renders, or in harmony, which gpt-oss was trained on and openai-harmony
renders here. What it says is checked: it quotes what stands there, or it has said nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from adapters.guards.policy.asking import HASH, INSTRUCTIONS, SHAPE, put, read
from adapters.guards.vllm_replicas import NOT_ITS_SHAPE, NoAnswer, Replicas, Ways
from bot.core.base.clock import Clock
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import (
    Exchange,
    GuardVersion,
    Judgement,
    Opinion,
    Part,
    Screening,
    Task,
    Unscreened,
    Verdict,
)

NAME = "policy"
MODEL = "openai/gpt-oss-safeguard-20b"
START = f"vllm serve {MODEL}"

NO_RULES = "there are no rules to read"

MOST_TOKENS = 2048  # of an answer, with what a model thinks before it
AT_ONCE = 8  # exchanges, where many are judged


class Form(Protocol):
    """How a model is asked, and what is its answer in what comes back."""

    name: str

    def ways(self, model: str, told: str, asked: str) -> Sequence[Ways]:
        """One after the other, where a server refuses the one before."""
        ...

    def answer(self, content: Mapping[str, Any]) -> str:
        """Raises what reading a wrong shape raises."""
        ...


class ChatForm:
    """The server renders it. One that does not know schemas is asked without."""

    name = "chat"

    def ways(self, model: str, told: str, asked: str) -> Sequence[Ways]:
        messages = [{"role": "system", "content": told}, {"role": "user", "content": asked}]
        plain = {"model": model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS}
        shape = {"type": "json_schema", "json_schema": {"name": "opinion", "strict": True, "schema": SHAPE}}
        path = "/v1/chat/completions"
        return [[(path, {**plain, "response_format": shape})], [(path, plain)]]

    def answer(self, content: Mapping[str, Any]) -> str:
        return str(content["choices"][0]["message"]["content"])


class ModelGuard:
    """`rules`: those that it reads where nobody gives it others. `model` is the name that the servers know it by. Use
    it with `async with`. Raises as `vllm_replicas` says."""

    def __init__(
        self,
        servers: Sequence[str],
        *,
        clock: Clock,
        form: Form,
        model: str = "",
        token: str = "",
        timeout: float = 60.0,
        rules: str = "",
    ) -> None:
        self._model, self._form, self._rules = model or MODEL, form, rules
        self._replicas = Replicas(
            servers=servers, clock=clock, token=token, timeout=timeout, start=START, section="house_rules"
        )
        self._room = asyncio.Semaphore(AT_ONCE)

    @property
    def version(self) -> GuardVersion:
        """What it says is no probability."""
        return GuardVersion(name=NAME, model=self._model, dialect=f"{HASH}-{self._form.name}")

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return self._replicas.figures()

    async def read(self, exchange: Exchange, rules: str) -> Opinion | Unscreened:
        told, asked = _writable(INSTRUCTIONS + rules), _writable(put(exchange))
        tokens = (len(told.encode()) + len(asked.encode())) // 3
        content: Mapping[str, Any] | NoAnswer = NoAnswer.REFUSED
        for ways in self._form.ways(self._model, told, asked):
            content = await self._replicas.ask(ways, tokens, _content, alone=(told, asked))
            if content is not NoAnswer.REFUSED:
                break
        if isinstance(content, NoAnswer):
            return Unscreened(content, self.version)
        try:
            text = self._form.answer(content)
            overheard("policy", {}, text)
            return read(text, self.version)
        except NOT_ITS_SHAPE:
            return Unscreened(NoAnswer.NO_SENSE, self.version)

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """As other guards do, by the rules that it was given to begin with."""
        return await asyncio.gather(*(self._judged(exchange) for exchange in exchanges))

    async def _judged(self, exchange: Exchange) -> Screening:
        part = Part.PROMPT if exchange.response is None else Part.RESPONSE
        text = exchange.prompt if exchange.response is None else exchange.response
        if not self._rules or text is None:
            return Unscreened(NO_RULES, self.version)
        async with self._room:
            said = await self.read(exchange, self._rules)
        said = said.checked(text, self._rules) if isinstance(said, Opinion) else said
        if isinstance(said, Unscreened):
            return said
        found = Judgement(part, HarmKind.UNSPECIFIED, float(said.against), NAME)
        evidence = (said.rule, said.words) if said.against else ()
        return Verdict(guard=self.version, found=(found,), evidence=evidence)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._replicas.aclose()


def _content(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of OpenAI's endpoints, whatever a model has said. Raises what `NOT_ITS_SHAPE` names where it is none."""
    if not isinstance(answer["choices"][0], Mapping):
        raise TypeError("no choice")
    return answer


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
