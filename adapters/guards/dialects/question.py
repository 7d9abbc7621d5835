"""One question to a guard: rendered prompt and expected labels in, what a model wrote or how probable it was out."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Task


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt. Trusted text comes from a template and may hold control tokens; untrusted text is a user's
    and must be tokenised without looking for them."""

    text: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt that only the guard's own tokenizer can render: turns of (role, pieces) and template arguments."""

    turns: tuple[tuple[str, tuple[Piece, ...]], ...]
    arguments: tuple[tuple[str, str | bool], ...]  # add_generation_prompt among them

    def messages(self) -> list[dict[str, str]]:
        """For a chat completions endpoint: the same text that `pieces` yields, tokenised by the server."""
        return [{"role": role, "content": "".join(piece.text for piece in pieces)} for role, pieces in self.turns]

    def pieces(self, render: "Render") -> tuple[Piece, ...]:
        """Render with a mark in place of every user text, then put the texts where the marks came out: no user text
        passes through the template. Raises Broken where the template drops or repeats a text."""
        texts: dict[str, Piece] = {}
        messages: list[dict[str, str]] = []
        for role, pieces in self.turns:
            content = ""
            empty = not any(piece.text for piece in pieces)  # a template may ask whether a turn is
            for piece in pieces:
                if piece.trusted or empty:
                    content += piece.text
                else:
                    mark = f"\ue000{len(texts)}\ue001"
                    texts[mark] = piece
                    content += mark
            messages.append({"role": role, "content": content})
        parts = [part for part in re.split("(\ue000\\d+\ue001)", render(messages, dict(self.arguments))) if part]
        if sorted(part for part in parts if part in texts) != sorted(texts):
            raise Broken("the tokenizer's chat template does not keep each text of the exchange exactly once")
        return tuple(texts.get(part) or Piece(part, trusted=True) for part in parts)


#: What a model writes in place of a label that is not answering the question it was taught. A classifier sees nothing
#: but the tokens it was made from: with the first ones of these beside its labels it tells how much they have at most.
RIVALS = (
    " Yes", " No", " YES", " NO", " The", " This", " It", " I", " Not", " not", " None", " none", " N", " n", " safe",
    " unsafe", " harmful", " 예", " 네", " 아니", " 유", " 해", " '", " \"", " **", "\n", "\n\n", "Yes", "No", "I",
)  # fmt: skip

#: A tokenizer's `apply_chat_template(messages, tokenize=False, **arguments)`.
Render = Callable[[list[dict[str, str]], dict[str, str | bool]], str]


@dataclass(frozen=True, slots=True)
class Label:
    """One word a guard may write at a field. `text` is exactly what follows the anchor, a leading space included."""

    text: str
    positive: bool = False
    category: str | None = None

    @property
    def name(self) -> str:
        return self.text.strip()


