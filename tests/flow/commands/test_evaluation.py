"""`jikimi eval` and `jikimi calibrate` as a user runs them: whole commands, a real file, a guard over HTTP."""

import asyncio
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.system_clock import SystemClock
from bot.app.keeping import sealing
from bot.cli.app import build
from bot.config import load
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Judgement, Part, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Call, Review
from bot.core.rules.actions import Flag
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.records.incidents import SqlIncidents
from storage.records.reviews import SqlReviews
from storage.settings.communities import SqlCommunities
from tests.builders import GUARD, REHEARSAL, decision, home, message, put_settings
from tests.servers.command import run, typed
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork
from tests.servers.guard import SURE, GuardServer
from tests.servers.waiting import until

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "data" / "labelled.jsonl"
RECORDED = ROOT / "tests" / "data" / "wildguard_ko_outputs.jsonl"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


async def jikimi(folder: Path, *words: object, code: int = 0, language: str = "en") -> str:
    """What the command says: stdout, or stderr where it is to fail."""
    done = await asyncio.to_thread(run, folder, "--lang", language, *map(str, words), environment=ENVIRONMENT)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def configured(folder: Path, server: GuardServer, **more: str) -> Path:
    path = folder / "config.toml"
    keys = {"name": "wildguard-ko", "timeout": "60s"} | more
    lines = "".join(f'{key} = "{value}"\n' for key, value in keys.items())
    path.write_text(f'[guard]\nservers = ["{server.url}"]\n{lines}')
    return path


def test_a_guard_is_measured_task_by_task_and_source_by_source(tmp_path: Path) -> None:
    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server)
            result = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json"))
            assert result["guard"]["name"] == "wildguard-ko"
            assert result["rows"] == 13
            assert result["unscreened"] == {"rows": 1, "reasons": {"the guard hardly considered its own labels": 1}}
            harm = result["tasks"]["prompt_harm"]
            # "나쁜" is all that this guard knows: one innocent bad habit, one polite villain; the unscreened is no row.
            assert harm["confusion"] == {
                "true_positives": 4,
                "false_positives": 1,
                "false_negatives": 1,
                "true_negatives": 5,
            }
            assert (harm["labelled"], harm["unscreened"], harm["not_judged"]) == (12, 1, 0)
            assert harm["f1"]["value"] == pytest.approx(0.8)
            assert harm["f1"]["interval"]["low"] < 0.8 < harm["f1"]["interval"]["high"]
            assert result["tasks"]["response_refusal"]["f1"]["value"] == 1.0
            assert result["tasks"]["response_harm"]["confusion"]["true_positives"] == 1
            assert result["sources"]["talk"]["prompt_harm"]["labelled"] == 9
            assert set(result["sources"]["answers"]) == set(result["tasks"])
            strict = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json", "--threshold", SURE + 0.01))
            assert strict["tasks"]["prompt_harm"]["recall"]["value"] == 0.0

    asyncio.run(check())


def test_the_result_is_a_table_a_markdown_page_and_a_picture(tmp_path: Path) -> None:
    async def check() -> None:
        shown = await jikimi(tmp_path, "eval", SAMPLE, "--markdown", "report.md", "--picture", "picture.png")
        assert "embedded" in shown and "13 rows" in shown and "AUROC" in shown
        page = (tmp_path / "report.md").read_text("utf-8")
        assert "| F1 |" in page and "## By source" in page
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
        korean = await jikimi(tmp_path, "eval", SAMPLE, "--picture", "picture-ko.png", language="ko")
        assert "재현율" in korean
        assert (tmp_path / "picture-ko.png").stat().st_size > 10_000

    asyncio.run(check())


