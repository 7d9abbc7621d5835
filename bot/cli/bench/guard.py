"""`jikimi bench guard`: how fast the guard model answers, beside what its card tells one to write and beside the bare
engine, in one run; and those that need no card, the one that ships and any classifier.

Also runs by itself where little is installed: python -m bot.cli.bench.guard --model FOLDER [--json]
"""

import argparse
import asyncio
import gzip
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from itertools import count
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot.cli.bench.cores import named
from bot.cli.bench.shipped import shipped_messages
from bot.cli.line import Line
from bot.cli.shown import Tabular, show
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Exchange
from bot.core.text.catalogue import Texts
from bot.core.text.catalogue import texts as in_language

if TYPE_CHECKING:
    from bot.cli.bench.loads import Exchanges, Load, Row
    from bot.core.guarding.ports import Guard

Found = TypeVar("Found")

#: What can be measured, in this order. An engine serves one mode, so there are up to three starts.
WITHOUT_VLLM = ("embedded", "classifier")
OF_A_MODEL = (
    "snippet", "bulk-chat", "raw-generate", "queue-generate", "flow-generate", "raw-classify", "queue-classify",
    "flow-classify", "server",
)  # fmt: skip
SECTIONS = (*WITHOUT_VLLM, *OF_A_MODEL)

#: The option that one takes; of all others it is --model.
NEEDS = {"embedded": "", "classifier": "--classifier", "server": "--server"}

LONG = 30  # texts that make a long one: some 1,000 tokens

#: As a model name: random weights in the shape of Llama 3.2 3B. Right for speed, useless for answers.
DUMMY_3B = "3b-dummy"

EXCHANGES = ("chat", "pairs", "long")
SHARES = "0.5,0.8,0.95,2"


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("guard", help=say["help.bench_guard"])
    def command(
        model: Annotated[str, typer.Option("--model", help=say["help.bench_model"], show_default=False)] = "",
        classifier: Annotated[
            Path | None, typer.Option("--classifier", help=say["help.bench_classifier"], show_default=False)
        ] = None,
        texts: Annotated[Path | None, typer.Option("--texts", help=say["help.bench_texts"], show_default=False)] = None,
        tokenizer: Annotated[
            Path | None, typer.Option("--tokenizer", help=say["help.bench_tokenizer"], show_default=False)
        ] = None,
        only: Annotated[str, typer.Option("--only", help=say["help.bench_only"], show_default=False)] = "",
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help=say["help.bench_seconds"])] = 10.0,
        server: Annotated[str, typer.Option("--server", help=say["help.bench_server"], show_default=False)] = "",
        exchanges: Annotated[str, typer.Option("--exchanges", help=say["help.bench_exchanges"])] = ",".join(EXCHANGES),
        shares: Annotated[str, typer.Option("--shares", help=say["help.bench_shares"])] = SHARES,
        capacity: Annotated[
            float, typer.Option("--capacity", min=0, help=say["help.bench_capacity"], show_default=False)
        ] = 0.0,
        cores: Annotated[str, typer.Option("--cores-for-model", help=say["help.bench_cores"], show_default=False)] = "",
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        from bot.cli.bench.loads import Load

        sections = _chosen("--only", only, SECTIONS, say) if only else SECTIONS
        there = {"": True, "--classifier": classifier, "--server": server, "--model": model}
        if lacking := [one for one in sections if only and not there[NEEDS.get(one, "--model")]]:
            why = say("bench.takes", section=lacking[0], option=NEEDS.get(lacking[0], "--model"))
            raise typer.BadParameter(why, param_hint="--only")
        load = Load(
            seconds=seconds,
            texts=_chosen("--exchanges", exchanges, EXCHANGES, say),
            shares=_read("--shares", shares, _shares, say("bench.no_shares", given=shares, usual=SHARES)),
            capacity=capacity,
            cores=_read("--cores-for-model", cores, named, say("bench.no_cores", given=cores)),
        )
        if model and find_spec("vllm") is None:
            raise Broken(say["run.no_vllm"])
        bench_guard(
            model,
            say,
            classifier=classifier,
            texts=texts,
            tokenizer=tokenizer,
            only=sections,
            load=load,
            server=server,
            as_json=as_json,
        )


