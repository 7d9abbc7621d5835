"""The HTTP API over TCP, as the owner of an LLM bot meets it: verdicts, refusals, and never a false "safe"."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, AuthenticationError

from adapters.http_api import routes
from adapters.http_api.admission import Visitor
from adapters.http_api.wire.problems import Problem
from bot.core.base.errors import Unavailable
from bot.core.chat.ports import Connection
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Task, Unscreened, Verdict
from bot.core.operations.health import HealthMonitor
from tests.adapters.http_api.stage import KEY, WRITTEN, WRITTEN_OTHER, stage
from tests.builders import DISCORD
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.waiting import until

GUARD = GuardVersion(name="scripted", model="1")


def test_a_verdict_names_scores_rules_and_reasons_in_the_communitys_language(tmp_path: Path) -> None:
    async def scenario() -> None:
        verdict = Verdict.of_scores({Task.PROMPT_HARM: 0.2, Task.RESPONSE_HARM: 0.9}, guard=GUARD, windows=3)
        guard = ScriptedGuard({"안녕": 0.2, "나쁜 답": verdict, "나쁜 말": 0.9})
        async with stage(tmp_path, guard) as api:
            status, answer = await api.check("안녕", "나쁜 답")
            assert status == 200
            assert answer["flagged"] is True and answer["unscreened"] is None
            assert answer["scores"] == {"prompt_harm": 0.2, "response_harm": 0.9}
            assert answer["windows"] == 3 and answer["guard"]["name"] == "scripted" and answer["policy"]
            assert [(rule["rule"], rule["part"]) for rule in answer["rules"]] == [("harmful-answer", "response")]
            why = answer["rules"][0]["why"]
            assert why == {"code": "score_reached", "sentence": "유해 답변 점수 0.90, 기준 0.80 이상"}
            status, answer = await api.check("나쁜 말")
            assert answer["flagged"] is True
            assert answer["scores"] == {"prompt_harm": 0.9}, "what was not judged is absent"
            status, answer = await api.check("시험어")
            assert answer["flagged"] is False, "a rule on trial flags nothing"
            assert [rule["mode"] for rule in answer["rules"]] == ["shadow"]
            exchanges = [(one.prompt, one.response) for batch in guard.asked for one in batch]
            assert exchanges[:3] == [("안녕", None), ("안녕", "나쁜 답"), ("나쁜 말", None)]
            assert await api.core.inbox.waiting() == 0, "nothing is kept"

    asyncio.run(scenario())


def test_a_prompt_is_judged_by_itself_whatever_is_answered_to_it(tmp_path: Path) -> None:
    """`flagged: false` would say that nothing was found in either."""

    async def scenario() -> None:
        unscreened = Unscreened("unparseable", GUARD)
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": 0.9, "이상한 글": unscreened})) as api:
            status, answer = await api.check("나쁜 말", "그러시군요")
            assert status == 200 and answer["flagged"] is True and answer["withheld"] == ["delete"]
            assert [(rule["rule"], rule["part"]) for rule in answer["rules"]] == [("harm", "prompt")]
            assert answer["scores"] == {"prompt_harm": 0.9, "response_harm": 0.0}
            said = {"prompt": "금지어", "response": "네", "author": {"id": "1", "roles": ["admin"]}, "explain": True}
            _, answer = await api.post("/v1/check", said)
            assert answer["flagged"] is False, "of staff"
            assert {rule["part"] for rule in answer["unmatched"]} == {"prompt", "response"}
            _, answer = await api.post("/v1/check", {**said, "author": {"id": "1"}})
            assert [(rule["rule"], rule["part"]) for rule in answer["rules"]] == [("word", "prompt")]
            for prompt, response in (("이상한 글", "네"), ("네", "이상한 글")):
                status, answer = await api.check(prompt, response)
                assert status == 422 and answer["flagged"] is None, "nobody can say of one of them"
            assert (await api.check("나쁜 말", "이상한 글"))[1]["flagged"] is True
            assert (await api.check(" ", "좋은 답"))[1]["flagged"] is False

    asyncio.run(scenario())


def test_an_english_community_reads_english(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"bad": 0.9}), language="en") as api:
            _, answer = await api.check("bad")
            assert answer["rules"][0]["why"]["sentence"].startswith("harmful message")

    asyncio.run(scenario())


def test_a_key_speaks_for_its_community_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            assert (await api.post("/v1/check", {"prompt": "a", "community": "100"}))[0].status == 200
            refused, content = await api.post("/v1/check", {"prompt": "a", "community": "100"}, key=WRITTEN_OTHER)
            assert refused.status == 403 and content["error"]["code"] == "wrong_community"
            for wrong in (None, "", "jikimi_a1_wrong", "jikimi_zz_secret", "jikimi_a1_", WRITTEN + "x", "é"):
                refused, content = await api.post("/v1/check", {"prompt": "a"}, key=wrong)
                assert refused.status == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer ")
                assert content["error"]["code"] == "unauthorized" and "secret" not in json.dumps(content)

    asyncio.run(scenario())


def test_new_keys_open_and_revoked_ones_close_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.admission.EVERY", 0.05)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            assert (await api.check("a"))[0] == 200
            for _ in range(200):
                (key, _) = await api.core.keys.all()
                if key.used_at:
                    break
                await asyncio.sleep(0.02)
            assert key.used_at, "the last use is noted"
            assert await api.core.keys.revoke(KEY.id, api.core.clock.now())
            for _ in range(200):
                status, _ = await api.check("a")
                if status == 401:
                    break
                await asyncio.sleep(0.02)
            assert status == 401

    asyncio.run(scenario())


def test_what_cannot_be_judged_is_neither_safe_nor_harmful(tmp_path: Path) -> None:
    async def scenario() -> None:
        unscreened = Unscreened("unparseable", GUARD)
        guard = ScriptedGuard({"이상한 글": unscreened, "금지어": unscreened})
        async with stage(tmp_path, guard) as api:
            status, answer = await api.check("이상한 글")
            assert status == 422
            assert answer["flagged"] is None and answer["unscreened"] == "unparseable"
            assert answer["error"]["code"] == "unscreened"
            status, answer = await api.check("금지어")
            assert status == 200 and answer["flagged"] is True, "a rule that needs no verdict speaks for itself"
            assert answer["unscreened"] == "unparseable" and answer["scores"] == {}
            refused, content = await api.post("/v1/moderations", {"input": ["좋은 글", "이상한 글"]})
            assert refused.status == 422 and content["error"]["code"] == "unscreened"

    asyncio.run(scenario())


def test_while_the_guard_is_away_the_answer_is_later_and_what_is_remembered_is_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        async with stage(tmp_path, guard, deadline="1s") as api:
            assert (await api.check("아는 말"))[0] == 200
            guard.trouble = Unavailable("restarting")
            for path, content in (("/v1/check", {"prompt": "새 말"}), ("/v1/moderations", {"input": "새 말"})):
                answer, body = await api.post(path, content)
                assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
                assert body["error"]["code"] == "guard_away" and "flagged" not in body
            assert (await api.check("아는 말"))[1]["flagged"] is False
            ready, _ = await api.get("/readyz")
            assert ready.status == 503 and "Retry-After" in ready.headers
            assert (await api.get("/healthz"))[0].status == 200
            object.__setattr__(api.core.health_source, "judges", False)
            assert (await api.get("/readyz"))[0].status == 200, "who only hears needs no guard"
            object.__setattr__(api.core.health_source, "judges", True)
            guard.trouble = None
            await until(lambda: not api.core.queue.is_away)
            assert (await api.get("/readyz"))[0].status == 200
            assert (await api.check("새 말"))[0] == 200

    asyncio.run(scenario())


def test_a_guard_that_was_never_called_is_asked_once_whether_it_answers(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        async with stage(tmp_path, guard) as api:
            for _ in range(3):
                assert (await api.get("/readyz"))[0].status == 200
            assert guard.count == 1

    asyncio.run(scenario())


def test_it_is_not_ready_before_its_guard_has_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.trouble = Unavailable("nobody listens there")
        async with stage(tmp_path, guard) as api:
            answer, content = await api.get("/readyz")
            assert answer.status == 503 and json.loads(content)["error"]["code"] == "guard_away"
            guard.trouble = None
            await until(lambda: not api.core.queue.is_away)
            assert (await api.get("/readyz"))[0].status == 200

    asyncio.run(scenario())


def test_it_is_not_ready_while_it_does_not_hear_what_it_is_to_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(routes, "AS_OF", 0.0)
        async with stage(tmp_path) as api:
            health, chat = api.core.health_source, ScriptedPlatform()
            assert isinstance(health, HealthMonitor)
            health.chats[DISCORD] = chat
            assert (await api.get("/readyz"))[0].status == 200
            chat.connection = Connection(is_up=False)
            answer, content = await api.get("/readyz")
            assert answer.status == 503 and json.loads(content)["error"]["code"] == "not_connected"
            assert "discord" in content and (await api.get("/healthz"))[0].status == 200
            assert 'jikimi_connection_up{platform="discord"} 0.0' in (await api.get("/metrics"))[1]
            chat.connection = Connection(is_up=True)
            assert (await api.get("/readyz"))[0].status == 200

            async def read_only() -> bool:
                return False

            monkeypatch.setattr(health.standings, "answers", read_only)
            assert "database_away" in (await api.get("/readyz"))[1], "reading alone is not enough"

    asyncio.run(scenario())


def test_a_guard_that_is_too_slow_gives_no_verdict_and_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hang = True
        async with stage(tmp_path, guard, deadline="1s") as api:
            answer, body = await api.post("/v1/check", {"prompt": "a"})
            assert answer.status == 503 and "Retry-After" in answer.headers
            assert body["error"]["code"] == "too_long"
            await until(lambda: guard.cancelled == 1)

    asyncio.run(scenario())


def test_a_client_that_leaves_takes_its_question_along(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hang = True
        async with stage(tmp_path, guard, deadline="60s") as api:
            asking = asyncio.create_task(api.check("a"))
            await until(lambda: guard.count)
            asking.cancel()
            await until(lambda: guard.cancelled == 1)
            await until(lambda: api.core.queue.figures.dropped == 1)
            guard.hang = False
            assert (await api.check("b"))[0] == 200

    asyncio.run(scenario())


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, per_second=1) as api:
            answered = 0
            while (await api.check("a"))[0] == 200:
                answered += 1
            assert answered >= 33, "a burst is let through"
            refused, content = await api.post("/v1/moderations", {"input": ["a"] * 32})
            assert refused.status == 429 and int(refused.headers["Retry-After"]) >= 1
            assert content["error"]["type"] == "rate_limit_error"
            assert (await api.check("a", key=WRITTEN_OTHER))[0] == 200, "each key has its own share"

    asyncio.run(scenario())


def test_what_costs_more_than_the_bucket_holds_goes_through_a_full_one() -> None:
    """One token is spent before anything is read: what is asked for then is never more than the rest."""
    clock = ManualClock()
    visitor = Visitor(KEY, 20.0, clock)
    for _ in range(2):
        visitor.spend()
        visitor.spend(101, paid=1)
        with pytest.raises(Problem) as refused:
            visitor.spend()
        clock.jump(timedelta(seconds=int(refused.value.all_headers()["Retry-After"])))
        visitor.spend()
        with pytest.raises(Problem) as refused:
            visitor.spend(101, paid=1)
        clock.jump(timedelta(seconds=int(refused.value.all_headers()["Retry-After"])))


def test_one_key_cannot_take_all_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.admission.OF_ONE_KEY", 3)
    monkeypatch.setattr("adapters.http_api.admission.AT_ONCE", 4)

    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hold = asyncio.Event()
        async with stage(tmp_path, guard, deadline="30s") as api:
            asking = [asyncio.create_task(api.check(f"{number}")) for number in range(3)]
            await until(lambda: guard.count == 3)
            refused, content = await api.post("/v1/check", {"prompt": "x"})
            assert refused.status == 429 and content["error"]["code"] == "too_many_at_once"
            asking.append(asyncio.create_task(api.check("y", key=WRITTEN_OTHER)))
            await until(lambda: guard.count == 4)
            refused, content = await api.post("/v1/check", {"prompt": "z"}, key=WRITTEN_OTHER)
            assert refused.status == 503 and "Retry-After" in refused.headers
            guard.hold.set()
            assert [status for status, _ in await asyncio.gather(*asking)] == [200] * 4

    asyncio.run(scenario())


def test_a_flood_of_one_community_does_not_starve_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hold = asyncio.Event()
        async with stage(tmp_path, guard, deadline="60s", per_second=100_000) as api:
            flood = [
                asyncio.create_task(api.post("/v1/moderations", {"input": [f"{many} {few}" for few in range(32)]}))
                for many in range(30)
            ]
            await until(lambda: api.core.queue.figures.asked == 960)
            other = asyncio.create_task(api.check("급한 말", key=WRITTEN_OTHER))
            await until(lambda: api.core.queue.figures.asked == 961)
            held = len(guard.asked)
            guard.hold.set()
            assert (await other)[0] == 200
            await asyncio.gather(*flood)
            place = next(number for number, batch in enumerate(guard.asked) for one in batch if one.prompt == "급한 말")
            assert place == held, "it came with the first batch after those that were under way"
            assert len(guard.asked) > held + 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "not_json", None),
        (b"{", "not_json", None),
        (b'{"prompt": "\xff"}', "not_json", None),
        (b'\xff\xfe{\x00"\x00', "not_json", None),
        (b'{"prompt": "a", "prompt": "b"}', "not_json", None),
        (b'{"prompt": NaN}', "not_json", None),
        (b'{"prompt": ' + b"9" * 5000 + b"}", "not_json", None),
        (b"[" * 100_000, "not_json", None),
        (b'{"prompt": 1e999}', "invalid", "prompt"),
        (b'{"prompt": 5}', "invalid", "prompt"),
        (b'{"prompt": null}', "invalid", "prompt"),
        (b"{}", "invalid", "prompt"),
        (b"[]", "invalid", None),
        (b'{"prompt": "a", "secret words": 1}', "invalid", "…"),
        (b'{"prompt": "' + b"a" * 100_001 + b'"}', "invalid", "prompt"),
    ],
)
def test_odd_bodies_are_refused_with_a_reason(tmp_path: Path, body: bytes, code: str, param: str | None) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            refused, content = await api.post("/v1/check", body)
            assert refused.status == 400
            assert content["error"]["code"] == code and content["error"]["param"] == param
            assert content["request_id"] == refused.headers["X-Request-Id"]
            assert "secret words" not in json.dumps(content)
            assert code != "invalid" or not re.search("[A-Za-z]{3} [a-z]", content["error"]["message"])

    asyncio.run(scenario())


def test_halves_of_characters_are_judged_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        async with stage(tmp_path, guard) as api:
            answer, _ = await api.post("/v1/check", b'{"prompt": "\\ud83d hi", "response": "\\ude00"}')
            assert answer.status == 200
            assert guard.asked[-1][0].prompt == "\N{REPLACEMENT CHARACTER} hi"
            answer, _ = await api.post("/v1/check", b'{"prompt": "a", "response": " "}')
            assert answer.status == 200 and guard.asked[-1][0].response is None, "a blank response is none"

    asyncio.run(scenario())


def test_only_json_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            for wrong in ("text/plain", "application/json; charset=euc-kr", "application/x-www-form-urlencoded"):
                refused, content = await api.post("/v1/check", b'{"prompt":"a"}', headers={"Content-Type": wrong})
                assert refused.status == 415 and content["error"]["code"] == "wrong_type"
            right = {"Content-Type": "Application/JSON; charset=UTF-8"}
            assert (await api.post("/v1/check", b'{"prompt":"a"}', headers=right))[0].status == 200

    asyncio.run(scenario())


def test_a_request_keeps_its_id_where_that_is_a_plain_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            mine, content = await api.post("/v1/check", {"prompt": "비밀 이야기"}, headers={"X-Request-Id": "bot-7.1"})
            assert mine.headers["X-Request-Id"] == content["request_id"] == "bot-7.1"
            odd, content = await api.post("/v1/check", {"prompt": "a"}, headers={"X-Request-Id": "a b"})
            assert odd.headers["X-Request-Id"] == content["request_id"] != "a b"
            lost, content = await api.post("/v1/nowhere", {})
            assert lost.status == 404 and content["error"]["code"] == "not_found" and content["request_id"]
            async with api.session.put("/v1/check") as wrong:
                assert wrong.status == 405 and wrong.headers["Allow"] == "POST"
                assert (await wrong.json())["error"]["code"] == "method_not_allowed"

    asyncio.run(scenario())
    log = "".join(capsys.readouterr())
    assert "bot-7.1" in log
    assert "비밀" not in log and "secret" not in log


def test_openais_own_client_reads_the_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": 0.93})) as api:
            async with AsyncOpenAI(base_url=f"{api.url}/v1", api_key=WRITTEN, max_retries=0) as client:
                one = await client.moderations.create(input="나쁜 말", model="omni-moderation-latest")
                assert one.id.startswith("modr-") and one.model == "scripted"
                (result,) = one.results
                assert result.flagged is True
                assert result.categories.model_dump()["prompt_harm"] is True
                assert result.category_scores.model_dump()["prompt_harm"] == 0.93
                assert result.categories.hate is None, "not judged, which is not false"
                many = await client.moderations.create(input=["나쁜 말", "좋은 말"])
                assert [result.flagged for result in many.results] == [True, False]
            async with AsyncOpenAI(base_url=f"{api.url}/v1", api_key="wrong", max_retries=0) as stranger:
                with pytest.raises(AuthenticationError) as error:
                    await stranger.moderations.create(input="a")
                assert error.value.code == "unauthorized"

    asyncio.run(scenario())


def test_kinds_of_harm_are_openais_categories(tmp_path: Path) -> None:
    found = (Judgement(Part.PROMPT, HarmKind.HATE, 0.9, "scripted"), Judgement(Part.PROMPT, HarmKind.THREAT, 0.2, ""))

    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": Verdict(guard=GUARD, found=found)})) as api:
            checked, content = await api.post("/v1/check", {"prompt": "나쁜 말"})
            assert checked.status == 200 and content["kinds"] == {"prompt": {"hate": 0.9, "threat": 0.2}}
            async with AsyncOpenAI(base_url=f"{api.url}/v1", api_key=WRITTEN, max_retries=0) as client:
                (result,) = (await client.moderations.create(input="나쁜 말")).results
                assert (result.categories.hate, result.categories.harassment_threatening) == (True, False)
                assert (result.category_scores.hate, result.category_scores.harassment_threatening) == (0.9, 0.2)
                assert result.categories.sexual is None, "not judged, which is not false"

    asyncio.run(scenario())


def test_a_defect_is_an_answer_too_and_quotes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("비밀")

    monkeypatch.setattr("adapters.http_api.judging.deciding.facts_of", broken)

    async def scenario() -> None:
        async with stage(tmp_path) as api:
            status, answer = await api.check("비밀")
            assert status == 500 and answer["error"]["code"] == "failed"

    asyncio.run(scenario())
    assert "비밀" not in "".join(capsys.readouterr())


def test_stopping_answers_whoever_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        guard.hang = True
        async with stage(tmp_path, guard, deadline="60s") as api:
            asking = [asyncio.create_task(api.post("/v1/check", {"prompt": f"{number}"})) for number in range(8)]
            await until(lambda: guard.count == 8)
            await api.stop()
            for answer, content in await asyncio.gather(*asking):
                assert answer.status == 503 and "Retry-After" in answer.headers
                assert content["error"]["code"] == "stopping"

    asyncio.run(scenario())
