"""The guard model under vLLM in this process: exchanges come in, verdicts of the real model go out.

Two ways to ask, one engine for either:

* classify: the model is converted to a yes/no classifier, and one forward pass a prompt gives the logits of the labels
  that may come next, and of what a model that does not answer would write there. A form with several labels is walked
  label by label, each forced before the next is asked; the passes differ only at the end of the prompt, so they share
  the cached prefix.
* generate: the guard writes its answer, and the probabilities of the labels are read where it writes them. For guards
  with categories or with labels of their own; slower.

What makes it fast: static parts of prompts are tokenised once for ever, many texts at once beside the event loop, and
the engine gets token ids.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, product, takewhile
from math import exp
from pathlib import Path
from typing import Any, Literal

from adapters.guards.dialects import (
    DEFAULT,
    DIALECTS,
    Answer,
    Dialect,
    Form,
    Label,
    Piece,
    Question,
    Token,
)
from adapters.guards.dialects.chat_form import compare
from adapters.guards.vllm_restarts import DIES_OF_IT, RestartingEngine
from adapters.guards.vllm_start import model_files, started
from adapters.guards.vllm_tokens import Ids, Labels, Prompts
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.guarding.ports import PRIORITY, Answered
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened

Mode = Literal["classify", "generate"]


class VllmGuard:
    """One engine, in its own process below this one; it is started again where it dies."""

    def __init__(
        self,
        model: str | None = None,
        *,
        clock: Clock,
        revision: str | None = None,
        dialect: str | Dialect = DEFAULT,
        mode: Mode = "classify",
        max_model_len: int | None = None,
        gpu_memory_utilization: float = 0.9,
        dtype: str = "auto",
        load_format: str = "auto",
        engine_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Starts the engine; takes from half a minute to several minutes. `model` is a folder or a Hugging Face id,
        by default the dialect's own; `engine_options` go to vLLM as they are (see its AsyncEngineArgs).

        Raises Broken, saying what to change, where the model cannot be had, is not this dialect's or does not fit.
        """
        if isinstance(dialect, str) and dialect not in DIALECTS:
            raise Broken(
                "there is no guard dialect {given}: choose one of {names}", given=dialect, names=", ".join(DIALECTS)
            )
        self._dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self._mode = mode
        model = model or self._dialect.model
        config, tokenizer = model_files(model, revision)
        positions = getattr(config.get_text_config(), "max_position_embeddings", self._dialect.context)
        engine_options = dict(engine_options or {})
        context = engine_options.pop("max_model_len", max_model_len) or min(self._dialect.served_context, positions)
        self.prompts = Prompts(tokenizer)
        compare(self._dialect, lambda messages: self.prompts.render(messages, {"add_generation_prompt": True}))
        self._labels = Labels(self._dialect, self.prompts)
        self._limit = self._prompt_limit(context)
        self._version = GuardVersion(
            name=self._dialect.name,
            model=getattr(config, "_commit_hash", None) or revision or Path(model).name,
            dialect=self._dialect.hash,
        )
        self._numbers = count()
        self._takes_priorities = engine_options.get("scheduling_policy") == "priority"
        options: dict[str, Any] = {
            "model": model,
            "revision": revision,
            "max_model_len": context,
            "gpu_memory_utilization": gpu_memory_utilization,
            "dtype": dtype,
            "load_format": load_format,
            "disable_log_stats": True,
        }
        if mode == "classify":
            options |= _as_classifier(config, self._labels.classes())
        self._running = RestartingEngine(partial(started, options, engine_options), clock)
        self._asked = _asked_how(self._dialect, self._labels, mode)

    @property
    def version(self) -> GuardVersion:
        return self._version

    @property
    def tasks(self) -> frozenset[Task]:
        return self._dialect.tasks

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order. Cancelling it takes the requests out of the engine.
        Raises Unavailable where the engine has died, until it runs again."""
        asked = [self._dialect.questions(exchange, self.prompts.count) for exchange in exchanges]
        questions = list(dict.fromkeys(question for some in asked for question in some))
        answers = dict(zip(questions, await self._answers(questions), strict=True))
        return [self._dialect.combine([(q, answers[q]) for q in some], self._version) for some in asked]

    is_continuous = True

    def tokens(self, exchange: Exchange) -> int:
        return self._dialect.tokens(exchange)

    async def judge_each(self, exchanges: Sequence[Exchange], answered: Answered) -> None:
        """As `judge`; each exchange on its own way through the engine."""

        async def one(place: int) -> None:
            exchange = exchanges[place]
            if self._running.is_deadly(exchange):
                answered(place, Unscreened(DIES_OF_IT, self._version))
                return
            async with self._running.asked(exchange):
                (screening,) = await self.judge([exchange])
            answered(place, screening)

        try:
            async with asyncio.TaskGroup() as group:
                for place in range(len(exchanges)):
                    group.create_task(one(place))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def parameters(self, form: Form) -> Any:
        """vLLM's, for a question of that form."""
        return self._asked[form].params

    @property
    def engine(self) -> Any:
        """vLLM's AsyncLLM underneath, for measuring."""
        return self._running.engine

    async def close(self) -> None:
        """Ends the engine's process and gives its memory back."""
        await self._running.close()

    # ---- questions to answers -----------------------------------------------------------------------------------

    async def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        pieces = [question.pieces(self.prompts.render) for question in questions]
        if self._mode == "generate":
            return await self._written(questions, pieces)
        return await self._walked(questions, pieces)

    async def _walked(self, questions: Sequence[Question], pieces: Sequence[tuple[Piece, ...]]) -> list[Answer]:
        """Field after field, all questions together; the likelier label is forced before the next field is asked."""
        labels: list[list[Label]] = [[] for _ in questions]
        readings: list[list[dict[str, float]]] = [[] for _ in questions]
        too_long: set[int] = set()
        open_, known = list(range(len(questions))), dict[str, Ids]()
        while open_:
            prompts = await self.prompts.encode(
                [(*pieces[n], Piece(questions[n].forced(labels[n]), trusted=True)) for n in open_], known
            )
            too_long.update(n for n, prompt in zip(open_, prompts, strict=True) if len(prompt) > self._limit)
            asked = [(n, prompt) for n, prompt in zip(open_, prompts, strict=True) if n not in too_long]
            how = [self._asked[questions[n].form].params for n, _ in asked]
            for (n, _), output in zip(asked, await self._run([prompt for _, prompt in asked], how), strict=True):
                field = questions[n].form.fields[len(readings[n])]
                reading = field.classified(output.outputs.data.flatten().tolist())
                readings[n].append(reading)
                labels[n].append(max(field.labels, key=lambda label: reading[label.name]))
            open_ = [n for n in open_ if n not in too_long and len(readings[n]) < len(questions[n].form.fields)]
        return [
            Answer(text="", truncated=True) if n in too_long else Answer(readings=tuple(reading))
            for n, reading in enumerate(readings)
        ]

    async def _written(self, questions: Sequence[Question], pieces: Sequence[tuple[Piece, ...]]) -> list[Answer]:
        """Generated from the first label on: what stands before it is the same in every answer."""
        starts = [question.forced() for question in questions]
        prompts = await self.prompts.encode(
            [(*some, Piece(start, trusted=True)) for some, start in zip(pieces, starts, strict=True)], {}
        )
        short = [n for n, prompt in enumerate(prompts) if len(prompt) <= self._limit]
        how = [self._asked[questions[n].form] for n in short]
        outputs = await self._run([prompts[n] for n in short], [one.params for one in how])
        answers = [Answer(text="", truncated=True) for _ in questions]
        for n, one, output in zip(short, how, outputs, strict=True):
            written = output.outputs[0]
            texts = self.prompts.texts(written.token_ids, special=questions[n].form.special_answer)
            tokens = [Token(starts[n])]
            for text, probabilities in zip(texts, written.logprobs, strict=True):
                tokens.append(Token(text, one.probabilities(probabilities)))
            truncated = written.finish_reason == "length" and not one.one_label
            answers[n] = questions[n].read(tokens, truncated=truncated)
        return answers

    # ---- the engine ---------------------------------------------------------------------------------------------

    async def _run(self, prompts: Sequence[Ids], params: Sequence[Any]) -> list[Any]:
        """vLLM's final output for each prompt."""
        from vllm.v1.engine.exceptions import EngineDeadError

        waiting: list[Any] = []
        priority = PRIORITY.get() if self._takes_priorities else 0
        engine = self._running.engine
        try:
            for prompt, how in zip(prompts, params, strict=True):
                request: Any = {"type": "token", "prompt_token_ids": prompt}
                waiting.append(await engine.add_request(str(next(self._numbers)), request, how, priority=priority))
            return [await output.get() for output in waiting]
        except EngineDeadError:
            raise self._running.died(engine) from None
        except BaseException:
            await engine.abort([output.request_id for output in waiting], internal=True)
            raise

    def _prompt_limit(self, context: int) -> int:
        """Tokens that a prompt may have beside its answer. Raises Broken where a window would not fit."""
        empty = self._dialect.questions(Exchange(prompt="", response=""))
        prompts = self.prompts.remember(
            [
                (*question.pieces(self.prompts.render), Piece(start, trusted=True))
                for question in empty
                for start in _starts(question)
            ]
        )
        answer = max(form.max_tokens for form in self._dialect.forms)
        needed = max(map(len, prompts)) + answer + self._dialect.window
        if needed > context:
            name = self._dialect.name
            raise Broken("{name} needs a context of {needed} tokens: raise max_model_len", name=name, needed=needed)
        return context - answer


