"""A guard's name -> its published weights: how large they are, what they take beside, who may have them."""

from dataclasses import dataclass
from typing import Any

GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Weights:
    """`billions` of parameters, of two bytes each (FP16, BF16). `cache`: bytes that a token of context takes, by the
    shape of the base model. `gated`: Hugging Face wants a licence accepted and a token (HF_TOKEN); None: unchecked."""

    billions: float
    cache: int
    licence: str
    gated: bool | None

    def shown(self, context: int) -> dict[str, Any]:
        """In GB of 10^9 bytes; `memory_gb` is the least that a card must have free: weights, one text of that many
        tokens and what vLLM itself takes, about 1.5 GB. What is free beyond that serves more texts at once."""
        weights = self.billions * 2
        return {
            "parameters": f"{self.billions:g} B",
            "weights_gb": round(weights, 1),
            "memory_gb": round(weights + self.cache * context / GIGA + 1.5, 1),
            "licence": self.licence,
            "gated": self.gated,
        }


def _cache(layers: int, heads: int, size: int) -> int:
    """Keys and values of two bytes."""
    return 2 * 2 * layers * heads * size


_LLAMA_3B = Weights(3.21, _cache(28, 8, 128), "Llama 3.2", False)
_LLAMA_8B = _cache(32, 8, 128)

WEIGHTS = {
    "wildguard-ko": _LLAMA_3B,
    "wildguard-ko-stock": _LLAMA_3B,
    "wildguard-ko-chat": _LLAMA_3B,
    "wildguard": Weights(7.25, _LLAMA_8B, "Apache-2.0, with AI2's responsible use guidelines", True),
    "llama-guard-3-8b": Weights(8.03, _LLAMA_8B, "Llama 3.1", True),
    "llama-guard-3-1b": Weights(1.5, _cache(16, 8, 64), "Llama 3.2", True),
    "shieldgemma": Weights(9.24, _cache(42, 8, 256), "Gemma", True),
    "kosafeguard": Weights(8.03, _LLAMA_8B, "Llama 3", None),
    "ksafeguard": Weights(8.03, _LLAMA_8B, "not checked", None),
    "qwen3guard": Weights(4.02, _cache(36, 8, 128), "Apache-2.0", False),
    "qwen3guard-loose": Weights(4.02, _cache(36, 8, 128), "Apache-2.0", False),
    "kanana-safeguard": Weights(8.03, _LLAMA_8B, "Apache-2.0", None),
    "polyguard": Weights(7.62, _cache(28, 4, 128), "not checked", None),
    "nemotron-3-content-safety": Weights(4.3, _cache(34, 4, 256), "NVIDIA Open Model, Gemma", None),
}
