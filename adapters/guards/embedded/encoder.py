"""The encoder as it ships: texts come in, calibrated probabilities of each kind of harm go out. One ONNX file holds the
network, its tokeniser and its calibration; it runs on one core, without PyTorch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded.features import windows
from adapters.guards.embedded.reading import reading

SHIPPED = Path(__file__).parent / "encoder.onnx"
WINDOW, STRIDE = 110, 80  # characters, about as many as the network reads of a text
START, END = 0, 2


@dataclass(frozen=True, slots=True, eq=False)
class EncoderModel:
    """probability(head) = sigmoid(slope * logit + offset), fitted on pens that the network has not learned from."""

    session: Any  # onnxruntime.InferenceSession: ids, mask -> logits
    tokeniser: Any  # tokenizers.Tokenizer
    heads: tuple[str, ...]  # of the network, by column
    kinds: tuple[str, ...]  # those of the heads that are kinds of harm
    slope: NDArray[np.float64]  # (heads,)
    offset: NDArray[np.float64]  # (heads,)
    tokens: int  # longest text
    about: Mapping[str, Any]  # sources, licences, seeds, versions
    revision: str  # hash of the file

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "EncoderModel":
        """Reads a model file. Raises OSError or ValueError for a file that is not one; never unpickles."""
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        content = path.read_bytes()
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no base of their own
            raise ValueError("not an ONNX model") from error
        notes = session.get_modelmeta().custom_metadata_map
        if "jikimi" not in notes:
            raise ValueError("not a model of kinds of harm")
        about = json.loads(notes["jikimi"])
        return cls(
            session=session,
            tokeniser=Tokenizer.from_str(notes["tokeniser"]),
            heads=tuple(about["heads"]),
            kinds=tuple(about["kinds"]),
            slope=np.array(about["slope"]),
            offset=np.array(about["offset"]),
            tokens=about["tokens"],
            about=about,
            revision=sha256(content).hexdigest()[:12],
        )

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, kinds)"""
        return self.judged(texts)[0]

    def quotes(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts,) whether somebody else's words are quoted or reported."""
        return self.judged(texts)[1]

    def judged(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(texts, kinds) probabilities of each kind, and (texts,) that of a quotation. Harm is of its likeliest kind:
        that there is any is known more surely than which."""
        heads = dict(zip(self.heads, self.calibrated(texts).T, strict=True))
        kinds = np.stack([heads[kind] for kind in self.kinds], axis=1)
        likeliest = np.arange(len(texts)), kinds.argmax(axis=1)
        kinds[likeliest] = np.maximum(kinds[likeliest], heads["harm"])
        return kinds, heads["quotes"]

    def calibrated(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, heads) probabilities of all that the network says: of harm its worst window counts, and a text quotes
        where every window does."""
        pieces = [(index, piece) for index, text in enumerate(texts) for _, piece in windows(text, WINDOW, STRIDE)]
        side = np.where(np.array(self.heads) == "quotes", -1.0, 1.0)
        worst = np.full((len(texts), len(self.heads)), -np.inf)
        np.maximum.at(worst, [index for index, _ in pieces], side * self._logits([piece for _, piece in pieces]))
        return np.asarray(1 / (1 + np.exp(-(self.slope * side * worst + self.offset))))

    def _logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, heads) as the network gives them. One at a time: in int8 the others of a batch would have a say."""
        logits = np.zeros((len(texts), len(self.heads)))
        for row, read in enumerate(self.tokeniser.encode_batch_fast([reading(text) for text in texts])):
            ids = np.array([[START, *read.ids[: self.tokens - 2], END]])
            (logits[row],) = self.session.run(["logits"], {"ids": ids, "mask": np.ones_like(ids)})[0]
        return logits