def _starts(question: Question) -> Iterator[str]:
    """Everything that may be forced upon a guard in answer to this question."""
    fields = list(takewhile(lambda field: field.anchor is not None, question.form.fields))
    for known in range(len(fields)):
        for labels in product(*(field.labels for field in fields[:known])):
            yield question.forced(labels)


@dataclass(frozen=True, slots=True)
class _Asked:
    """How one form is put to the engine."""

    params: Any  # vLLM's SamplingParams or PoolingParams
    one_label: bool = False  # one token is the whole answer
    texts: Mapping[int, str] | None = None  # label tokens; None: the likeliest tokens, whatever they are

    def probabilities(self, logprobs: Mapping[int, Any]) -> dict[str, float]:
        if self.texts is None:
            return {str(one.decoded_token): exp(one.logprob) for one in logprobs.values()}
        return {text: exp(logprobs[number].logprob) for number, text in self.texts.items() if number in logprobs}


def _asked_how(dialect: Dialect, labels: Labels, mode: Mode) -> dict[Form, _Asked]:
    from vllm import PoolingParams, SamplingParams
    from vllm.sampling_params import RequestOutputKind

    if mode == "classify":
        return dict.fromkeys(dialect.forms, _Asked(PoolingParams(task="classify", use_activation=False)))
    how = {}
    for form in dialect.forms:
        try:
            texts = {
                number: label.text
                for field in form.fields
                for label, number in zip(field.labels, labels.of(field).values(), strict=True)
            }
        except Broken:
            if all(field.anchor is not None for field in form.fields):
                raise
            texts = None
        one_label = texts is not None and len(form.fields) == 1 and "categories" not in form.answer.groupindex
        wanted: dict[str, Any] = {"logprob_token_ids": list(texts)} if texts else {"logprobs": 20}
        if one_label:
            wanted |= {"detokenize": False}
        else:
            wanted |= {"stop": list(form.stop), "skip_special_tokens": not form.special_answer}
        params = SamplingParams(
            temperature=0.0,
            max_tokens=1 if one_label else form.max_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
            skip_clone=True,
            **wanted,
        )
        how[form] = _Asked(params, one_label, texts)
    return how


def _as_classifier(config: Any, classes: Sequence[str]) -> dict[str, Any]:
    if getattr(config.get_text_config(), "final_logit_softcapping", None):
        raise Broken('the model caps its logits, which a converted classifier does not: set the mode to "generate"')
    overrides = {
        "architectures": [name.replace("ForCausalLM", "ForSequenceClassification") for name in config.architectures],
        "classifier_from_token": list(classes),
        "method": "no_post_processing",
    }
    return {"runner": "pooling", "convert": "classify", "hf_overrides": overrides}
