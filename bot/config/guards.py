"""The sections about guards: which judges, which is on trial, and where each runs."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from bot.config.values import Address, Duration, Probability, Table, Token, is_near

#: Names of the guard that ships, which asks nobody; the second is what it was called while it was on trial.
SHIPPED = ("embedded", "encoder")


class GuardSettings(Table):
    """[guard]: which guard judges, and where a guard model runs."""

    name: str = "embedded"
    """One of `jikimi guards`. "embedded" needs no GPU; "cascade" is its n-grams first, then `second`."""

    encoder: bool = True
    """With name "embedded": whether the encoder looks at what n-grams are unsure of. Without it a text takes
    microseconds, and less harm is seen."""

    engine: Literal["server", "vllm"] = "server"
    """Where a guard model runs: `vllm serve` over HTTP, or vLLM in this process."""

    mode: Literal["classify", "generate"] = "classify"
    """With engine "vllm": read the scores of the first token (fastest), or let the model write its answer."""

    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """With engine "vllm": the share of the GPU's memory, above 0, up to 1."""

    engine_options: dict[str, str | int | float | bool] = {}
    """More for vLLM, by the names of its AsyncEngineArgs: quantization, tensor_parallel_size, dtype, max_model_len.
    With engine "server" they are part of the command that starts one."""

    servers: Annotated[list[Address], Field(min_length=1, repr=False)] = ["http://127.0.0.1:8000"]
    """With engine "server": the addresses of servers of the same model. One that is away is left out."""

    plain_http: bool = False
    """Whether servers beyond this machine may be asked over http://, readable by whoever is on the way."""

    token: Token = SecretStr("")
    """The servers' `--api-key`; empty: none is sent."""

    model: str = ""
    """The model's name or folder, for servers the name they serve it by; empty: the published one. With name
    "embedded": a folder of kinds.npz, encoder.onnx and model.npz, of another release or taught by oneself."""

    revision: str = ""
    """The model's revision, kept with every verdict; empty: the published one. With name "embedded": the one before can
    be pinned."""

    tokenizer: str = ""
    """The model's tokenizer.json or its folder: servers get token ids then. Empty: they get text."""

    timeout: Duration = timedelta(seconds=10)
    """How long a server may take for one request."""

    calibration: str = ""
    """A file written by `jikimi calibrate`; empty: raw scores."""

    labels: dict[str, str] = {}
    """With name "classifier": what each of the model's labels means, a kind of harm or "" for harmless; those that are
    called like a kind need no mention. Of a model behind servers all of them, in its order."""

    second: str = "wildguard-ko"
    """With name "cascade": the guard that is asked second."""

    skip_below: Probability = 0.05
    """With name "cascade": the score of the n-grams, 0 to 1, below which the second is not asked."""

    sample: Probability = 0.02
    """With name "cascade": the share, 0 to 1, of the skipped that it is asked about all the same."""

    @property
    def asks_servers(self) -> bool:
        """Whether what is said is sent to `servers`."""
        is_here = self.name in SHIPPED or (self.name == "classifier" and bool(self.model) and Path(self.model).is_dir())
        return self.engine == "server" and not is_here

    def beyond(self, scheme: str = "") -> tuple[str, ...]:
        """The hosts of `servers` that are not this machine; `scheme`: those that are asked by it alone."""
        return _beyond(self.servers, scheme)


class TrialSettings(GuardSettings):
    """[trial]: a guard that judges beside the one of [guard] and acts on nothing; with the same keys."""

    name: str = ""
    """One of `jikimi guards`; empty: none is on trial."""


class HouseRulesSettings(Table):
    """[house_rules]: a language model that reads what waits for moderators against the rules that their community has
    written down, and says so on the card; without servers none does."""

    servers: Annotated[list[Address], Field(repr=False)] = []
    """The addresses of servers of the same model, with OpenAI's endpoints."""

    plain_http: bool = False
    """Whether servers beyond this machine may be asked over http://, readable by whoever is on the way."""

    token: Token = SecretStr("")
    """What the servers want for a key; empty: none is sent."""

    model: str = ""
    """The name they serve it by; empty: openai/gpt-oss-safeguard-20b."""

    form: Literal["chat", "harmony"] = "chat"
    """Whether the server renders what is asked, or openai-harmony does here: gpt-oss behind a server that cannot."""

    vocabulary: str = ""
    """With form "harmony": the folder in which o200k_base.tiktoken lies; nothing is downloaded."""

    timeout: Duration = timedelta(seconds=60)
    """How long a server may take for one answer."""

    a_day: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The incidents of one community that it is asked about within a day; within an hour a quarter of that."""

    file: str = ""
    """A text file of the rules of a community that has written down none, and of `jikimi judge` and `eval`; empty:
    there are none."""

    def beyond(self, scheme: str = "") -> tuple[str, ...]:
        """The hosts of `servers` that are not this machine; `scheme`: those that are asked by it alone."""
        return _beyond(self.servers, scheme)


def _beyond(servers: Sequence[str], scheme: str) -> tuple[str, ...]:
    asked = (urlsplit(url) for url in servers)
    far = {one.hostname: None for one in asked if scheme in ("", one.scheme) and not is_near(one.hostname or "")}
    return tuple(host for host in far if host)
