"""The thorough half of the guard: texts as they read come in, one logit a head goes out, from a small network. One ONNX
file holds the network and its tokeniser; it runs on one core, without PyTorch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

START, PADDING, END = 0, 1, 2
BATCH = 8  # texts of like length: more no longer fit the processor's caches


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    session: Any  # onnxruntime.InferenceSession: ids, mask -> logits
    tokeniser: Any  # tokenizers.Tokenizer
    heads: tuple[str, ...]
    tokens: int  # longest text

    @classmethod
    def read(cls, path: Path) -> "Encoder":
        """Raises ValueError where the file is no model; never unpickles."""
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # texts differ in length: plans for each are memory that is not used again
        try:
            session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no base of their own
            raise ValueError("not an ONNX model") from error
        notes = session.get_modelmeta().custom_metadata_map
        if "jikimi" not in notes:
            raise ValueError("not a model of kinds of harm")
        about = json.loads(notes["jikimi"])
        return cls(session, Tokenizer.from_str(notes["tokeniser"]), tuple(about["heads"]), about["tokens"])

    def logits(self, read: Sequence[str]) -> NDArray[np.float64]:
        """(texts, heads), each as if its text were alone: every row of the network's int8 has a scale of its own."""
        ids = [[START, *one.ids[: self.tokens - 2], END] for one in self.tokeniser.encode_batch_fast(list(read))]
        logits = np.zeros((len(read), len(self.heads)))
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            padded = np.full((len(batch), len(ids[batch[-1]])), PADDING)
            for row, i in enumerate(batch):
                padded[row, : len(ids[i])] = ids[i]
            asked = {"ids": padded, "mask": (padded != PADDING).astype(np.int64)}
            logits[batch] = self.session.run(["logits"], asked)[0]
        return logits