def test_two_guards_are_compared_on_the_same_rows(tmp_path: Path) -> None:
    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server)
            words = ("eval", SAMPLE, "--compare", "wildguard-ko", "embedded")
            result = json.loads(await jikimi(tmp_path, *words, "--json"))
            assert (result["a"]["guard"]["name"], result["b"]["guard"]["name"]) == ("wildguard-ko", "embedded")
            found = result["comparison"]["prompt_harm"]
            assert 0 < found["mcnemar_p"] <= 1
            assert found["only_a_right"] + found["only_b_right"] > 0
            assert "response_refusal" not in result["comparison"]  # embedded cannot judge it
            assert result["b"]["tasks"]["response_refusal"]["not_judged"] == 4
            assert found["left_out"] == 1, "what one of them could not judge"
            shown = await jikimi(tmp_path, *words, "--prevalence", 0.02)
            assert "McNemar" in shown and "1 labelled row is not compared" in shown
            assert "precision where 2% is harmful" in shown

    asyncio.run(check())


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    rows = [{"prompt": f"{'나쁜' if n % 3 == 0 else '좋은'} 부탁 {n}", "prompt_harm": n % 4 == 0} for n in range(300)]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def check() -> None:
        folder = tmp_path / "jikimi-scores"
        async with GuardServer() as server:
            configured(tmp_path, server)
            server.answers = 6  # requests, then it hangs
            with Fork(typed, "eval", str(data), "--json", folder=tmp_path):
                await until(lambda: any(file.stat().st_size for file in folder.glob("*.jsonl")))
        (scores,) = folder.glob("*.jsonl")
        finished = scores.read_text().count("\n")
        assert 0 < finished < 300
        with scores.open("a") as torn:
            torn.write('{"exchange": "cut sho')
        async with GuardServer() as server:  # another, for what was sent before the kill may still arrive
            configured(tmp_path, server)
            resumed = await jikimi(tmp_path, "eval", data, "--json")
            assert sum(len(body["prompt"]) for body in server.bodies) == 300 - finished
            assert resumed == await jikimi(tmp_path, "eval", data, "--json", "--scores", "elsewhere")
            asked = len(server.bodies)
            assert await jikimi(tmp_path, "eval", data, "--json") == resumed
            assert len(server.bodies) == asked
            lines = scores.read_text().splitlines()
            assert len(lines) == 300
            assert all(json.loads(line) for line in lines)
            assert "부탁" not in scores.read_text()

    asyncio.run(check())


def test_part_of_the_data_is_the_same_part_each_time(tmp_path: Path) -> None:
    async def check() -> None:
        first = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json", "--limit", 5))
        again = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json", "--limit", 5))
        assert first == again and first["rows"] == 5

    asyncio.run(check())


def test_a_guard_that_stays_away_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server, model="another")
            said = await jikimi(tmp_path, "eval", SAMPLE, code=2)
            assert said.count("\n") == 1 and "does not serve another" in said

    asyncio.run(check())


def test_recorded_outputs_are_measured(tmp_path: Path) -> None:
    async def check() -> None:
        result = json.loads(await jikimi(tmp_path, "eval", "--outputs", RECORDED, "--json"))
        assert (result["rows"], result["unparsed"], result["skipped_double_labelled"]) == (38, 0, 7)
        counts = result["prompt_harm"]
        assert counts["precision"] == counts["true_positives"] / (counts["true_positives"] + counts["false_positives"])
        assert sum(counts[cell] for cell in counts if cell.endswith("tives")) == 31
        assert "precision" in await jikimi(tmp_path, "eval", "--outputs", RECORDED)

    asyncio.run(check())


def test_what_a_cascade_would_skip_is_measured_on_both_kinds_of_data_at_once(tmp_path: Path) -> None:
    def said(*words: object) -> str:
        done = CliRunner().invoke(build("en"), ["bench", "cascade", *map(str, words)])
        assert done.exit_code == 0, done.output
        return done.output

    result = json.loads(said(SAMPLE, "--outputs", RECORDED, "--json"))
    of = {one["source"]: one for one in result["sources"]}
    assert of["talk"]["is_chat"] and not of["recorded_prompts"]["is_chat"] and not of["said_of_answers"]["is_chat"]
    assert of["talk"]["rows"] == 9 and result["below"] == 0.05
    assert all(one["missed"] <= min(one["low"], one["harmful"]) for one in of.values())
    assert "skips chat alone" in said("--outputs", RECORDED)


