"""What is handed on to vLLM: checked by what it knows, and its batches by the card."""

import asyncio

import pytest
from structlog.testing import capture_logs

from adapters.guards.vllm_start import LARGE, ON_A_CPU, USUAL, batch_sizes, refused, said_every
from tests.servers.waiting import until

KNOWN = ["model", "quantization", "tensor_parallel_size", "hf_overrides"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], None),
        (["quantization", "tensor_parallel_size"], None),
        (["quantisation"], "did you mean quantization?"),
        (["speed"], "nothing that this vLLM knows"),
        (["hf_overrides"], "not for you to set"),
    ],
)
def test_options_are_checked_before_anything_starts(given: list[str], says: str | None) -> None:
    problem = refused(given, KNOWN)
    assert problem is None if says is None else problem and says in str(problem)


def test_batches_are_as_large_as_the_card() -> None:
    assert batch_sizes("NVIDIA H100 80GB HBM3", 85_000_000_000) == LARGE
    assert batch_sizes("NVIDIA A100-SXM4-80GB", 85_000_000_000) == USUAL
    assert batch_sizes("NVIDIA L4", 24_000_000_000) == USUAL


def test_on_a_processor_the_cache_leaves_memory_for_bot_and_database() -> None:
    assert ON_A_CPU["kv_cache_memory_bytes"] <= 2 << 30


def test_a_start_that_takes_long_says_again_and_again_that_it_goes_on() -> None:
    with capture_logs() as logs, said_every(0.01):
        asyncio.run(until(lambda: len(logs) >= 2, seconds=None))
    assert {(one["event"], one["log_level"]) for one in logs} == {("guard model still starts", "info")}
    said = len(logs)
    with capture_logs() as afterwards, said_every(3600):
        pass
    assert not afterwards and len(logs) == said
