"""The shapes that a model of kinds of harm could have: a name -> how it learns from our lines and public texts."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from adapters.guards.embedded.training import linear_kinds
from adapters.guards.embedded.training.comparison import SEED
from adapters.guards.embedded.training.corpora import Lesson
from adapters.guards.embedded.training.linear_kinds import Judge
from adapters.guards.embedded.training.side_by_side import beside

#: Our lines, public texts, where it says how far it is -> a judge of texts.
Learn = Callable[[Sequence[Lesson], Sequence[Lesson], Callable[[str], None]], Judge]
EPOCHS = 3


def candidates() -> dict[str, Learn]:
    """Those that need PyTorch last."""
    return {
        "n-grams": partial(_linear, linear_kinds.ngrams),
        "n-grams and jamo": partial(_linear, linear_kinds.jamo),
        "static embeddings": _static,
        "convolutions over jamo": _convolutions,
        "encoder of 4 layers": partial(_encoder, range(4)),
        "encoder of 6 layers": partial(_encoder, range(6)),
    }


def _linear(
    look: Callable[[Sequence[str]], Any], ours: Sequence[Lesson], theirs: Sequence[Lesson], say: Callable[[str], None]
) -> Judge:
    return linear_kinds.taught([*ours, *theirs], look)


def _static(ours: Sequence[Lesson], theirs: Sequence[Lesson], say: Callable[[str], None]) -> Judge:
    from adapters.guards.embedded.training.networks.pretrained import static

    return linear_kinds.taught([*ours, *theirs], static)


def _convolutions(ours: Sequence[Lesson], theirs: Sequence[Lesson], say: Callable[[str], None]) -> Judge:
    import torch

    from adapters.guards.embedded.training.networks import encoder, teaching
    from adapters.guards.embedded.training.networks.convolutions import Convolutions, letters

    torch.manual_seed(SEED)
    network = Convolutions()
    epochs = _epochs(ours, theirs, 2 * EPOCHS)  # it has all to learn
    teaching.taught(network, letters, epochs, rate=10 * teaching.RATE, seed=SEED, progress=say)
    return encoder.judge(network, letters)


def _encoder(
    layers: Sequence[int], ours: Sequence[Lesson], theirs: Sequence[Lesson], say: Callable[[str], None]
) -> Judge:
    import torch

    from adapters.guards.embedded.training.networks import encoder, teaching
    from adapters.guards.embedded.training.networks.pretrained import Pretrained

    pretrained = Pretrained.load()
    tokeniser, rows = pretrained.cut(one.text for one in (*ours, *theirs))
    torch.manual_seed(SEED)
    network, ids = encoder.Encoder(pretrained, rows, layers=layers), encoder.pieces(tokeniser)
    teaching.taught(network, ids, _epochs(ours, theirs, EPOCHS), rate=teaching.RATE, seed=SEED, progress=say)
    return encoder.judge(network, ids)


def _epochs(ours: Sequence[Lesson], theirs: Sequence[Lesson], many: int) -> list[list[Lesson]]:
    """The last with lines beside innocent ones."""
    chance = Random(SEED)
    every = [[*ours, *theirs] for _ in range(many)]
    return [*every[:-1], beside(every[-1], chance)]
