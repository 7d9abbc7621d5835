"""A model and options for vLLM -> its small files, and an engine that runs, or one sentence saying what to change."""

import gc
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from threading import Event, Thread
from time import monotonic
from typing import Any

import structlog

from bot.core.base.errors import Broken

_log = structlog.get_logger(__name__)

NOT_INSTALLED = 'vLLM is not installed: pip install "jikimi[vllm]"'

#: What a batch of messages fills, as vLLM has it for its own class LLM; its defaults for an engine like ours are a
#: quarter of it. The first on cards of 70 GB and more.
LARGE = {"max_num_batched_tokens": 16_384, "max_num_seqs": 1024}
USUAL = {"max_num_batched_tokens": 8192, "max_num_seqs": 512}
SAID_EVERY = 15.0  # seconds
LARGE_MEMORY = 70 * 2**30
LARGE_AND_NOT = "a100"  # which is slower with it (vLLM's pull request 17885)

#: What a verdict hangs on is not for [guard.engine_options].
OURS = frozenset({"model", "revision", "runner", "convert", "hf_overrides", "disable_log_stats"})

#: Tokens of a block of the prefix cache: what all messages share, the template, is some 40, and would never be cached
#: in vLLM's own blocks of 128 (on CUDA they are 16). And bytes of the cache: without a bound it fills with what was
#: said once until nine tenths of all memory are gone, which bot and database need; these hold some 18,000 tokens of 3B.
ON_A_CPU = {**USUAL, "block_size": 32, "kv_cache_memory_bytes": 2 << 30}


def model_files(model: str, revision: str | None) -> tuple[Any, Any]:
    """The model's configuration and tokenizer: small files, read before anything heavy starts."""
    try:
        from transformers import AutoConfig, AutoTokenizer
    except ImportError:
        raise Broken(NOT_INSTALLED) from None
    try:
        config = AutoConfig.from_pretrained(model, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
    except (OSError, ValueError):
        raise Broken(
            "the model {model!r} cannot be had: give a folder that holds it, or an id that this machine can download",
            model=model,
        ) from None
    return config, tokenizer


def refused(given: Iterable[str], known: Collection[str]) -> Broken | None:
    """What is wrong with options for vLLM, of which it knows these."""
    for name in given:
        if name in OURS:
            return Broken("[guard.engine_options] {name} is not for you to set: verdicts hang on it", name=name)
        if name not in known:
            if near := get_close_matches(name, known, n=1):
                return Broken(
                    "[guard.engine_options] {name} is nothing that this vLLM knows; did you mean {near}?",
                    name=name,
                    near=near[0],
                )
            return Broken("[guard.engine_options] {name} is nothing that this vLLM knows", name=name)
    return None


def batch_sizes(name: str, memory: int) -> Mapping[str, int]:
    """For a card of that name and so many bytes."""
    return LARGE if memory >= LARGE_MEMORY and LARGE_AND_NOT not in name.casefold() else USUAL


@contextmanager
def said_every(seconds: float) -> Iterator[None]:
    """That it goes on: gigabytes take minutes to fetch and to read. vLLM's own log says how far it is."""
    began, done = monotonic(), Event()

    def say() -> None:
        while not done.wait(seconds):
            _log.info("guard model still starts", seconds=round(monotonic() - began))

    Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def started(ours: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # vLLM reports to its makers otherwise
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output is for what was asked for
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError:
        raise Broken(NOT_INSTALLED) from None
    if problem := refused(more, [field.name for field in fields(AsyncEngineArgs)]):
        raise problem
    if current_platform.is_cpu():
        options = {**ON_A_CPU, **ours, **more}
    else:
        card = current_platform.get_device_name(), current_platform.get_device_total_memory()
        options = {**batch_sizes(*card), **ours, **more}
    began = monotonic()
    _log.info(
        "guard model starts: its weights are fetched where they are not here yet, then read", model=options["model"]
    )
    try:
        with said_every(SAID_EVERY):
            engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**options))
    except (OSError, ValueError, RuntimeError) as error:
        raise Broken(
            "vLLM cannot serve {model!r} ({why}, see its log above): check that the weights are there, and where "
            "memory is short lower max_model_len, gpu_memory_utilization or, on a processor, kv_cache_memory_bytes",
            model=options["model"],
            why=type(error).__name__,
        ) from error
    _log.info("guard model is there, and warms up with the first question", seconds=round(monotonic() - began, 1))
    # vLLM and torch leave some 650,000 objects that never die: a full collection stops the event loop for a third of a
    # second, again and again, unless they are put out of its sight.
    gc.collect()
    gc.freeze()
    return engine
