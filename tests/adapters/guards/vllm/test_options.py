"""What is handed on to vLLM: checked by what it knows, and its batches by the card."""

import pytest

from adapters.guards.vllm_start import LARGE, USUAL, batch_sizes, refused

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