def _chosen(option: str, given: str, choices: Sequence[str], say: Texts) -> tuple[str, ...]:
    chosen = tuple(given.split(","))
    if unknown := [one for one in chosen if one not in choices]:
        why = say("check.choice", given=", ".join(unknown), choices=", ".join(choices))
        raise typer.BadParameter(why, param_hint=option)
    return chosen


def _read(option: str, given: str, reading: Callable[[str], Found], why: str) -> Found:
    try:
        return reading(given)
    except ValueError:
        raise typer.BadParameter(why, param_hint=option) from None


def bench_guard(
    model: str,
    say: Texts,
    *,
    classifier: Path | None = None,
    dialect: str = "wildguard-ko",
    load_format: str = "auto",
    tokenizer: Path | None = None,
    texts: Path | None = None,
    only: Sequence[str] = SECTIONS,
    load: "Load | None" = None,
    engine_options: dict[str, Any] | None = None,
    server: str = "",
    as_json: bool = False,
) -> None:
    """Measures and prints. Without a `model` only what needs none. `classifier`: the folder of an encoder that
    classifies; `tokenizer`: the folder of a Llama 3 tokenizer, for "3b-dummy"; `texts`: a .jsonl or .jsonl.gz file with
    a `text` in each row, by default the shipped transcript; no text is asked twice. `server`: the address of a `vllm
    serve` of the same model, for a row of its own."""
    from bot.app import engines
    from bot.cli.bench import loads

    load, exchanges, options = load or loads.Load(), exchanges_of(texts), dict(engine_options or {})
    rows: list[loads.Row] = []
    if "embedded" in only:
        rows += asyncio.run(_by_itself("embedded", engines.embedded(), exchanges, load))
    if classifier and "classifier" in only:
        rows += asyncio.run(_by_itself("classifier", engines.classifier(classifier), exchanges, load))
    with TemporaryDirectory(prefix="jikimi-bench-") as folder:
        if model == DUMMY_3B:
            if tokenizer is None:
                raise SystemExit(f"{DUMMY_3B} needs --tokenizer FOLDER with the tokenizer.json of Llama 3")
            model, load_format = _dummy_3b(Path(folder), tokenizer), "dummy"
        if model and {"snippet", "bulk-chat"} & set(only):
            rows += loads.card(model, load_format, options, exchanges, only, load)
        for mode in loads.MODES if model else ():
            if {f"{way}-{mode}" for way in ("raw", "queue", "flow")} & set(only):
                rows += asyncio.run(loads.served(mode, model, dialect, load_format, options, exchanges, only, load))
        if server and "server" in only:
            rows += asyncio.run(_over_http(server, dialect, tokenizer, exchanges, load))
    if not as_json:
        show([_table(rows, say)])
        return
    result = {
        "device": engines.device(),
        "versions": engines.versions(),
        "engine_options": options,
        "load": asdict(load),
        "rows": [asdict(row) for row in rows],
        "ratios": _ratios(rows),
    }
    print(json.dumps(result, ensure_ascii=False), flush=True)


async def _by_itself(section: str, guard: "Guard", exchanges: "Exchanges", load: "Load") -> list["Row"]:
    from bot.cli.bench import loads

    return await loads.queued(section, guard, exchanges, [section], load, beside={}, strict=True)


async def _over_http(
    address: str, dialect: str, tokenizer: Path | None, exchanges: "Exchanges", load: "Load"
) -> list["Row"]:
    from bot.app.engines import servers
    from bot.cli.bench import loads

    async with servers(address, dialect, tokenizer) as guard:
        return await loads.queued("server", guard, exchanges, ["server"], load, beside={}, strict=False)


def exchanges_of(path: Path | None) -> dict[str, Iterator[Exchange]]:
    """For ever. A number in front makes each differ from the first token of the text on, so that none is in the prefix
    cache."""
    rows = shipped_messages() if path is None else _rows(path)
    texts = list(dict.fromkeys(row["text"] for row in rows if row.get("text")))
    numbers = count()

    def some(together: int = 1) -> str:
        number = next(numbers)
        return f"{number} " + " ".join(texts[(number + n) % len(texts)] for n in range(together))

    return {
        "chat": (Exchange(prompt=some(), is_chat=True) for _ in count()),
        "pairs": (Exchange(prompt=some(), response=some(3)) for _ in count()),
        "long": (Exchange(prompt=some(LONG), is_chat=True) for _ in count()),
    }


