"""The small encoder as a network: texts come in, one logit a head goes out; and the same network as an int8 ONNX file.
PyTorch is needed here and where it is taught alone."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.corpora import HEADS
from adapters.guards.embedded.training.linear_kinds import Judge
from adapters.guards.embedded.training.networks.int8 import by_rows
from adapters.guards.embedded.training.networks.pretrained import LAYERS, Pretrained

TOKENS = 72
#: Texts -> the ids that a network reads of each.
Ids = Callable[[Sequence[str]], list[list[int]]]


class Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, of: Pretrained, i: int) -> None:
        super().__init__()
        hidden, inner, eps = of.config["hidden"], of.config["inner"], of.config["eps"]
        self.heads = of.config["heads"]
        self.q, self.k, self.v, self.ao = (nn.Linear(hidden, hidden) for _ in range(4))
        self.fi, self.fo = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.aln, self.oln = nn.LayerNorm(hidden, eps), nn.LayerNorm(hidden, eps)
        for part, module in self.named_children():
            module.weight.data, module.bias.data = (of.weights[f"{i}.{part}.{end}"].clone() for end in "wb")

    def forward(self, x: Tensor, away: Tensor) -> Tensor:
        n, t, h = x.shape
        q, k, v = (part(x).view(n, t, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        looks = ((q @ k.transpose(2, 3)) * (h // self.heads) ** -0.5 + away).softmax(-1).to(v.dtype)
        x = self.aln(x + self.ao((looks @ v).transpose(1, 2).reshape(n, t, h)))
        return self.oln(x + self.fo(nn.functional.gelu(self.fi(x))))


class Encoder(nn.Module):  # type: ignore[misc]
    """ids, mask (texts, tokens) -> logits (texts, heads). Each head looks at the pieces of a text that matter to it.
    `rows`: of the embeddings, those of the pieces that its tokeniser knows."""

    def __init__(
        self, of: Pretrained, rows: Sequence[int], heads: int = len(HEADS), layers: Sequence[int] = range(LAYERS)
    ) -> None:
        super().__init__()
        self.word = nn.Embedding.from_pretrained(of.weights["word"][list(rows)].clone(), freeze=True)
        self.position, self.kind = (
            nn.Parameter(of.weights["pos"][:TOKENS].clone()),
            nn.Parameter(of.weights["type"][0].clone()),
        )
        self.norm = nn.LayerNorm(of.config["hidden"], of.config["eps"])
        self.norm.weight.data, self.norm.bias.data = of.weights["eln.w"].clone(), of.weights["eln.b"].clone()
        self.layers = nn.ModuleList(Layer(of, i) for i in layers)
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(of.config["hidden"], heads)
        self.look = nn.Linear(of.config["hidden"], heads, bias=False)
        nn.init.zeros_(self.look.weight)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.word(ids) + self.position[: ids.shape[1]] + self.kind)
        away = (1.0 - mask.to(x.dtype))[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, away)
        looks = (self.look(x).transpose(1, 2) + away[:, 0]).softmax(2).to(x.dtype)
        return (looks * self.head(self.drop(x)).transpose(1, 2)).sum(2)


def pieces(tokeniser: Tokenizer) -> Ids:
    """The readings of texts as ids between the signs of start and end."""

    def ids(texts: Sequence[str]) -> list[list[int]]:
        encoded = tokeniser.encode_batch_fast([reading(text) for text in texts])
        return [[0, *one.ids[: TOKENS - 2], 2] for one in encoded]

    return ids


def padded(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    ids = torch.full((len(sequences), max(map(len, sequences))), 1)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = torch.tensor(sequence)
    return ids, (ids != 1).long()


def judge(network: nn.Module, ids: Ids) -> Judge:
    def judged(texts: Sequence[str]) -> NDArray[np.float64]:
        read = ids(texts)
        logits = np.zeros((len(texts), len(HEADS)))
        order = sorted(range(len(texts)), key=lambda i: len(read[i]))
        with torch.no_grad():
            for start in range(0, len(order), 64):
                batch = order[start : start + 64]
                logits[batch] = network(*padded([read[i] for i in batch])).numpy()
        return logits

    return judged


def export(network: nn.Module, path: Path, notes: Mapping[str, str]) -> None:
    """Writes the network as int8 ONNX, with `notes` in the file."""
    import onnx

    example = torch.ones((2, 7), dtype=torch.long)
    whole = BytesIO()
    torch.onnx.export(
        network.eval(),
        (example, example),
        whole,
        input_names=["ids", "mask"],
        output_names=["logits"],
        dynamic_axes={"ids": {0: "texts", 1: "tokens"}, "mask": {0: "texts", 1: "tokens"}, "logits": {0: "texts"}},
        opset_version=17,
        dynamo=False,
    )
    small = by_rows(onnx.load_from_string(whole.getvalue()))
    onnx.helper.set_model_props(small, dict(notes))
    onnx.save(small, path)
