"""A guard's dialect: which questions an exchange becomes, and what verdict the answers to them add up to."""

import hashlib
import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from adapters.guards.dialects.question import Answer, Form, Label, Question
from adapters.guards.dialects.user_text import harmless, pair_windows, token_bound, windows
from bot.core.guarding.canary import Canary
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import Exchange, GuardVersion, Judgement, Part, Screening, Task, Unscreened, Verdict
from bot.core.text.views import readings

#: Below this sum of the label probabilities the model is not answering the question it was trained on.
MIN_LABEL_MASS = 0.9

#: Tokens around a window of user text.
TEMPLATE_ROOM = 1024

# Reasons of Unscreened.
UNPARSEABLE = "the guard's answer does not parse"
TRUNCATED = "the guard's answer was cut off"
LOW_LABEL_MASS = "the guard hardly considered its own labels"
NOT_JUDGED = "the guard cannot judge this kind of exchange"

#: Raise it when the handling of user text or the reading of answers changes: the forms themselves do not show that.
_PARSER_VERSION = 1


class Category(NamedTuple):
    """What a guard calls a category, and which kind of harm that is."""

    name: str
    kind: HarmKind = HarmKind.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dialect:
    """One guard. Prompt harm always comes from a form that judges the prompt alone, refusal and response harm from one
    that judges the response: what a guard says of a prompt beside a response depends on that response."""

    name: str
    model: str  # the published weights it is for
    korean: bool  # whether the authors state Korean
    context: int  # tokens the guard was trained on or is stated to take
    window: int  # tokens of user text judged at once; longer texts are judged in overlapping windows
    forms: tuple[Form, ...]
    sections: tuple[str, ...]  # line openings of the prompts that user text must not forge
    categories: Mapping[str, Category]  # by code, or name, as it stands in verdicts
    unverified: tuple[str, ...] = ()  # what was not checked on the guard's own tokenizer
    canaries: tuple[Canary, ...] = ()  # that the published weights have judged
    is_as_card: bool = False

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset(field.task for form in self.forms for field in form.fields if field.task)

    @property
    def classifier(self) -> tuple[str, ...] | None:
        """The label texts, negative first, that one converted classifier needs for every field; None: no such one."""
        fields = [field for form in self.forms for field in form.fields]
        texts = {tuple(label.text for label in field.labels) for field in fields}
        return texts.pop() if len(texts) == 1 and all(field.anchor is not None for field in fields) else None

    @property
    def served_context(self) -> int:
        """Tokens that an engine must take: a window and the template around it."""
        return min(self.context, self.window + TEMPLATE_ROOM)

    def serve(
        self, model: str = "", revision: str = "", options: Mapping[str, str | int | float | bool] | None = None
    ) -> str:
        """The command that starts a server of it. `options`: by vLLM's own names, see its AsyncEngineArgs."""
        wanted = (
            ({"revision": revision} if revision else {}) | {"max_model_len": self.served_context} | dict(options or {})
        )
        words = ["vllm", "serve", model or self.model]
        for name, value in wanted.items():
            flag = name.replace("_", "-")
            words += (
                [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
            )
        return shlex.join(words)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits over everything that decides what is asked and how an answer is read."""
        content = [_PARSER_VERSION, self.window, self.sections, [_content(form) for form in self.forms]]
        return _sha256([*content, "as card"] if self.is_as_card else content)[:12]

    def questions(self, exchange: Exchange, measure: Callable[[str], int] = token_bound) -> tuple[Question, ...]:
        """Everything to ask about the exchange; nothing where the guard cannot judge it. An unknown prompt is asked as
        an empty one. `measure` counts the tokens of a text for this guard."""

        if self.is_as_card:
            form = self.forms[exchange.response is not None]
            return (Question(form, form.filled(exchange.prompt or "", exchange.response or "")),)

        def cost(text: str) -> int:
            text = harmless(text, self.sections)
            bound = token_bound(text)
            return bound if bound <= self.window // 2 else measure(text)  # spares short texts the tokenizer

        prompt, response = exchange.prompt, exchange.response
        kinds = {form.judges for form in self.forms}
        texts: dict[str, tuple[tuple[str, str], ...]] = {"prompt": (), "response": ()}
        if prompt is not None and "prompt" in kinds:
            texts["prompt"] = tuple((part, "") for one in readings(prompt) for part in windows(one, self.window, cost))
        if response is not None and "response" in kinds:
            texts["response"] = tuple(
                pair
                for asked, answered in zip_longest(readings(prompt or ""), readings(response))
                for pair in pair_windows(asked or prompt or "", answered or response, self.window, cost)
            )
        return tuple(
            Question(form, form.filled(harmless(asked, self.sections), harmless(answered, self.sections)), window)
            for form in self.forms
            for window, (asked, answered) in enumerate(texts[form.judges])
        )

    def tokens(self, exchange: Exchange) -> int:
        """About so many, in all questions about the exchange: three bytes of a text make one, four of a template."""
        texts = {"prompt": exchange.prompt, "response": exchange.response}
        asked = [form for form in self.forms if texts[form.judges] is not None]
        length = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts.values() if text)
        return sum(form.length // 4 + length // 3 for form in asked) or 1

    def combine(self, answered: Iterable[tuple[Question, Answer]], guard: GuardVersion) -> Screening:
        """The verdict: for each task the highest score of any window and policy (raw, uncalibrated). One answer that
        cannot be relied on makes the whole exchange Unscreened."""
        kinds: dict[tuple[Part, HarmKind], float] = {}
        categories: set[str] = set()
        refusal: float | None = None
        count = 0
        odd: list[str] = []
        for question, answer in answered:
            labels = {field.name: one for field, one in zip(question.form.fields, answer.readings, strict=False)}
            overheard(question.form.name, labels, answer.text or "", question.window)
            judged = self._judge(question.form, answer)
            odd += self.anomalies(question.form, answer)
            if isinstance(judged, str):
                return Unscreened(reason=judged, guard=guard)
            for what, score in judged.kinds.items():
                kinds[what] = max(score, kinds.get(what, 0.0))
            if judged.refusal is not None:
                refusal = max(judged.refusal, refusal or 0.0)
            categories |= judged.categories
            count = max(count, question.window + 1)
        if not kinds and refusal is None:
            return Unscreened(reason=NOT_JUDGED, guard=guard)
        found = tuple(Judgement(*what, score, guard.name) for what, score in kinds.items())
        return Verdict(
            guard=guard,
            found=found,
            refusal=refusal,
            categories=frozenset(categories),
            windows=count,
            anomalies=tuple(odd),
        )

    def anomalies(self, form: Form, answer: Answer) -> tuple[str, ...]:
        """What is odd about an answer that parses, in stable phrases to count. Never a reason to trust it less."""
        match = form.answer.match(answer.text) if answer.text is not None else None
        labels = tuple(match[field.name] for field in form.fields) if match else _likeliest(form, answer)
        found = []
        if form.seen and labels and labels not in form.seen:
            found.append("labels never seen together: " + "/".join(labels))
        if match is None or answer.text is None:
            return tuple(found)
        if answer.text[match.end() :].strip():
            found.append("text after the answer")
        if (listed := match.groupdict().get("categories")) and len(self._known(listed)) < len(_items(listed)):
            found.append("a category that this guard does not have")
        return tuple(found)

    def _judge(self, form: Form, answer: Answer) -> "_Judged | str":
        """What one answer says, or the reason to distrust it."""
        match = form.answer.match(answer.text) if answer.text is not None else None
        if answer.text is not None:
            # An answer of one token always ends at its limit; a longer one that does may lack its end ("S1" of "S10").
            cut = answer.truncated and form.max_tokens > 1
            if match is None or (cut and match.end() == len(answer.text)):
                return TRUNCATED if answer.truncated else UNPARSEABLE
        readings = answer.readings
        if not readings and match is not None:  # no probabilities: the label that was written has all of it
            readings = tuple(field.reading({match[field.name]: 1.0}) for field in form.fields)
        if len(readings) != len(form.fields):
            return UNPARSEABLE
        listed = self._known(match.groupdict().get("categories") or "") if match else frozenset()
        judged = _Judged({}, None, frozenset())
        for field, reading in zip(form.fields, readings, strict=True):
            mass = sum(reading.get(label.name, 0.0) for label in field.labels)
            if not mass >= (MIN_LABEL_MASS if not self.is_as_card else 1e-9):  # also where it is not a number
                return LOW_LABEL_MASS
            if field.task is None:
                continue
            likeliest = max(field.labels, key=lambda label: reading.get(label.name, 0.0))
            if self.is_as_card:
                reading, mass = {likeliest.name: 1.0}, 1.0
            share = {label: reading.get(label.name, 0.0) / mass for label in field.labels if label.positive}
            score = min(1.0, sum(share.values()))
            if field.task is Task.RESPONSE_REFUSAL:
                judged = judged._replace(refusal=score)
                continue
            part = Part.PROMPT if field.task is Task.PROMPT_HARM else Part.RESPONSE
            named = (listed | ({likeliest.category} if likeliest.category else set())) if likeliest.positive else set()
            judged = judged._replace(categories=judged.categories | named)
            judged.kinds.update({(part, kind): one for kind, one in self._kinds(share, score, named).items()})
        return judged

    def _kinds(self, share: Mapping[Label, float], score: float, named: Collection[str]) -> Mapping[HarmKind, float]:
        """Each with its probability. Labels that are categories have one each; of a list, each has that of the label
        before it. What is harmful, and no single kind accounts for it, is unspecified."""
        kinds: dict[HarmKind, float] = defaultdict(float)
        for label, one in share.items():
            if label.category:
                kinds[self.categories[label.category].kind] += one
        if not any(label.category for label in share):
            kinds |= {self.categories[category].kind: score for category in named}
        if score > max((min(1.0, one) for one in kinds.values()), default=-1.0):
            kinds[HarmKind.UNSPECIFIED] = score
        return {kind: min(1.0, one) for kind, one in kinds.items()}

    def _known(self, listed: str) -> frozenset[str]:
        """The guard's own categories in a list that it wrote, by code or by name."""
        keys = {spelling.casefold(): key for key, one in self.categories.items() for spelling in (key, one.name)}
        return frozenset(keys[item] for item in _items(listed) if item in keys)


class _Judged(NamedTuple):
    """What one answer says: of each part and kind the probability (raw, uncalibrated), that of a refusal where it was
    asked about, and what the guard calls what it found."""

    kinds: dict[tuple[Part, HarmKind], float]
    refusal: float | None
    categories: frozenset[str]


def _likeliest(form: Form, answer: Answer) -> tuple[str, ...]:
    """The labels of an answer without a text; nothing where some are missing."""
    pairs = zip(form.fields, answer.readings, strict=False)
    found = tuple(
        max((label.name for label in field.labels), key=lambda name: one.get(name, 0.0)) for field, one in pairs
    )
    return found if len(found) == len(form.fields) else ()


def _items(listed: str) -> frozenset[str]:
    """The entries of a comma-separated list, "None" being no entry."""
    return frozenset(item.strip().casefold() for item in listed.split(",")) - {"", "none"}


def _content(form: Form) -> list[Any]:
    fields = [
        [field.name, field.anchor, field.task, [[label.text, label.positive, label.category] for label in field.labels]]
        for field in form.fields
    ]
    rendered = [form.template, form.turns, form.arguments]
    return [form.name, rendered, fields, form.answer.pattern, form.max_tokens, form.stop, form.special_answer]


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def capability(dialect: Dialect) -> dict[str, Any]:
    """One row of `jikimi guards --json`. `sha256` of a form is that of its whole template, placeholders unfilled; where
    the guard's tokenizer renders it, that of its turns and template arguments."""
    return {
        "name": dialect.name,
        "model": dialect.model,
        "korean": dialect.korean,
        "tasks": [task.value for task in Task if task in dialect.tasks],
        "categories": {key: category.name for key, category in dialect.categories.items()},
        "kinds": sorted({category.kind for category in dialect.categories.values()} | {HarmKind.UNSPECIFIED}),
        "context": dialect.context,
        "window": dialect.window,
        "dialect": dialect.hash,
        "classify": dialect.classifier is not None,
        "forms": {
            form.name: {
                "judges": form.judges,
                "rendered_by": "the guard's tokenizer" if form.turns else "jikimi",
                "templates": list(form.sources),
                "sha256": _sha256([form.turns, form.arguments])
                if form.turns
                else hashlib.sha256(form.template.encode()).hexdigest(),
            }
            for form in dialect.forms
        },
        "unverified": list(dialect.unverified),
    }