@dataclass(frozen=True, slots=True)
class Field:
    """One label that a guard writes. `anchor` is what stands between the previous label (or the prompt) and this one;
    None where the guard writes free text there, so that the label cannot be forced. A field without a task is only
    read because later ones depend on it."""

    name: str  # the group of the form's pattern that holds the label
    anchor: str | None
    labels: tuple[Label, ...]
    task: Task | None = None

    def label(self, token: str) -> Label | None:
        """The label a token begins or is, in any spelling (" yes", "▁Yes", "YES"); None where it is none or several."""
        word = token.strip(" \t\n▁ĠĊ").casefold()
        exact = [label for label in self.labels if label.name.casefold() == word]
        begun = [label for label in self.labels if len(word) > 1 and label.name.casefold().startswith(word)]
        found = exact or begun
        return found[0] if len(found) == 1 else None

    def reading(self, probabilities: Mapping[str, float]) -> dict[str, float]:
        """Probability of each label (by name) from those of the likeliest next tokens (by text), spellings summed."""
        reading = {label.name: 0.0 for label in self.labels}
        for token, probability in probabilities.items():
            if label := self.label(token):
                reading[label.name] += probability
        return reading

    def classified(self, logits: Sequence[float]) -> dict[str, float]:
        """Probability of each label (by name) from what a classifier of them gives: their logits in their order and
        those of `RIVALS`, or, of two labels, the log-odds of the second alone, which hide the rivals. Those that are no
        numbers have no probability. Raises ValueError where these are no logits of the labels."""
        if len(logits) < len(self.labels) and len(logits) != 1:
            raise ValueError("not the logits of these labels")
        if any(math.isnan(logit) for logit in logits):
            return dict.fromkeys((label.name for label in self.labels), 0.0)
        kept = [max(-700.0, min(700.0, logit)) for logit in ((0.0, *logits) if len(logits) == 1 else logits)]
        weights = [math.exp(logit - max(kept)) for logit in kept]
        total = math.fsum(weights)
        return {label.name: weight / total for label, weight in zip(self.labels, weights, strict=False)}

    def label_ids(self, encode: Callable[[str], Sequence[int]]) -> dict[str, int]:
        """The token that begins each label (by name) after the anchor; `encode` reads control tokens.
        Raises Broken where the vocabulary cannot tell the labels apart there."""
        if self.anchor is None:
            raise Broken("the label {label} follows free text and cannot be forced", label=self.name)
        head = list(encode(self.anchor))
        ids: dict[str, int] = {}
        for label in self.labels:
            whole = list(encode(self.anchor + label.text))
            if whole[: len(head)] != head or len(whole) == len(head):
                raise Broken(
                    "the tokenizer joins the anchor and the label {label!r}: it is not this guard's", label=label.text
                )
            ids[label.name] = whole[len(head)]
        if len(set(ids.values())) < len(ids):
            raise Broken(
                "the labels of {label} begin with the same token: this tokenizer cannot score them", label=self.name
            )
        return ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """One way to ask a guard: a template with {prompt} and {response}, or chat turns of them for its tokenizer to
    render, and the answer that it writes."""

    name: str  # what it judges, "prompt" or "response", and after a full stop by which policy
    template: str = ""
    card: tuple[tuple[str, str], ...] = ()  # of a template: the turns that its tokenizer should render to the same
    turns: tuple[tuple[str, str], ...] = ()
    arguments: tuple[tuple[str, str | bool], ...] = ()
    fields: tuple[Field, ...]
    answer: re.Pattern[str]  # named groups: the fields, and `categories` where the guard writes a list
    max_tokens: int
    stop: tuple[str, ...] = ()
    special_answer: bool = False  # the answer is a control token: decode with skip_special_tokens=False
    seen: frozenset[tuple[str, ...]] = frozenset()  # combinations of labels in real outputs; empty: not measured
    sources: tuple[str, ...] = ()  # keys of templates.json

    @property
    def judges(self) -> str:
        return self.name.partition(".")[0]

    @property
    def length(self) -> int:
        """Characters without the texts, as far as they are known here."""
        return len(self.template) + sum(len(text) for _, text in self.turns)

    def filled(self, prompt: str, response: str) -> tuple[Piece, ...] | Chat:
        """The form with texts that are already harmless."""
        if self.turns:
            return Chat(tuple((role, _fill(text, prompt, response)) for role, text in self.turns), self.arguments)
        return _fill(self.template, prompt, response)

    def sample(self) -> tuple[str, list[dict[str, str]]]:
        """A prompt as we send it, and the messages that the guard's tokenizer should render to the same."""
        texts = {"prompt": "안녕하세요", "response": "반갑습니다"}

        def said(template: str) -> str:
            return "".join(piece.text for piece in _fill(template, **texts))

        return said(self.template), [{"role": role, "content": said(text)} for role, text in self.card]

    def labels(self, text: str) -> dict[str, str] | None:
        """Field names and the labels that a guard's raw text gives them; None where it does not parse."""
        match = self.answer.match(text)
        return {field.name: match[field.name] for field in self.fields} if match else None


