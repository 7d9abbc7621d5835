"""Any sequence-classification encoder (KcELECTRA, mmBERT ...) and what its labels mean: exchanges in, verdicts out.

A folder with `model.onnx` (int8 or not), `config.json` and `tokenizer.json`, as optimum exports it, runs on a
processor; else `vllm serve` is asked by /classify. Nothing is downloaded. Scores are raw until they are calibrated.
"""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path
from typing import Any, Protocol, Self

from adapters.guards.vllm_replicas import NoAnswer, Replicas
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import overheard
from bot.core.guarding.verdict import Exchange, GuardVersion, Judgement, Part, Screening, Task, Unscreened, Verdict
from bot.core.text.views import readings

NAME = "classifier"
FILES = ("model_quantized.onnx", "model.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx")
TOGETHER = 8  # windows of like length: more no longer fit the processor's caches
WINDOW = 512  # tokens at once, where the model takes that many
OVER_HTTP = 32  # texts of a request

Logits = Sequence[float]
Labels = Mapping[str, str]  # the model's own -> a kind of harm, or "" for harmless


class Network(Protocol):
    @property
    def revision(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def exclusive(self) -> bool:
        """One of them holds (softmax), and not any number (sigmoid)."""
        ...

    async def logits(self, texts: Sequence[str]) -> Sequence[Sequence[Logits] | str]:
        """Of each text those of its windows, or why there are none."""
        ...

    async def close(self) -> None: ...


class ClassifierGuard:
    """`labels` says what those mean that are not called as kinds of harm are. Use it with `async with`."""

    def __init__(self, network: Network, labels: Labels) -> None:
        """Raises Broken where it does not say so of each."""
        self.network = network
        self._kinds = [_kind(label, labels) for label in network.labels]
        if not any(self._kinds):
            raise Broken("[guard.labels] none of the labels is a kind of harm")
        self._meaning = hashlib.sha256(json.dumps([*network.labels, *self._kinds]).encode()).hexdigest()[:12]

    @property
    def version(self) -> GuardVersion:
        """What labels mean is its dialect: until it is calibrated its scores are raw ones."""
        return GuardVersion(name=NAME, model=self.network.revision, dialect=self._meaning)

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    def replica_figures(self) -> Sequence[ReplicaFigures]:
        return self.network.figures() if isinstance(self.network, ServedNetwork) else ()

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        """One screening for each exchange, in order: each part is judged by itself."""
        parts = [_parts(exchange) for exchange in exchanges]
        texts = list(dict.fromkeys(one for some in parts for texts in some.values() for one in texts))
        found = dict(zip(texts, await self.network.logits(texts), strict=True)) if texts else {}
        return [self._screening({part: [found[text] for text in some] for part, some in one.items()}) for one in parts]

    def _screening(self, parts: Mapping[Part, Sequence[Sequence[Logits] | str]]) -> Screening:
        worst: dict[tuple[Part, HarmKind], float] = {}
        windows = 0
        for part, answers in parts.items():
            for answer in answers:
                if isinstance(answer, str):
                    return Unscreened(answer, self.version)
                windows = max(windows, len(answer))
                for window, logits in enumerate(answer):
                    overheard(part, {"logits": dict(zip(self.network.labels, logits, strict=True))}, window=window)
                    for kind, probability in self._probabilities(logits).items():
                        worst[part, kind] = max(probability, worst.get((part, kind), 0.0))
        if not worst:
            return Unscreened("nothing to judge", self.version)
        found = tuple(Judgement(*what, probability, NAME) for what, probability in worst.items())
        return Verdict(guard=self.version, found=found, windows=windows)

    def _probabilities(self, logits: Logits) -> Mapping[HarmKind, float]:
        kinds: defaultdict[HarmKind, float] = defaultdict(float)
        if self.network.exclusive:
            weights = [exp(max(-700.0, logit - max(logits))) for logit in logits]
            for kind, weight in zip(self._kinds, weights, strict=True):
                if kind:
                    kinds[kind] += weight / sum(weights)
        else:
            for kind, logit in zip(self._kinds, logits, strict=True):
                if kind:
                    kinds[kind] = max(kinds[kind], 1 / (1 + exp(-max(-700.0, min(700.0, logit)))))
        return {kind: min(1.0, probability) for kind, probability in kinds.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.network.close()


def _kind(label: str, labels: Labels) -> HarmKind | None:
    given = labels.get(label, label if label in set(HarmKind) else None)
    if given is None or (given and given not in set(HarmKind)):
        kinds = ", ".join(HarmKind)
        raise Broken(
            '[guard.labels] "{label}" needs a kind of harm ({kinds}), or "" where it is harmless',
            label=label,
            kinds=kinds,
        )
    return HarmKind(given) if given else None


def _parts(exchange: Exchange) -> dict[Part, tuple[str, ...]]:
    """As each is stored and as it is shown."""
    said = {Part.PROMPT: exchange.prompt, Part.RESPONSE: exchange.response}
    return {
        part: tuple(dict.fromkeys(one.encode("utf-8", "replace").decode() for one in readings(text)))
        for part, text in said.items()
        if text is not None
    }


def _about(folder: Path) -> tuple[tuple[str, ...], bool, Mapping[str, Any]]:
    """Labels, whether one excludes the others, and all that the configuration of a model says."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        by_number = {int(number): str(label) for number, label in config["id2label"].items()}
        labels = tuple(by_number[number] for number in range(len(by_number)))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise Broken("{file}: not the configuration of a classifier", file=folder / "config.json") from error
    return labels, config.get("problem_type") != "multi_label_classification", config


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxNetwork:
    """On one core of the processor, beside the event loop."""

    session: Any  # onnxruntime.InferenceSession: input_ids, attention_mask, ... -> logits
    tokenizer: Any  # tokenizers.Tokenizer
    labels: tuple[str, ...]
    exclusive: bool
    revision: str
    padding: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises Broken where it is not what optimum exports."""
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        labels, exclusive, config = _about(folder)
        file = next((folder / name for name in FILES if (folder / name).is_file()), None)
        if file is None:
            raise Broken(
                "{folder}: none of {files}; `optimum-cli export onnx` makes one (docs/en/guards.md)",
                folder=folder,
                files=", ".join(FILES),
            )
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # neither library has a base for its errors
            raise Broken("{folder}: the model or its tokenizer.json cannot be read", folder=folder) from error
        most = min(WINDOW, int(config.get("max_position_embeddings") or WINDOW))
        tokenizer.enable_truncation(most, stride=most // 8)
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # a control token in a user's text is text
        return cls(
            session=session,
            tokenizer=tokenizer,
            labels=labels,
            exclusive=exclusive,
            revision=hashlib.sha256(file.read_bytes()).hexdigest()[:12],
            padding=int(config.get("pad_token_id") or 0),
        )

    async def logits(self, texts: Sequence[str]) -> Sequence[Sequence[Logits] | str]:
        encoded = [self.tokenizer.encode(text) for text in texts]
        rows = [(place, part.ids) for place, one in enumerate(encoded) for part in (one, *one.overflowing)]
        rows.sort(key=lambda row: len(row[1]))
        found: list[list[Logits]] = [[] for _ in texts]
        for start in range(0, len(rows), TOGETHER):
            some = rows[start : start + TOGETHER]
            answers = await asyncio.to_thread(self._run, [ids for _, ids in some])
            for (place, _), logits in zip(some, answers, strict=True):
                found[place].append(logits)
        return [one if all(isfinite(n) for logits in one for n in logits) else NoAnswer.NO_SENSE for one in found]

    def _run(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        from numpy import array, int64, zeros_like

        longest = max(map(len, rows))
        ids = array([[*row, *[self.padding] * (longest - len(row))] for row in rows], dtype=int64)
        mask = array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": zeros_like(ids)}
        wanted = {one.name: given[one.name] for one in self.session.get_inputs()}
        logits: list[list[float]] = self.session.run(None, wanted)[0].tolist()
        return logits

    async def close(self) -> None:
        """Nothing is open."""


class ServedNetwork:
    """Behind `vllm serve`, by /classify. Raises as `vllm_replicas` says."""

    exclusive = True

    def __init__(
        self, servers: Sequence[str], *, clock: Clock, model: str, labels: Sequence[str], token: str, timeout: float
    ) -> None:
        self.revision, self.labels = model, labels
        self._replicas = Replicas(
            servers=servers, clock=clock, token=token, timeout=timeout, start=f"vllm serve {model} --runner pooling"
        )

    def figures(self) -> Sequence[ReplicaFigures]:
        return self._replicas.figures()

    async def logits(self, texts: Sequence[str]) -> Sequence[Sequence[Logits] | str]:
        calls = [self._asked(texts[start : start + OVER_HTTP]) for start in range(0, len(texts), OVER_HTTP)]
        return [one for some in await asyncio.gather(*calls) for one in some]

    async def _asked(self, texts: Sequence[str]) -> Sequence[Sequence[Logits] | str]:
        asked = {"model": self.revision, "use_activation": False, "truncate_prompt_tokens": -1}
        return await self._replicas.ask_each(texts, lambda some: ("/classify", {**asked, "input": some}), self._read)

    def _read(self, answer: Any, count: int) -> Sequence[Sequence[Logits]]:
        """Raises what `NOT_ITS_SHAPE` names where that are no logits of these labels."""
        found = {one["index"]: [float(number) for number in one["probs"]] for one in answer["data"]}
        if not all(len(logits) == len(self.labels) and all(map(isfinite, logits)) for logits in found.values()):
            raise ValueError("not of these labels")
        return [[found[place]] for place in range(count)]

    async def close(self) -> None:
        await self._replicas.aclose()
