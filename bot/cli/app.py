"""A language -> the typer application, with every help text in that language."""

import asyncio
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.config import Config, load, warnings
from bot.core.base.errors import Broken
from bot.core.text.catalogue import LANGUAGES, Texts, spoken_here, texts

DEFAULT_CONFIG = Path("config.toml")
DEFAULT_SCORES = Path("jikimi-scores")


def wanted_language(arguments: Sequence[str]) -> str:
    """What `--lang` asks for, before anything else is parsed; else the terminal's language."""
    for place, word in enumerate(arguments):
        value = word.removeprefix("--lang=") if word.startswith("--lang=") else None
        if word == "--lang" and place + 1 < len(arguments):
            value = arguments[place + 1]
        if value in LANGUAGES:
            return value
    return spoken_here()


def language_first(arguments: Sequence[str]) -> list[str]:
    """`--lang`, wherever it stands, moved to where the parser looks for it; what follows "--" is nobody's option."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    moved: list[str] = []
    left: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == "--lang":
            moved += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith("--lang="):
            moved.append(word)
        else:
            left.append(word)
    return [*moved, *left, *arguments[end:]]


def build(language: str) -> typer.Typer:
    say = texts(language)
    app = typer.Typer(
        help=say["help.app"],
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,  # it prints local variables: messages and tokens
    )
    rules = typer.Typer(help=say["help.rules"], no_args_is_help=True)
    keys = typer.Typer(help=say["help.keys"], no_args_is_help=True)
    bench = typer.Typer(help=say["help.bench"], no_args_is_help=True)

    ConfigOption = Annotated[Path | None, typer.Option("--config", help=say["help.config"], show_default=False)]
    JsonOption = Annotated[bool, typer.Option("--json", help=say["help.json"])]
    GuardOption = Annotated[str | None, typer.Option("--guard", help=say["help.judge_guard"], show_default=False)]
    ScoresOption = Annotated[Path, typer.Option("--scores", help=say["help.eval_scores"])]
    TextArgument = Annotated[str, typer.Argument(help=say["help.judge_text"], show_default=False)]

    @app.callback()
    def everywhere(
        lang: Annotated[str, typer.Option("--lang", help=say["help.lang"], show_default=False)] = language,
    ) -> None:
        if lang not in LANGUAGES:
            raise typer.BadParameter(say("check.choice", given=lang, choices="ko, en"))

    @app.command(help=say["help.rehearse"])
    def rehearse(
        file: Annotated[str | None, typer.Argument(help=say["help.rehearse_file"], show_default=False)] = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
        speed: Annotated[
            float | None, typer.Option("--speed", min=0.001, help=say["help.speed"], show_default=False)
        ] = None,
        database: Annotated[
            str | None, typer.Option("--database", help=say["help.rehearse_database"], show_default=False)
        ] = None,
        fresh: Annotated[bool, typer.Option("--fresh", hidden=True)] = False,
    ) -> None:
        from bot.cli.rehearse import rehearse

        if fresh and database:  # alone it asks for what every rehearsal is now
            raise Broken(say["rehearsal.fresh_or_kept"])
        asyncio.run(rehearse(file, _config(config, say), say, as_json=as_json, speed=speed, database=database))

    @app.command(help=say["help.judge"])
    def judge(
        text: TextArgument,
        response: Annotated[
            str | None, typer.Option("--response", help=say["help.judge_response"], show_default=False)
        ] = None,
        guard: GuardOption = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.judge import judge

        asyncio.run(judge(_text(text), response, _config(config, say), say, guard=guard, as_json=as_json))

    @app.command("check-config", help=say["help.check_config"])
    def check_config(file: Annotated[Path, typer.Argument(help=say["help.config"])] = DEFAULT_CONFIG) -> None:
        from bot.app import reporting

        checked = load(file, say)
        for warning in warnings(checked, say):
            print(f"{file}: {warning}")
        print(
            say(
                "check.fine",
                path=file,
                rules=len(checked.policy.rules),
                guard=checked.guard.name,
                storage=checked.storage.shown,
            )
        )
        if remark := reporting.no_pdf(say):
            print(remark)

    @rules.command("explain", help=say["help.rules_explain"])
    def explain(
        text: TextArgument, guard: GuardOption = None, config: ConfigOption = None, as_json: JsonOption = False
    ) -> None:
        from bot.cli.judge import explain

        asyncio.run(explain(_text(text), _config(config, say), say, guard=guard, as_json=as_json))

    @app.command(help=say["help.guards"])
    def guards(as_json: JsonOption = False) -> None:
        from bot.cli.guards import guards

        guards(say, as_json=as_json)

    @app.command("eval", help=say["help.eval"])
    def evaluate(
        data: Annotated[list[Path] | None, typer.Argument(help=say["help.eval_data"], show_default=False)] = None,
        guard: GuardOption = None,
        compare: Annotated[
            tuple[str, str] | None, typer.Option("--compare", help=say["help.eval_compare"], show_default=False)
        ] = None,
        card: Annotated[
            list[str] | None, typer.Option("--card", help=say["help.eval_card"], show_default=False)
        ] = None,
        outputs: Annotated[
            Path | None, typer.Option("--outputs", help=say["help.eval_outputs"], show_default=False)
        ] = None,
        threshold: Annotated[float, typer.Option("--threshold", min=0, max=1, help=say["help.eval_threshold"])] = 0.5,
        limit: Annotated[
            int | None, typer.Option("--limit", min=1, help=say["help.eval_limit"], show_default=False)
        ] = None,
        scores: ScoresOption = DEFAULT_SCORES,
        config: ConfigOption = None,
        as_json: JsonOption = False,
        markdown: Annotated[
            Path | None, typer.Option("--markdown", help=say["help.eval_markdown"], show_default=False)
        ] = None,
        picture: Annotated[
            Path | None, typer.Option("--picture", help=say["help.eval_picture"], show_default=False)
        ] = None,
    ) -> None:
        from bot.cli.evaluation import card as cards
        from bot.cli.evaluation.evaluate import evaluation
        from bot.cli.evaluation.judging import Study
        from bot.cli.evaluation.recorded import recorded
        from bot.cli.evaluation.tables import Outlet

        if sum(map(bool, (data, card, outputs))) != 1:
            raise Broken(say["eval.how"])
        if outputs:
            return recorded(outputs, say, as_json=as_json)
        outlet, chosen = Outlet(as_json=as_json, markdown=markdown, picture=picture), _config(config, say)
        study = Study(guards=compare or (guard,), threshold=threshold, limit=limit, scores=scores)
        if card:
            return asyncio.run(cards.card(cards.card_files(card, say), study, chosen, say, outlet))
        return asyncio.run(evaluation(data or [], study, chosen, say, outlet))

    @app.command(help=say["help.calibrate"])
    def calibrate(
        data: Annotated[list[Path], typer.Argument(help=say["help.eval_data"], show_default=False)],
        out: Annotated[Path, typer.Option("--out", help=say["help.calibrate_out"])] = Path("calibration.json"),
        guard: GuardOption = None,
        scores: ScoresOption = DEFAULT_SCORES,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.evaluation.calibrate import calibrate

        asyncio.run(calibrate(data, guard, _config(config, say), say, out=out, scores=scores, as_json=as_json))

    @app.command(help=say["help.invite"])
    def invite(
        platform: Annotated[Literal["discord", "telegram"], typer.Argument(help=say["help.invite_platform"])],
        config: ConfigOption = None,
    ) -> None:
        from bot.cli.invite import INVITATIONS

        asyncio.run(INVITATIONS[platform](_config(config, say), say))

    @app.command(help=say["help.run"])
    def run(config: ConfigOption = None) -> None:
        from bot.cli.run import run

        asyncio.run(run(_config(config, say), say))

    @app.command(help=say["help.report"])
    def report(
        community: Annotated[
            str | None, typer.Option("--community", help=say["help.report_community"], show_default=False)
        ] = None,
        week: Annotated[str | None, typer.Option("--week", help=say["help.report_week"], show_default=False)] = None,
        day: Annotated[str | None, typer.Option("--day", help=say["help.report_day"], show_default=False)] = None,
        month: Annotated[str | None, typer.Option("--month", help=say["help.report_month"], show_default=False)] = None,
        first: Annotated[str | None, typer.Option("--from", help=say["help.report_from"], show_default=False)] = None,
        last: Annotated[str | None, typer.Option("--to", help=say["help.report_to"], show_default=False)] = None,
        out: Annotated[Path, typer.Option("--out", help=say["help.report_out"])] = Path(),
        names: Annotated[bool, typer.Option("--names", help=say["help.report_names"])] = False,
        config: ConfigOption = None,
    ) -> None:
        from bot.cli.report import report

        period = f"{first}..{last}" if first and last else week or day or month
        asyncio.run(report(_config(config, say), say, community=community, period=period, out=out, unmasked=names))

    @app.command(help=say["help.deliveries"])
    def deliveries(
        community: Annotated[
            str | None, typer.Option("--community", help=say["help.deliveries_community"], show_default=False)
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=1, help=say["help.deliveries_limit"])] = 50,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.deliveries import deliveries

        asyncio.run(deliveries(_config(config, say), say, community=community, limit=limit, as_json=as_json))

    @app.command("train-embedded", help=say["help.train_embedded"])
    def train_embedded(
        data: Annotated[Path, typer.Option("--data", help=say["help.train_data"])],
        out: Annotated[Path, typer.Option("--out", help=say["help.train_out"])] = Path("model.npz"),
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.train import train_embedded

        train_embedded(data, out, say, as_json=as_json)

    @bench.command("flow", help=say["help.bench_flow"])
    def bench_flow(
        messages: Annotated[int, typer.Option("--messages", min=100, help=say["help.bench_messages"])] = 20_000,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.bench.flow import bench_flow

        asyncio.run(bench_flow(messages, say, as_json=as_json))

    @bench.command("guard", help=say["help.bench_guard"])
    def bench_guard(
        model: Annotated[str, typer.Option("--model", help=say["help.bench_model"])],
        texts: Annotated[Path | None, typer.Option("--texts", help=say["help.bench_texts"], show_default=False)] = None,
        tokenizer: Annotated[
            Path | None, typer.Option("--tokenizer", help=say["help.bench_tokenizer"], show_default=False)
        ] = None,
        only: Annotated[str, typer.Option("--only", help=say["help.bench_only"], show_default=False)] = "",
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help=say["help.bench_seconds"])] = 10.0,
        rates: Annotated[str, typer.Option("--rates", help=say["help.bench_rates"], show_default=False)] = "",
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.bench.guard import SECTIONS, Load, bench_guard

        try:
            load = Load(seconds=seconds, rates=tuple(float(rate) for rate in rates.split(",") if rate))
        except ValueError:
            raise typer.BadParameter(rates, param_hint="--rates") from None
        sections = only.split(",") if only else list(SECTIONS)
        if find_spec("vllm") is None:
            raise Broken(say["run.no_vllm"])
        bench_guard(model, texts=texts, tokenizer=tokenizer, only=sections, load=load, as_json=as_json)

    @bench.command("api", help=say["help.bench_api"])
    def bench_api(
        rate: Annotated[float, typer.Option("--rate", min=1, help=say["help.bench_api_rate"])] = 200.0,
        seconds: Annotated[float, typer.Option("--seconds", min=1, help=say["help.bench_api_seconds"])] = 20.0,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.bench.api import bench_api

        asyncio.run(bench_api(rate, seconds, say, as_json=as_json))

    @keys.command("create", help=say["help.keys_create"])
    def keys_create(
        name: Annotated[str, typer.Argument(help=say["help.keys_name"], show_default=False)],
        community: Annotated[str, typer.Option("--community", help=say["help.keys_community"])] = "api",
        platform: Annotated[
            Literal["discord", "telegram", "api"] | None,
            typer.Option("--platform", help=say["help.keys_platform"], show_default=False),
        ] = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.keys import create

        asyncio.run(create(name, community, platform, _config(config, say), say, as_json=as_json))

    @keys.command("list", help=say["help.keys_list"])
    def keys_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        from bot.cli.keys import show

        asyncio.run(show(_config(config, say), say, as_json=as_json))

    @keys.command("revoke", help=say["help.keys_revoke"])
    def keys_revoke(
        key_id: Annotated[str, typer.Argument(metavar="ID", help=say["help.keys_id"], show_default=False)],
        config: ConfigOption = None,
    ) -> None:
        from bot.cli.keys import revoke

        asyncio.run(revoke(key_id, _config(config, say), say))

    @bench.command("report", help=say["help.bench_report"])
    def bench_report(
        messages: Annotated[
            int, typer.Option("--messages", min=1000, help=say["help.bench_report_messages"])
        ] = 1_000_000,
        incidents: Annotated[int, typer.Option("--incidents", min=0, help=say["help.bench_report_incidents"])] = 20_000,
        as_json: JsonOption = False,
    ) -> None:
        from bot.cli.bench.report import bench_report

        asyncio.run(bench_report(messages, incidents, say, as_json=as_json))

    @bench.command("phrases", help=say["help.bench_phrases"])
    def bench_phrases(as_json: JsonOption = False) -> None:
        from bot.cli.train import bench_phrases

        bench_phrases(say, as_json=as_json)

    app.add_typer(rules, name="rules")
    app.add_typer(keys, name="keys")
    app.add_typer(bench, name="bench")
    return app


def _config(path: Path | None, say: Texts) -> Config:
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return load(path, say)


def _text(argument: str) -> str:
    if argument == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    return argument