def _fill(template: str, prompt: str, response: str) -> tuple[Piece, ...]:
    texts = {"{prompt}": prompt, "{response}": response}
    return tuple(
        Piece(texts[part], trusted=False) if part in texts else Piece(part, trusted=True)
        for part in re.split(r"(\{prompt\}|\{response\})", template)
        if part
    )


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token: its text and the probabilities of the likeliest tokens in its place, by their text."""

    text: str
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said to one question: a probability of each label (by name) for each field of the form, in order,
    or the text that it wrote, or both. `truncated`: it was cut off by max_tokens."""

    readings: tuple[Mapping[str, float], ...] = ()
    text: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt for a guard. Equal questions have equal answers."""

    form: Form
    prompt: tuple[Piece, ...] | Chat
    window: int = field(default=0, compare=False)  # which window of a long text, from 0

    def pieces(self, render: Render | None = None) -> tuple[Piece, ...]:
        """The prompt. `render` is needed where the form has chat turns; without it those raise Broken."""
        if not isinstance(self.prompt, Chat):
            return self.prompt
        if render is None:
            raise Broken("this guard's prompt is rendered by its own tokenizer, and none was given")
        return self.prompt.pieces(render)

    @property
    def tokens(self) -> int:
        """About so many: three bytes make one, four characters of a template."""
        turns = self.prompt.turns if isinstance(self.prompt, Chat) else (("", self.prompt),)
        pieces = [piece for _, some in turns for piece in some]
        return 1 + sum(len(one.text) // 4 if one.trusted else len(one.text.encode()) // 3 for one in pieces)

    def forced(self, labels: Sequence[Label] = ()) -> str:
        """What to append to the prompt so that the next token is the label of field number len(labels), given the
        labels of the fields before it. Raises Broken where free text stands between."""
        anchors = [field.anchor for field in self.form.fields[: len(labels) + 1]]
        if None in anchors:
            raise Broken("free text stands before this label: it cannot be forced, let the guard generate")
        texts = [label.text for label in labels] + [""]
        return "".join(f"{anchor}{text}" for anchor, text in zip(anchors, texts, strict=True))

    def read(self, tokens: Sequence[Token], *, truncated: bool = False) -> Answer:
        """The answer from generated tokens: their text, and the label probabilities at the position of each field."""
        text = "".join(token.text for token in tokens)
        match = self.form.answer.match(text)
        if match is None:
            return Answer(text=text, truncated=truncated)
        readings = []
        for field_ in self.form.fields:
            position, end = -1, 0
            while end <= match.start(field_.name):
                position += 1
                end += len(tokens[position].text)
            readings.append(field_.reading(tokens[position].probabilities))
        return Answer(readings=tuple(readings), text=text, truncated=truncated)


def encoder(
    specials: Mapping[str, int], plain: Callable[[str], Sequence[int]]
) -> Callable[[Iterable[Piece]], list[int]]:
    """Pieces to token ids. `specials`: the tokenizer's control tokens; `plain`: encodes text without looking for them
    and without adding BOS. Control tokens come from trusted pieces alone; the ordinary text between two of them, a
    user's and the template's, is encoded together, so the ids are exactly those of the whole string (a vocabulary
    may join "?" and the blank line after it)."""
    control = re.compile("|".join(re.escape(token) for token in sorted(specials, key=len, reverse=True)) or r"(?!)")

    def encode(pieces: Iterable[Piece]) -> list[int]:
        ids: list[int] = []
        run = ""
        for piece in pieces:
            done = 0
            for match in control.finditer(piece.text) if piece.trusted else ():
                if run := run + piece.text[done : match.start()]:
                    ids += plain(run)
                ids.append(specials[match[0]])
                run, done = "", match.end()
            run += piece.text[done:]
        return [*ids, *plain(run)] if run else ids

    return encode