def _shares(given: str) -> tuple[float, ...]:
    """Raises ValueError."""
    shares = tuple(float(number) for number in given.split(",") if number)
    if not all(share > 0 and isfinite(share) for share in shares):
        raise ValueError(given)
    return shares


def _rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()]


def _dummy_3b(folder: Path, tokenizer: Path) -> str:
    for file in tokenizer.iterdir():
        shutil.copy(file, folder)
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "vocab_size": 128256,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "bos_token_id": 128000,
        "eos_token_id": 128009,
    }
    folder.joinpath("config.json").write_text(json.dumps(shape), encoding="utf-8")
    return str(folder)


def _ratios(rows: Sequence["Row"]) -> dict[str, float]:
    """Of the closed loops, where both sides were measured."""
    rate = {(row.section, row.texts): row.per_second for row in rows if row.offered is None}
    pairs = (
        ("queue-classify", "raw-classify"),
        ("queue-generate", "raw-generate"),
        ("queue-classify", "snippet"),
        ("queue-generate", "snippet"),
    )
    return {
        f"{ours}/{theirs}, {texts}": round(rate[ours, texts] / rate[theirs, texts], 2)
        for ours, theirs in pairs
        for texts in ("chat", "pairs", "long")
        if rate.get((ours, texts)) and rate.get((theirs, texts))
    }


def _table(rows: Sequence["Row"], say: Texts) -> Tabular:
    """Rates are medians of the rounds, with the slowest and the fastest."""
    lines = [
        (
            f"{row.section} {row.texts}",
            "-" if row.offered is None else f"{row.offered:g}",
            str(row.per_second),
            f"{row.slowest:g}–{row.fastest:g}",
            *map(str, (row.p50_ms, row.p99_ms, row.front_us, row.engine_us, row.settled, row.outages)),
        )
        for row in rows
    ]
    return Tabular(
        title=say["bench.guard.title"],
        columns=(
            "",
            *(say[f"bench.guard.{name}"] for name in ("offered", "per_second", "spread")),
            *("p50 ms", "p99 ms"),
            *(say[f"bench.guard.{name}"] for name in ("front", "engine", "settled", "outages")),
        ),
        rows=lines,
        notes=[f"{name} = {ratio}" for name, ratio in _ratios(rows).items()],
    )


def main() -> None:
    from bot.cli.bench.loads import Load

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="", help=f'a folder, a Hugging Face id, or "{DUMMY_3B}"')
    parser.add_argument("--classifier", type=Path, help="the folder of an encoder that classifies, as ONNX")
    parser.add_argument("--dialect", default="wildguard-ko")
    parser.add_argument("--load-format", default="auto")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--seconds", type=float, default=Load().seconds)
    parser.add_argument("--exchanges", default=",".join(EXCHANGES), help="what closed loops are about")
    parser.add_argument("--shares", default=SHARES, help="of the queue's rate, offered in open loops")
    parser.add_argument("--capacity", type=float, default=0.0, help="a second, known: no closed loops")
    parser.add_argument("--cores-for-model", type=named, default=(), help="by comma; all else runs on the others")
    parser.add_argument("--server", default="", help="the address of a `vllm serve` of the model")
    parser.add_argument("--in-flight", type=int, default=Load().in_flight)
    parser.add_argument("--engine-options", type=json.loads, default={}, help="JSON, for vLLM")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for figures
    bench_guard(
        given.model,
        in_language("en"),
        classifier=given.classifier,
        dialect=given.dialect,
        load_format=given.load_format,
        tokenizer=given.tokenizer,
        texts=given.texts,
        only=given.only.split(","),
        load=Load(
            seconds=given.seconds,
            in_flight=given.in_flight,
            texts=tuple(given.exchanges.split(",")),
            shares=_shares(given.shares),
            capacity=given.capacity,
            cores=given.cores_for_model,
        ),
        engine_options=given.engine_options,
        server=given.server,
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
