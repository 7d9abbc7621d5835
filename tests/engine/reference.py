"""A folder with a model, exchanges -> what transformers makes of its weights; every engine is to say the same."""

from collections.abc import Sequence
from math import exp
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.guards.dialects import DIALECTS, MIN_LABEL_MASS, Answer, Label, Piece, Question
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening
from tests.engine import checkpoints


def reference(folder: Path, name: str, exchanges: Sequence[Exchange]) -> list[Screening]:
    """Each label's probability in float32, one prompt at a time, the likelier label forced before the next."""
    dialect, tokenizer = DIALECTS[name], AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    encode = checkpoints.piece_encoder(tokenizer)

    def answer(question: Question) -> Answer:
        labels: list[Label] = []
        readings = []
        for field in question.form.fields:
            ids = encode([*question.pieces(), Piece(question.forced(labels), trusted=True)])
            with torch.inference_mode():
                logprobs = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0, -1], dim=-1)
            numbers = field.label_ids(lambda text: encode([Piece(text, trusted=True)]))
            reading = {label: exp(logprobs[number]) for label, number in numbers.items()}
            assert sum(reading.values()) > MIN_LABEL_MASS
            readings.append(reading)
            labels.append(max(field.labels, key=lambda label: reading[label.name]))
        return Answer(readings=tuple(readings))

    version = GuardVersion(name=name)
    return [
        dialect.combine([(question, answer(question)) for question in dialect.questions(exchange)], version)
        for exchange in exchanges
    ]
