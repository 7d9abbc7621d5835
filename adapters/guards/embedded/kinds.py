"""The model of kinds of harm: texts come in, calibrated probabilities of each kind go out. n-grams look at everything
and settle what is surely innocent; the encoder looks at the rest, and both have a say. What reads like a comment on
news is as rude as the model of comments says, and a plain cry for help is taken for one."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guards.embedded import cries, quoting
from adapters.guards.embedded.encoder import Encoder
from adapters.guards.embedded.features import STEMS, windows
from adapters.guards.embedded.model import Model
from adapters.guards.embedded.ngrams import Ngrams
from adapters.guards.embedded.reading import reading
from bot.core.guarding.verdict import YES
from bot.core.text.views import views

SHIPPED = Path(__file__).parent / "kinds.npz"
WINDOW, STRIDE = 110, 80  # characters, about as many as the network reads of a text
#: What comments on news are labelled for, and what the encoder's own view of them counts beside that of their model.
RUDE, GUIDE, GUIDE_WEIGHT = ("abuse", "hate", "threat", "sexual_harassment", "bullying"), "kmhas_valid", 0.5
SHORT = 10, 20  # letters: up to the first a text is judged as if it were one, from the second on by what it reads like
CLOAKED = ("doxxing", "advertising", "fraud", "grooming")  # what a cry is added to as a cloak
LONG = 1_000  # characters: what is typed in one window, unless it is mostly signs that nobody sees
HARDLY = 0.02  # so little like a comment that their model is not asked
_CONSONANT, _SYLLABLE = re.compile("[ㄱ-ㅎ]"), re.compile("[가-힣]")


@dataclass(frozen=True, slots=True)
class Judged:
    kinds: NDArray[np.float64]  # (texts, kinds) probabilities
    quotes: NDArray[np.float64]  # (texts,) that somebody else's words are quoted or reported
    windows: list[int]  # (texts,) how many were read of each


@dataclass(frozen=True, slots=True, eq=False)
class KindModel:
    """probability(head) = sigmoid(of both: encoder, n-grams, offset; alone: n-grams, offset), fitted on pens that
    neither half has learned from."""

    ngrams: Ngrams  # the last head: whether the text reads like a comment on news
    encoder: Encoder | None
    comments: Model
    heads: tuple[str, ...]  # by column
    kinds: tuple[str, ...]  # those of the heads that are kinds of harm
    both: NDArray[np.float64]  # (3, heads)
    alone: NDArray[np.float64]  # (2, heads)
    sure: float  # where n-grams alone find no head of harm likelier than this, the encoder is not asked
    about: Mapping[str, Any]  # sources, licences, seeds, versions
    revision: str  # hash of the files

    @classmethod
    def load(cls, path: Path = SHIPPED, *, encoder: bool = True) -> "KindModel":
        """Reads a model file and, beside it, those of comments and of the encoder. Raises OSError or ValueError for
        what is none; never unpickles."""
        content, comments = path.read_bytes(), Model.load(path.with_name("model.npz"))
        network, revision = path.with_name("encoder.onnx"), sha256(content)
        try:
            with np.load(BytesIO(content), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                ngrams = Ngrams(file["weights"], file["scale"], file["bias"])
                both, alone = file["both"], file["alone"]
        except Exception as error:  # a broken archive raises whatever its first wrong byte leads to
            raise ValueError("not a model of kinds of harm") from error
        if encoder:
            with network.open("rb") as lines:
                for some in lines:
                    revision.update(some)
        revision.update(comments.revision.encode())
        thorough = Encoder.read(network) if encoder else None
        heads = tuple(about["heads"])
        if thorough and (thorough.heads[: len(heads)] != heads or GUIDE not in thorough.heads):
            raise ValueError("the encoder was taught other kinds of harm")
        return cls(
            ngrams=ngrams,
            encoder=thorough,
            comments=comments,
            heads=heads,
            kinds=tuple(about["kinds"]),
            both=both,
            alone=alone,
            sure=about["sure"],
            about=about,
            revision=revision.hexdigest()[:12],
        )

    @property
    def way(self) -> int:
        """In which it was taught to read (`reading`)."""
        return int(self.about.get("reading", 1))

    def judged(self, texts: Sequence[str]) -> Judged:
        """Harm is of its likeliest kind: that there is any is known more surely than which."""
        pieces = [(index, piece) for index, text in enumerate(texts) for _, piece in windows(text, WINDOW, STRIDE)]
        of, read = [index for index, _ in pieces], [reading(piece, self.way) for _, piece in pieces]
        count = np.bincount(of, minlength=len(texts))
        logits, like_comment, as_comment = self.logits(read)
        side = np.where(np.array(self.heads) == "quotes", -1.0, 1.0)  # a text quotes where every window does
        found = side * _worst(side * logits, of, len(texts))
        heads = dict(zip(self.heads, (1 / (1 + np.exp(-found))).T, strict=True))
        kinds = np.stack([heads[kind] for kind in self.kinds], axis=1)
        likeliest = np.arange(len(texts)), kinds.argmax(axis=1)
        kinds[likeliest] = np.maximum(kinds[likeliest], heads["harm"])
        comment = 1 / (1 + np.exp(-np.bincount(of, like_comment, minlength=len(texts)) / count))
        length = np.bincount(of, [len(one.replace(" ", "")) for one in read], minlength=len(texts))
        comment = np.maximum(comment, np.clip((SHORT[1] - length) / (SHORT[1] - SHORT[0]), 0, 1))
        self._as_comments(texts, kinds, comment, _worst(as_comment[:, None], of, len(texts))[:, 0])
        for index in {index for index, one in zip(of, read, strict=True) if cries.cry(one)}:
            self._as_cry(kinds[index], heads["quotes"][index])
        harmful = logits[:, np.array(self.heads) != "quotes"].max(axis=1, initial=-np.inf) > 0
        for index in np.flatnonzero(kinds.max(axis=1, initial=0.0) >= YES).tolist():
            its = [at for at, other in enumerate(of) if other == index]
            rude = [pieces[at][1] for at in its if harmful[at]] if len(its) > 1 else [texts[index][:LONG]]
            if rude and all(map(quoting.quoted, rude)):
                heads["quotes"][index] = max(heads["quotes"][index], quoting.PERHAPS)
        return Judged(kinds, heads["quotes"], count.tolist())

    def _as_cry(self, kinds: NDArray[np.float64], quotes: float) -> None:
        """Changes the kinds of one text in place."""
        found = dict(zip(self.kinds, kinds.tolist(), strict=True))
        if quotes < YES and all(found[kind] < YES for kind in CLOAKED):
            kinds[self.kinds.index("self_harm")] = max(found["self_harm"], cries.SURE)

    def _as_comments(
        self, texts: Sequence[str], kinds: NDArray[np.float64], comment: NDArray[np.float64], more: NDArray[np.float64]
    ) -> None:
        """Changes `kinds` in place: the worst of the rude ones to what is expected of a text that is a comment with
        this probability, the others along with it."""
        rude = np.array([self.kinds.index(kind) for kind in RUDE])
        of = np.flatnonzero(comment > HARDLY)
        scores = self.comments.score([texts[i] for i in of.tolist()])
        rather = 1 / (1 + np.exp(-(np.array([score.logit for score in scores]) + more[of])))
        worst = kinds[of][:, rude].max(axis=1)
        expected = (1 - comment[of]) * worst + comment[of] * rather
        initials = np.array([_in_initials(texts[i]) for i in of.tolist()], bool)
        expected[initials] = np.minimum(expected, worst)[initials]
        kinds[np.ix_(of, rude)] *= (expected / worst)[:, None]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, kinds)"""
        return self.judged(texts).kinds

    def logits(self, read: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of each reading: (readings, heads) calibrated; whether it reads like a comment; and how much ruder the
        encoder finds it as such, 0 where it is not asked."""
        every = self.ngrams.logits(read)
        quick, like_comment = every[:, :-1], every[:, -1]
        slope, offset = self.alone
        logits, as_comment = slope * quick + offset, np.zeros(len(read))
        if self.encoder:
            harm = logits[:, np.array(self.heads) != "quotes"].max(axis=1, initial=-np.inf)
            unsure = np.flatnonzero(harm > np.log(self.sure / (1 - self.sure)))
            of_encoder, of_ngrams, offset = self.both
            thorough = self.encoder.logits([read[i] for i in unsure.tolist()])
            as_comment[unsure] = GUIDE_WEIGHT * thorough[:, self.encoder.heads.index(GUIDE)]
            thorough = thorough[:, : len(self.heads)]
            logits[unsure] = of_encoder * thorough + of_ngrams * quick[unsure] + offset
        return logits, like_comment, as_comment

    def evidence(self, text: str, kind: str) -> tuple[str, ...]:
        """The pieces of a text that weighed most for a kind."""
        head = self.heads.index(kind)
        read = [reading(piece, self.way) for _, piece in windows(text, WINDOW, STRIDE)]
        if kind == "self_harm" and (found := [one for one in map(cries.cry, read) if one]):
            return tuple(dict.fromkeys(found))
        worst = int(self.ngrams.logits(read)[:, head].argmax())
        return self.ngrams.evidence(read[worst], head)


def _in_initials(text: str) -> bool:
    """Whether much of it is bare consonants that spell no swearword: the model of comments takes such runs for rude."""
    if 2 * len(_CONSONANT.findall(text)) < len(_SYLLABLE.findall(text)) or not _CONSONANT.search(text):
        return False
    seen = views(text)
    return not any(stem.search(f"{seen.opened or seen.plain} {seen.initials}") for stem in STEMS.values())


def _worst(logits: NDArray[np.float64], of: Sequence[int], texts: int) -> NDArray[np.float64]:
    """(texts, heads) the highest of each text's windows."""
    worst = np.full((texts, logits.shape[1]), -np.inf)
    np.maximum.at(worst, of, logits)
    return worst
