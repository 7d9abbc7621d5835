"""A shape and a folder -> an encoder of it with random weights, in int8: right for speed, useless for answers.

    python -m tests.benches.classifiers {kcelectra-small,kcelectra-base,mmbert-small,mmbert-base} FOLDER
    jikimi bench guard --classifier FOLDER

Needs torch, transformers and onnx. Shapes: beomi/KcELECTRA-base-v2022, jhu-clsp/mmBERT-small and -base; for KcELECTRA's
small one that of ELECTRA-small with the table of the base one. Their own vocabularies are not here: one of 30,000
pieces is learned from the project's lines, the table is as large as theirs.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    ElectraConfig,
    ElectraForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

PIECES = 30_000
CONTROL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LABELS = {0: "clean", 1: "abuse"}

_SMALL = {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1152, "num_hidden_layers": 22}
_BASE = _SMALL | {"hidden_size": 768, "num_attention_heads": 12}
_KCELECTRA = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "num_hidden_layers": 12}
_KCELECTRA_SMALL = {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "num_hidden_layers": 12}
_TABLE = {
    "vocab_size": 256_000,
    "pad_token_id": 0,
    "cls_token_id": 2,
    "sep_token_id": 3,
    "bos_token_id": 2,
    "eos_token_id": 3,
}

SHAPES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "kcelectra-small": (
        ElectraConfig,
        ElectraForSequenceClassification,
        _KCELECTRA_SMALL | {"embedding_size": 128, "vocab_size": 54_343, "pad_token_id": 0},
    ),
    "kcelectra-base": (
        ElectraConfig,
        ElectraForSequenceClassification,
        _KCELECTRA | {"embedding_size": 768, "vocab_size": 54_343, "pad_token_id": 0},
    ),
    "mmbert-small": (ModernBertConfig, ModernBertForSequenceClassification, _SMALL | _TABLE),
    "mmbert-base": (ModernBertConfig, ModernBertForSequenceClassification, _BASE | _TABLE),
}


class Logits(torch.nn.Module):  # type: ignore[misc]  # torch is not typed here
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def classifier(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config, shape, size = SHAPES[name]
    torch.manual_seed(0)
    settings = config(**size, id2label=LABELS, attn_implementation="eager", max_position_embeddings=512)
    model = Logits(shape(settings)).eval()
    names, whole = ["input_ids", "attention_mask"], folder / "whole.onnx"
    example = (torch.ones(2, 16, dtype=torch.int64), torch.ones(2, 16, dtype=torch.int64))
    open_ended = {one: {0: "texts", 1: "pieces"} for one in names} | {"logits": {0: "texts"}}
    torch.onnx.export(
        model, example, whole, input_names=names, output_names=["logits"], dynamic_axes=open_ended, dynamo=False
    )
    quantize_dynamic(whole, folder / "model_quantized.onnx", weight_type=QuantType.QInt8)
    whole.unlink()
    settings.save_pretrained(folder)
    _tokenizer().save(str(folder / "tokenizer.json"))


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=PIECES, special_tokens=list(CONTROL), show_progress=False)
    tokenizer.train_from_iterator(_lines(), trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _lines() -> Iterator[str]:
    for file in sorted(Path("corpus/lines").glob("*.jsonl")):
        yield from (json.loads(line)["text"] for line in file.read_text("utf-8").splitlines())


if __name__ == "__main__":
    classifier(sys.argv[1], Path(sys.argv[2]))