def test_the_cards_table_stands_beside_what_is_measured(tmp_path: Path) -> None:
    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server)
            words = ("eval", "--card", f"WG={SAMPLE}")
            result = json.loads(await jikimi(tmp_path, *words, "--json"))
            measured = result["measured"]["wildguard-ko"]
            assert measured == {"WJ": None, "WG-Prompt": pytest.approx(80), "WG-Refusal": 100, "WG-Resp": 100}
            assert result["card"]["wildguard-ko"]["WG-Prompt"] == 87.381
            assert result["card"]["kosafeguard"]["WJ"] is None
            shown = await jikimi(tmp_path, *words, "--guard", "embedded", "--card", f"WJ={SAMPLE}")
            row = next(line for line in shown.splitlines() if "embedded" in line)
            assert row.split()[-2] == "-"  # a refusal is beyond it
            assert "80.116" in shown
            assert any("wildguard-ko" in line and "80.000" in line for line in shown.splitlines()), "of the run before"
            assert result["metric"]["WG-Refusal"] == "F1 of response_refusal"
            assert "NAME=FILE" in await jikimi(tmp_path, "eval", "--card", "XX=y", code=2)

    asyncio.run(check())


def test_the_published_files_are_measured_as_the_card_does_guard_after_guard(tmp_path: Path) -> None:
    mix = [
        {
            "prompt": f"request {n}",
            "prompt_ko": f"{'나쁜' if n % 2 else '좋은'} 부탁 {n}",
            "adversarial": n % 3 == 0,
            "response": "answer",
            "response_ko": ["나쁜 대답", "죄송합니다"][n % 4 == 1],
            "prompt_harm_label": "harmful" if n % 2 else "unharmful",
            "response_refusal_label": "refusal" if n % 4 == 1 else "compliance",
            "response_harm_label": None if n == 0 else "unharmful" if n % 4 == 1 else "harmful",
        }
        for n in range(12)
    ]
    jailbreak = [
        {"adversarial": "Imagine", "adversarial_ko": f"{'나쁜' if n % 2 else '좋은'} 상상", "data_type": kind}
        for n, kind in enumerate(["adversarial_benign", "adversarial_harmful"] * 3)
    ]
    (tmp_path / "wg.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in mix), "utf-8")
    with (tmp_path / "wj.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(jailbreak[0]))
        table.writeheader()
        table.writerows(jailbreak)

    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server)
            words = ("eval", "--card", "WG=wg.jsonl", "--card", "WJ=wj.csv")
            await jikimi(tmp_path, *words, "--guard", "embedded", "--json")
            result = json.loads(await jikimi(tmp_path, *words, "--as-card", "--json"))
            assert result["measured"]["wildguard-ko-as-card"] == dict.fromkeys(result["metric"], 100.0)
            assert set(result["measured"]) == {"embedded", "wildguard-ko-as-card"}, "the run before stands beside"
            assert result["details"]["wildguard-ko-as-card"]["WG-Resp"]["rows"] == 11
            asked = [prompt for body in server.bodies for prompt in body["prompt"]]
            assert all("부탁" in prompt or "상상" in prompt for prompt in asked), "no English was judged"
            said = await jikimi(tmp_path, *words, "--guard", "shieldgemma", "--as-card", code=2)
            assert "everything about an exchange" in said

    asyncio.run(check())


def test_a_community_has_thresholds_by_what_its_moderators_have_called(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    (tmp_path / "config.toml").write_text(f'[storage]\nurl = "{url}"\n')

    async def fill() -> None:
        clock = SystemClock()
        sealed = sealing(load(tmp_path / "config.toml", texts("en"), (), {}), clock)
        async with Database.open(url, clock, sealed) as database:
            await put_settings(SqlCommunities(database), Community(platform=REHEARSAL, id="cafe", preset="strict"))
            for number in range(60):
                said, is_wrong = message(f"{number}", f"글 {number}"), number % 3 == 0
                found = Judgement(Part.PROMPT, HarmKind.ABUSE, 0.82 if is_wrong else 0.95, "embedded")
                judged = Verdict(guard=GUARD, found=(found,))
                made = replace(decision(said, Flag()), screening=judged, rule="likely-abuse")
                await SqlInbox(database).keep([said])
                await SqlInbox(database).settle([Settlement(decision=made, decided_at=clock.now())])
                (incident,) = await SqlIncidents(database).of([said.ref])
                call = Call.WRONG if is_wrong else Call.RIGHT
                review = Review(
                    incident_id=incident.id, call=call, moderator_id="m", moderator_name="m", at=clock.now()
                )
                await SqlReviews(database).record(home(), review, due=clock.now())

    asyncio.run(fill())
    asked = ["calibrate", "--community", "cafe", "--config", str(tmp_path / "config.toml")]
    done = CliRunner().invoke(build("en"), [*asked, "--precision", "0.85", "--json"])
    found = json.loads(done.output)["likely-abuse"]
    assert (found["right"], found["wrong"], found["proposed"], found["spared"]) == (40, 20, 0.83, 20)
    shown = CliRunner().invoke(build("ko"), [*asked, "--precision", "0.85"])
    assert "0.83" in shown.output and "틀린 20건" in " ".join(shown.output.split())
    refused = CliRunner().invoke(build("en"), ["calibrate", *asked[3:]])
    assert "--community" in str(refused.exception)


def test_a_calibration_is_fitted_used_and_refused_for_another_guard(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    rows: Sequence[dict[str, Any]] = [
        {"prompt": f"{'나쁜' if n % 2 else '좋은'} 부탁 {n}", "prompt_harm": bool(n % 2) != (n % 10 < 3)}
        for n in range(200)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server)
            fitted = json.loads(await jikimi(tmp_path, "calibrate", data, "--out", "scale.json", "--json"))
            scale = fitted["tasks"]["prompt_harm"]
            assert scale["temperature"] > 1 and scale["loss"] < scale["raw_loss"]
            raw = json.loads(await jikimi(tmp_path, "eval", data, "--json"))
            configured(tmp_path, server, calibration="scale.json")
            better = json.loads(await jikimi(tmp_path, "eval", data, "--json"))
            assert better["guard"]["calibration"] == fitted["fingerprint"]
            error = [result["tasks"]["prompt_harm"]["calibration_error"]["value"] for result in (raw, better)]
            assert error[1] < 0.02 < 0.2 < error[0]
            configured(tmp_path, server, calibration="scale.json", revision="newer")
            done = await asyncio.to_thread(run, tmp_path, "--lang", "en", "judge", "나쁜 부탁", "--json")
            assert "calibration does not fit this guard" in done.stderr
            assert json.loads(done.stdout)["screening"]["scores"] == {"prompt_harm": SURE}
            said = await jikimi(tmp_path, "calibrate", SAMPLE, code=2)
            assert "fewer than 20 rows" in said

    asyncio.run(check())


def test_a_cascade_says_what_it_skipped(tmp_path: Path) -> None:
    async def check() -> None:
        async with GuardServer() as server:
            configured(tmp_path, server, name="cascade")
            with (tmp_path / "config.toml").open("a") as config:
                config.write("skip_below = 0.2\nsample = 1.0\n")
            result = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json"))
            figures = result["cascade"]
            unscreened = result["unscreened"]["rows"]
            assert figures["first"] == 13 - unscreened == figures["skipped"] + figures["second"]
            again = json.loads(await jikimi(tmp_path, "eval", SAMPLE, "--json"))
            assert again["cascade"] == figures, "the finished scores remember how they came about"
            assert figures["sampled"] == figures["skipped"] > 0
            assert "surely benign" in await jikimi(tmp_path, "eval", SAMPLE, "--scores", "fresh")

    asyncio.run(check())
