"""A folder -> a classifier in it, as optimum exports one, small enough to be written by hand: a text that says "나쁜"
is rude, one that says "도박" advertises. Its ONNX file is made of protobuf's own bytes (onnx.proto), without onnx."""

import json
from pathlib import Path
from struct import pack

from tokenizers import Tokenizer, models, pre_tokenizers

LABELS = ("괜찮음", "욕", "advertising")
MEANING = {"괜찮음": "", "욕": "abuse"}
_WORDS = {"[PAD]": 0, "[UNK]": 1, "나쁜": 2, "도박": 3}
_ROWS = ((0, 0, 0), (0, 0, 0), (-4, 8, 0), (-4, 0, 8))  # what a word adds to the logit of each label
_FIRST = (3, -1, -1)  # without any

_FLOAT, _INT64 = 1, 7


def tiny_classifier(folder: Path, *, multi_label: bool = False, most: int = 64) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "max_position_embeddings": most,
        "pad_token_id": 0,
        "problem_type": "multi_label_classification" if multi_label else "single_label_classification",
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    tokenizer = Tokenizer(models.WordLevel(_WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "model.onnx").write_bytes(_model())
    return folder


def _model() -> bytes:
    """The rows of the words that are there, added up."""
    words = [number for row in _ROWS for number in row]
    graph = [
        _node("Gather", ["rows", "input_ids"], "each"),
        _node("Cast", ["attention_mask"], "present", _field(1, b"to") + _field(3, _FLOAT) + _field(20, 2)),
        _node("Unsqueeze", ["present", "two"], "mask"),
        _node("Mul", ["each", "mask"], "kept"),
        _node("ReduceSum", ["kept", "one"], "sum", _field(1, b"keepdims") + _field(3, 0) + _field(20, 2)),
        _node("Add", ["sum", "first"], "logits"),
        _field(2, b"tiny"),
        _tensor("rows", (len(_ROWS), 3), _FLOAT, pack(f"<{len(words)}f", *words)),
        _tensor("first", (3,), _FLOAT, pack("<3f", *_FIRST)),
        _tensor("one", (1,), _INT64, pack("<q", 1)),
        _tensor("two", (1,), _INT64, pack("<q", 2)),
        _value(11, "input_ids", _INT64, 2),
        _value(11, "attention_mask", _INT64, 2),
        _value(12, "logits", _FLOAT, 2),
    ]
    return _field(1, 8) + _field(8, _field(1, b"") + _field(2, 13)) + _field(7, b"".join(graph))


def _node(kind: str, inputs: list[str], output: str, attribute: bytes = b"") -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    return _field(1, names + _field(4, kind.encode()) + (_field(5, attribute) if attribute else b""))


def _tensor(name: str, shape: tuple[int, ...], kind: int, content: bytes) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return _field(5, dims + _field(2, kind) + _field(8, name.encode()) + _field(9, content))


def _value(place: int, name: str, kind: int, rank: int) -> bytes:
    shape = b"".join(_field(1, _field(2, f"{name}{n}".encode())) for n in range(rank))
    return _field(place, _field(1, name.encode()) + _field(2, _field(1, _field(1, kind) + _field(2, shape))))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
