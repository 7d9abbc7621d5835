"""`jikimi bench guard`: how fast the guard model answers, beside what its card tells one to write and beside the bare
engine, in one run.

Also runs by itself where little is installed: python -m bot.cli.bench.guard --model FOLDER [--json]
"""

import argparse
import asyncio
import gzip
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.bench.shipped import shipped_messages
from bot.cli.line import Line
from bot.core.base.errors import Broken

if TYPE_CHECKING:
    from bot.cli.bench.loads import Load, Row

#: What can be measured, in this order. An engine serves one mode, so there are up to three starts.
SECTIONS = ("snippet", "bulk-chat", "raw-generate", "queue-generate", "raw-classify", "queue-classify")

#: As a model name: random weights in the shape of Llama 3.2 3B. Right for speed, useless for answers.
DUMMY_3B = "3b-dummy"


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("guard", help=say["help.bench_guard"])
    def command(
        model: Annotated[str, typer.Option("--model", help=say["help.bench_model"])],
        texts: Annotated[Path | None, typer.Option("--texts", help=say["help.bench_texts"], show_default=False)] = None,
        tokenizer: Annotated[
            Path | None, typer.Option("--tokenizer", help=say["help.bench_tokenizer"], show_default=False)
        ] = None,
        only: Annotated[str, typer.Option("--only", help=say["help.bench_only"], show_default=False)] = "",
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help=say["help.bench_seconds"])] = 10.0,
        rates: Annotated[str, typer.Option("--rates", help=say["help.bench_rates"], show_default=False)] = "",
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        from bot.cli.bench.loads import Load

        try:
            load = Load(seconds=seconds, rates=tuple(float(rate) for rate in rates.split(",") if rate))
        except ValueError:
            raise typer.BadParameter(rates, param_hint="--rates") from None
        sections = only.split(",") if only else list(SECTIONS)
        if find_spec("vllm") is None:
            raise Broken(say["run.no_vllm"])
        bench_guard(model, texts=texts, tokenizer=tokenizer, only=sections, load=load, as_json=as_json)


def bench_guard(
    model: str,
    *,
    dialect: str = "wildguard-ko",
    load_format: str = "auto",
    tokenizer: Path | None = None,
    texts: Path | None = None,
    only: Sequence[str] = SECTIONS,
    load: "Load | None" = None,
    engine_options: dict[str, Any] | None = None,
    as_json: bool = False,
) -> None:
    """Measures and prints. `tokenizer`: the folder of a Llama 3 tokenizer, for "3b-dummy"; `texts`: a .jsonl or
    .jsonl.gz file with a `text` in each row, by default the shipped transcript; no text is asked twice."""
    from bot.app.engines import device
    from bot.cli.bench import loads

    load = load or loads.Load()
    options = dict(engine_options or {})
    rows: list[loads.Row] = []
    with TemporaryDirectory(prefix="jikimi-bench-") as folder:
        if model == DUMMY_3B:
            if tokenizer is None:
                raise SystemExit(f"{DUMMY_3B} needs --tokenizer FOLDER with the tokenizer.json of Llama 3")
            model, load_format = _dummy_3b(Path(folder), tokenizer), "dummy"
        messages = _messages(texts)
        if {"snippet", "bulk-chat"} & set(only):
            rows += loads.card(model, load_format, options, messages, only, load)
        for mode in loads.MODES:
            if {f"raw-{mode}", f"queue-{mode}"} & set(only):
                rows += asyncio.run(loads.served(mode, model, dialect, load_format, options, messages, only, load))
    if not as_json:
        print(_table(rows), flush=True)
        return
    result = {
        "device": device(),
        "engine_options": options,
        "load": asdict(load),
        "rows": [asdict(row) for row in rows],
        "ratios": _ratios(rows),
    }
    print(json.dumps(result, ensure_ascii=False), flush=True)


def _messages(path: Path | None) -> Iterator[str]:
    """Messages for ever; from the second round on a number in front makes them differ, so that none is in the prefix
    cache."""
    rows = shipped_messages() if path is None else _rows(path)
    texts = list(dict.fromkeys(row["text"] for row in rows if row.get("text")))
    yield from texts
    for number in count(1):
        yield from (f"{number} {text}" for text in texts)


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
    rate = {row.section: row.per_second for row in rows if row.offered is None}
    pairs = (
        ("queue-classify", "raw-classify"),
        ("queue-generate", "raw-generate"),
        ("queue-classify", "bulk-chat"),
        ("queue-classify", "snippet"),
        ("queue-generate", "snippet"),
    )
    return {
        f"{ours}/{theirs}": round(rate[ours] / rate[theirs], 2) for ours, theirs in pairs if {ours, theirs} <= {*rate}
    }


def _table(rows: Sequence["Row"]) -> str:
    lines = [f"{'':16}{'offered/s':>10}{'messages/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'front us':>10}"]
    for row in rows:
        offered = "-" if row.offered is None else f"{row.offered:g}"
        lines.append(
            f"{row.section:16}{offered:>10}{row.per_second:>12}{row.p50_ms:>10}{row.p99_ms:>10}{row.front_us:>10}"
        )
    return "\n".join([*lines, *(f"{name} = {ratio}" for name, ratio in _ratios(rows).items())])


def main() -> None:
    from bot.cli.bench.loads import Load

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help=f'a folder, a Hugging Face id, or "{DUMMY_3B}"')
    parser.add_argument("--dialect", default="wildguard-ko")
    parser.add_argument("--load-format", default="auto")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--seconds", type=float, default=Load().seconds)
    parser.add_argument("--rates", default="", help="1000,1500")
    parser.add_argument("--in-flight", type=int, default=Load().in_flight)
    parser.add_argument("--engine-options", type=json.loads, default={}, help="JSON, for vLLM")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bench_guard(
        given.model,
        dialect=given.dialect,
        load_format=given.load_format,
        tokenizer=given.tokenizer,
        texts=given.texts,
        only=given.only.split(","),
        load=Load(
            seconds=given.seconds,
            in_flight=given.in_flight,
            rates=tuple(float(rate) for rate in given.rates.split(",") if rate),
        ),
        engine_options=given.engine_options,
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
