"""A network of convolutions over jamo, which knows nothing before it is taught: ids of letters come in, one logit a
head goes out. Small and quick: another shape, beside which the encoder is measured."""

import string
import unicodedata
from collections.abc import Sequence

from torch import Tensor, nn

from adapters.guards.embedded.reading import reading
from adapters.guards.embedded.training.corpora import HEADS

WIDTH, REACH, DEPTH = 128, 5, 3  # channels; letters that one convolution sees; convolutions, each reaching further
LETTERS = 280  # that are read of a text, some 110 syllables
_PADDING, _OTHER, _FIRST = 1, 3, 4
_JAMO = ((0x1100, 0x1113), (0x1161, 0x1176), (0x11A8, 0x11C3), (0x3131, 0x3164))
_ALPHABET = string.printable + "".join(chr(code) for start, end in _JAMO for code in range(start, end))
_ID = {letter: number for number, letter in enumerate(_ALPHABET, _FIRST)}


def letters(texts: Sequence[str]) -> list[list[int]]:
    """The readings of texts as ids of their jamo."""
    apart = (unicodedata.normalize("NFD", reading(text))[:LETTERS] for text in texts)
    return [[_ID.get(letter, _OTHER) for letter in f" {text} "] for text in apart]


class Convolutions(nn.Module):  # type: ignore[misc]
    """ids, mask (texts, letters) -> logits (texts, heads). Each head looks at the places that matter to it."""

    def __init__(self, heads: int = len(HEADS)) -> None:
        super().__init__()
        self.word = nn.Embedding(_FIRST + len(_ALPHABET), WIDTH, padding_idx=_PADDING)
        self.seen = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, REACH, padding=REACH // 2 * 2**depth, dilation=2**depth) for depth in range(DEPTH)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(DEPTH))
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(WIDTH, heads)
        self.look = nn.Linear(WIDTH, heads, bias=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        there = mask.to(self.look.weight.dtype)[:, :, None]
        x = self.word(ids)
        for seen, norm in zip(self.seen, self.norms, strict=True):
            x = norm(x + nn.functional.gelu(seen((x * there).transpose(1, 2)).transpose(1, 2)))
        looks = (self.look(x).transpose(1, 2) + (there[:, :, 0] - 1)[:, None, :] * 1e4).softmax(2).to(x.dtype)
        return (looks * self.head(self.drop(x)).transpose(1, 2)).sum(2)
