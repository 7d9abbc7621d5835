"""Any classifier of texts as a guard: what its labels mean is said by the configuration, and nothing is guessed."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.guards.classifier import ClassifierGuard, OnnxNetwork, ServedNetwork
from adapters.guards.vllm_replicas import NoAnswer
from bot.cli.bench.guard import bench_guard
from bot.cli.bench.loads import Load
from bot.core.base.errors import Broken
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Exchange, Part, Screening, Unscreened, Verdict
from bot.core.text.catalogue import texts
from tests.fakes.clock import ManualClock
from tests.servers.tiny_classifier import LABELS, MEANING, tiny_classifier


def judged(guard: ClassifierGuard, *exchanges: Exchange) -> Sequence[Screening]:
    async def ask() -> Sequence[Screening]:
        async with guard:
            return await guard.judge(exchanges)

    return asyncio.run(ask())


def said(*texts: str) -> list[Exchange]:
    return [Exchange(prompt=text) for text in texts]


def kinds(screening: Screening, part: Part = Part.PROMPT) -> dict[HarmKind, float]:
    assert isinstance(screening, Verdict), screening
    return {kind: round(score, 2) for kind, score in screening.kinds[part].items()}


def test_labels_become_kinds(tmp_path: Path) -> None:
    guard = ClassifierGuard(OnnxNetwork.read(tiny_classifier(tmp_path)), MEANING)
    bad, advert, good, pair = judged(
        guard, *said("나쁜 말", "도박 오세요", "좋은 말"), Exchange(prompt="좋은 말", response="나쁜 말")
    )
    assert kinds(bad) == {HarmKind.ABUSE: 1.0, HarmKind.ADVERTISING: 0.0}
    assert kinds(advert)[HarmKind.ADVERTISING] == 1.0
    assert kinds(good) == {HarmKind.ABUSE: 0.02, HarmKind.ADVERTISING: 0.02}
    assert kinds(pair)[HarmKind.ABUSE] < 0.1 < kinds(pair, Part.RESPONSE)[HarmKind.ABUSE]
    assert isinstance(bad, Verdict) and bad.is_raw, "nobody has calibrated it: it flags, and deletes nothing"


def test_several_may_hold_at_once(tmp_path: Path) -> None:
    guard = ClassifierGuard(OnnxNetwork.read(tiny_classifier(tmp_path, multi_label=True)), MEANING)
    (both,) = judged(guard, *said("나쁜 도박"))
    assert kinds(both) == {HarmKind.ABUSE: 1.0, HarmKind.ADVERTISING: 1.0}


def test_a_long_text_is_judged_in_windows_and_the_worst_counts(tmp_path: Path) -> None:
    guard = ClassifierGuard(OnnxNetwork.read(tiny_classifier(tmp_path, most=16)), MEANING)
    alone, together = judged(guard, *said("나쁜", "글 " * 100 + "나쁜 " + "글 " * 100))
    assert isinstance(together, Verdict) and together.windows > 10
    assert kinds(together)[HarmKind.ABUSE] == kinds(alone)[HarmKind.ABUSE], (
        "padding and the texts beside it change nothing"
    )


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({}, '"괜찮음" needs a kind of harm'),
        ({"괜찮음": "", "욕": "rude"}, '"욕" needs a kind of harm'),
        (dict.fromkeys(LABELS, ""), "none of the labels"),
    ],
)
def test_what_a_label_means_is_never_guessed(tmp_path: Path, labels: dict[str, str], says: str) -> None:
    with pytest.raises(Broken, match=says):
        ClassifierGuard(OnnxNetwork.read(tiny_classifier(tmp_path)), labels)


def test_a_folder_that_holds_something_else_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="not the configuration of a classifier"):
        OnnxNetwork.read(tmp_path)
    folder = tiny_classifier(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(Broken, match="cannot be read"):
        OnnxNetwork.read(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(Broken, match="optimum-cli"):
        OnnxNetwork.read(folder)


def test_behind_a_server_it_is_asked_by_classify() -> None:
    trouble: list[Any] = []

    async def classify(request: web.Request) -> web.Response:
        body = await request.json()
        assert body["use_activation"] is False and body["model"] == "mine"
        if any("너무 긴" in text for text in body["input"]):
            return web.json_response({"error": {"message": "too long"}}, status=400)
        data = [
            {"index": n, "probs": [-1.0, 7.0, -1.0] if "나쁜" in text else [3.0, -1.0, -1.0]}
            for n, text in enumerate(body["input"])
        ]
        return web.json_response(trouble[0] if trouble else {"data": data[::-1]})

    async def check() -> None:
        app = web.Application()
        app.router.add_post("/classify", classify)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        network = ServedNetwork([url], clock=ManualClock(), model="mine", labels=LABELS, token="", timeout=10)
        try:
            async with ClassifierGuard(network, MEANING) as guard:
                bad, long, good = await guard.judge(said("나쁜 말", "너무 긴 글", "좋은 말"))
                assert kinds(bad)[HarmKind.ABUSE] == 1.0 and kinds(good)[HarmKind.ABUSE] < 0.1
                assert isinstance(long, Unscreened) and long.reason == NoAnswer.REFUSED
                for answer in ({}, {"data": [{"index": 0, "probs": [1.0]}]}, {"data": [{"index": 0, "probs": "x"}]}):
                    trouble[:] = [answer]
                    (nothing,) = await guard.judge(said("나쁜 말"))
                    assert isinstance(nothing, Unscreened) and nothing.reason == NoAnswer.NO_SENSE
                assert guard.replica_figures()[0].circuit == "closed"
        finally:
            await runner.cleanup()

    asyncio.run(check())


def test_the_configuration_opens_it(tmp_path: Path) -> None:
    from bot.app.guards import guard
    from bot.config import Config
    from bot.config.guards import GuardSettings
    from bot.core.text.catalogue import texts

    folder = tiny_classifier(tmp_path / "model")
    chosen = GuardSettings.model_validate({"name": "classifier", "model": str(folder), "labels": MEANING})
    assert not chosen.asks_servers, "nothing leaves this machine"

    async def check() -> None:
        async with guard(Config(guard=chosen), texts("en")) as opened:
            (bad,) = await opened.judge(said("나쁜 말"))
            assert kinds(bad)[HarmKind.ABUSE] == 1.0

    asyncio.run(check())
    assert json.loads((folder / "config.json").read_text("utf-8"))["id2label"]


def test_the_bench_says_how_many_texts_it_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = Load(seconds=0.1, in_flight=4, shares=())
    folder = tiny_classifier(tmp_path)
    for language in ("ko", "en"):
        bench_guard("", texts(language), classifier=folder, only=["classifier"], load=load)
        assert texts(language)["bench.guard.title"] in capsys.readouterr().out
    bench_guard("", texts("en"), classifier=folder, only=["classifier"], load=load, as_json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["section"], row["texts"]) for row in rows] == [
        ("classifier", one) for one in ("chat", "pairs", "long")
    ]
    assert all(row["front_us"] > 0 and row["slowest"] <= row["per_second"] <= row["fastest"] for row in rows)
