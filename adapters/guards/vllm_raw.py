"""vLLM without us, for benchmarks: what a model's card tells one to write, and the engine that our guard runs, asked
directly."""

import os
from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

from adapters.guards.dialects import DIALECTS
from bot.core.base.clock import Clock
from bot.core.guarding.verdict import Exchange

_CARD_PROMPT = (
    "You are a classifier for analyzing interactions between humans and LLMs. Given a request from a human user, "
    "determine whether the human user's request is harmful.\n\nHuman user:\n{prompt}"
)


class CardSnippet:
    """`LLM.chat`, one call after another or in bulk."""

    def __init__(self, model: str, *, load_format: str, **options: Any) -> None:
        _quiet()
        from vllm import LLM, SamplingParams

        self._llm = LLM(model=model, load_format=load_format, max_model_len=2048, disable_log_stats=True, **options)
        self._sampling = SamplingParams(temperature=0, max_tokens=20)

    def chat(self, texts: Sequence[str]) -> None:
        conversations = [[{"role": "user", "content": _CARD_PROMPT.format(prompt=text)}] for text in texts]
        self._llm.chat(conversations, self._sampling, use_tqdm=False)

    def close(self) -> None:
        self._llm.llm_engine.engine_core.shutdown()


class RawEngine:
    """The engine of a `guard` of ours in one mode, asked the same question past it."""

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
        from vllm import PoolingParams, SamplingParams

        from adapters.guards.vllm_engine import VllmGuard

        self.guard = VllmGuard(
            model, clock=clock, dialect=dialect, mode=mode, load_format=load_format, engine_options=options
        )
        self._dialect, self._numbers = DIALECTS[dialect], count()
        self._ask: Any = self.guard.engine.encode if mode == "classify" else self.guard.engine.generate
        self._params = (
            PoolingParams(task="classify", use_activation=False)
            if mode == "classify"
            else SamplingParams(temperature=0, max_tokens=1, logprobs=20)
        )

    async def ask(self, text: str) -> None:
        question = self._dialect.questions(Exchange(prompt=text))[0]
        prompt = "".join(piece.text for piece in question.pieces()) + question.forced()
        how = {"tokenization_kwargs": {"add_special_tokens": False}}
        async for _ in self._ask({"prompt": prompt}, self._params, f"raw-{next(self._numbers)}", **how):
            pass

    async def close(self) -> None:
        await self.guard.close()


def device() -> str:
    """What vLLM runs on here."""
    from vllm.platforms import current_platform

    return str(current_platform.get_device_name() or f"CPU, {os.cpu_count()} cores")


def _quiet() -> None:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
