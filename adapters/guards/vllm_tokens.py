"""Prompts and a dialect's labels -> token ids of the model's own tokenizer, and back."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from adapters.guards.dialects import RIVALS, Dialect, Field, Piece, encoder
from bot.core.base.errors import Broken

Ids = list[int]

#: So many texts take longer to tokenise than to hand over.
WORTH_A_THREAD = 16


class Prompts:
    """Text to token ids and back, with the model's own tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise Broken("the model has no tokenizer.json: convert its tokenizer with transformers first")
        self._tokenizer = tokenizer
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.encode_special_tokens = True  # a control token in a user's text is text
        self._backend.no_padding()
        self._backend.no_truncation()
        control = {token.content: number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        # Runs of ordinary text become negative numbers here, so that those of a whole batch are encoded in one go.
        self._runs: dict[str, int] = {}
        self._plan = encoder(control, lambda run: (-1 - self._runs.setdefault(run, len(self._runs)),))
        self._static: dict[str, Ids] = {}

    @property
    def unknown(self) -> int | None:
        number = self._tokenizer.unk_token_id
        return None if number is None else int(number)

    def token(self, number: int) -> str:
        return str(self._tokenizer.convert_ids_to_tokens(number))

    def render(self, messages: list[dict[str, str]], arguments: dict[str, str | bool]) -> str:
        """By the tokenizer's chat template. Raises Broken where it has none."""
        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, **arguments))
        except ValueError as error:
            raise Broken("the model's chat template cannot be used: {why}", why=error) from None

    def count(self, text: str) -> int:
        return len(self._backend.encode(text, add_special_tokens=False).ids)

    def remember(self, prompts: Sequence[Sequence[Piece]]) -> list[Ids]:
        """Token ids, and these prompts' runs are never encoded again."""
        plans, runs = self._planned(prompts)
        encoded = self._encoded(runs)
        self._static |= zip(runs, encoded, strict=True)
        return _filled(plans, encoded)

    def encoded(self, pieces: Sequence[Piece]) -> Ids:
        """One prompt, at once."""
        plans, runs = self._planned([pieces])
        return _filled(plans, self._encoded(runs))[0]

    async def encode(self, prompts: Sequence[Sequence[Piece]], known: dict[str, Ids]) -> list[Ids]:
        """Token ids of each prompt; more than a few texts are encoded beside the event loop. `known` takes them, for
        prompts that come again with more behind them."""
        plans, runs = self._planned(prompts)
        fresh = [run for run in runs if run not in self._static and run not in known]
        ids = self._encoded(fresh) if len(fresh) <= WORTH_A_THREAD else await asyncio.to_thread(self._encoded, fresh)
        known |= zip(fresh, ids, strict=True)
        return _filled(plans, [self._static[run] if run in self._static else known[run] for run in runs])

    def texts(self, ids: Sequence[int], *, special: bool) -> list[str]:
        """What each token adds to the text."""
        whole = [self._tokenizer.decode(ids[:end], skip_special_tokens=not special) for end in range(len(ids) + 1)]
        return [after.removeprefix(before) for before, after in pairwise(whole)]

    def _planned(self, prompts: Sequence[Sequence[Piece]]) -> tuple[list[Ids], list[str]]:
        self._runs.clear()
        plans = [self._plan(pieces) for pieces in prompts]
        return plans, list(self._runs)

    def _encoded(self, runs: list[str]) -> list[Ids]:
        return [encoding.ids for encoding in self._backend.encode_batch_fast(runs, add_special_tokens=False)]


def _filled(plans: Sequence[Ids], runs: Sequence[Ids]) -> list[Ids]:
    return [[number for step in plan for number in ((step,) if step >= 0 else runs[-1 - step])] for plan in plans]


class Labels:
    """The tokens that are a dialect's labels."""

    def __init__(self, dialect: Dialect, prompts: Prompts) -> None:
        self._dialect = dialect
        self._prompts = prompts

    def of(self, field: Field) -> dict[str, int]:
        """Token ids by the label's name. Raises Broken where the tokenizer is not the guard's."""
        ids = field.label_ids(self._encode)
        if self._prompts.unknown in ids.values():
            raise Broken(
                "the tokenizer does not know the labels of {guard}: it is not this guard's", guard=self._dialect.name
            )
        return ids

    def classes(self) -> list[str]:
        """Tokens, as the vocabulary spells them: the negative label, the positive one, what stands there instead."""
        name = self._dialect.name
        if self._dialect.classifier is None or len(self._dialect.classifier) != 2:
            raise Broken('{name} does not answer with one pair of labels: set the mode to "generate"', name=name)
        found = set()
        for field in (field for form in self._dialect.forms for field in form.fields):
            ids = self.of(field)
            anchor = len(self._encode(field.anchor or ""))
            if any(len(self._encode(f"{field.anchor}{label.text}")) > anchor + 1 for label in field.labels):
                raise Broken(
                    "the labels of {name} are not single tokens here: the model is not this guard's", name=name
                )
            found.add(tuple(ids[label.name] for label in field.labels))
        if len(found) > 1:
            raise Broken(
                'the labels of {name} are other tokens from line to line: set the mode to "generate"', name=name
            )
        pair = found.pop()
        return [self._prompts.token(number) for number in dict.fromkeys((*pair, *self._rivals()))]

    def _rivals(self) -> Iterator[int]:
        """Where no anchor stands before the label, or it joins what follows, they are those that begin a text."""
        anchor = self._dialect.forms[0].fields[0].anchor or ""
        head = self._encode(anchor)
        for rival in RIVALS:
            whole = self._encode(anchor + rival)
            first = whole[len(head)] if whole[: len(head)] == head and len(whole) > len(head) else None
            if first is not None and first != self._prompts.unknown:
                yield first

    def _encode(self, text: str) -> Ids:
        return self._prompts.remember([(Piece(text, trusted=True),)])[0]
