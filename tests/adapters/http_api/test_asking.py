"""What is asked over the HTTP API beside a text, and what is told beside a verdict."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from adapters.http_api.compatible.moderations import OPENAI_CATEGORIES
from adapters.http_api.judging.deciding import past_of
from adapters.http_api.wire.reading import wanted
from adapters.http_api.wire.shapes import CheckRequest
from adapters.system_clock import SystemClock
from bot.config import Config
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import NOTHING_TO_JUDGE, GuardVersion, Unscreened
from bot.core.incidents.incident import Settlement
from bot.core.incidents.review import Call
from bot.core.moderators.desk import CoreDesk
from bot.core.rules.actions import Flag
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding, decide
from storage.database import Database
from storage.flow.inbox import SqlInbox
from tests.adapters.http_api.stage import KEY, WRITTEN, WRITTEN_OTHER, stage
from tests.builders import NOW, decision, message
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import sqlite_in


def test_an_answer_says_what_would_be_done_and_on_request_why_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": 0.9})) as api:
            _, content = await api.post("/v1/check", {"prompt": "나쁜 말"})
            assert content["actions"] == ["flag"] and content["withheld"] == ["delete"], "it begins by watching"
            assert content["unmatched"] is None
            _, content = await api.post("/v1/check", {"prompt": "좋은 말", "explain": True})
            assert content["actions"] == [] and content["rules"] == []
            reasons = {rule["rule"]: rule["why"]["sentence"] for rule in content["unmatched"]}
            assert reasons["harm"].startswith("유해") and set(reasons) >= {"harm", "word", "trial"}

    asyncio.run(scenario())


def test_staff_is_left_alone_here_as_in_the_chat(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            said: dict[str, Any] = {"prompt": "금지어", "channel": "7", "author": {"id": "1", "name": "가온"}}
            assert (await api.post("/v1/check", said))[1]["flagged"] is True
            said["author"]["roles"] = ["admin"]
            assert (await api.post("/v1/check", said))[1]["flagged"] is False
            for wrong in ({"joined_at": "2026-01-01T00:00:00"}, {"joined_at": 5e99}, {"roles": ["a"] * 101}):
                refused, content = await api.post("/v1/check", said | {"author": wrong})
                assert refused.status == 400 and content["error"]["param"].startswith("author.")
            fine = said | {"author": {"joined_at": "2026-01-01T00:00:00+09:00"}}
            assert (await api.post("/v1/check", fine))[0].status == 200

    asyncio.run(scenario())


def test_a_batch_is_answered_one_by_one_even_where_one_cannot_be_judged(tmp_path: Path) -> None:
    odd = Unscreened("unparseable", GuardVersion(name="scripted", model="1"))

    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": 0.9, "이상한 글": odd})) as api:
            checks = [{"prompt": "나쁜 말"}, {"prompt": "이상한 글"}, {"prompt": "안녕", "response": "네"}]
            answered, content = await api.post("/v1/check/batch", {"checks": checks})
            assert answered.status == 200
            assert [one["flagged"] for one in content["results"]] == [True, None, False]
            assert content["results"][1]["unscreened"] == "unparseable"
            for wrong, param in (
                ([], "checks"),
                ([{"prompt": "a"}] * 33, "checks"),
                ([{"prompt": "a"}, {"promt": "b"}], "checks.1.prompt"),
                ([{"prompt": "a", "community": "200"}], "community"),
            ):
                refused, content = await api.post("/v1/check/batch", {"checks": wrong})
                assert refused.status in (400, 403) and content["error"]["param"] == param

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/check", {"prompt": ""}, "prompt"),
        ("/v1/check", {"prompt": " \n", "response": "\t"}, "prompt"),
        ("/v1/check/batch", {"checks": [{"prompt": "a"}, {"prompt": ""}]}, "checks.1.prompt"),
        ("/v1/moderations", {"input": ""}, "input"),
        ("/v1/moderations", {"input": ["a", " "]}, "input.1"),
        ("/v1/moderations", {"input": [{"type": "text", "text": ""}]}, "input"),
    ],
)
def test_where_there_is_no_text_nobody_says_that_it_is_safe(
    tmp_path: Path, path: str, body: dict[str, Any], param: str
) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            refused, content = await api.post(path, body)
            assert refused.status == 422 and content["flagged"] is None
            assert (content["error"]["code"], content["error"]["param"]) == ("empty", param)

    asyncio.run(scenario())


def test_the_field_that_is_wrong_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            _, content = await api.post("/v1/check", {"promt": "a"})
            assert content["error"]["param"] == "prompt", "what is missing comes first"
            _, content = await api.post("/v1/check", {"prompt": "a", "respnse": "b"})
            assert content["error"]["param"] == "respnse"
            for hidden in ("비밀", "a secret", "x" * 41):
                _, content = await api.post("/v1/check", {"prompt": "a", hidden: "b"})
                assert content["error"]["param"] == "…"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "body", "param", "why"),
    [
        ("/v1/check", {"prompt": "a", "recent": [{"text": "가" * 501}]}, "recent.0.text", "500자를 넘습니다"),
        ("/v1/check", {"prompt": "가" * 100_001}, "prompt", "100,000자를 넘습니다"),
        ("/v1/check", {"prompt": "a", "author": {"joined_at": "2026-01-01T00:00:00"}}, "author.joined_at", "시간대"),
        ("/v1/check", {"prompt": "a", "author": {"joined_at": "어제"}}, "author.joined_at", "같은 시각"),
        ("/v1/check", {"prompt": "a", "author": {"joined_at": 5}}, "author.joined_at", "같은 시각"),
        ("/v1/feedback", {"code": "a", "verdict": "bad"}, "verdict", "'right', 'wrong'"),
        ("/v1/moderations", {"input": []}, "input", "비어 있습니다"),
        ("/v1/moderations", {"input": 5}, "input", "글이어야 합니다"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_the_readers_words(
    tmp_path: Path, path: str, body: dict[str, Any], param: str, why: str
) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            refused, content = await api.post(path, body)
            message = content["error"]["message"]
            assert refused.status == 400 and content["error"]["param"] == param
            assert why in message and "Input" not in message and "어제" not in message

    asyncio.run(scenario())


def test_of_a_text_that_is_too_long_to_be_read_whole_it_is_said_how_long_it_may_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            status, answer = await api.check("가 " * 10_001)
            assert status == 422 and "20,000자" in answer["error"]["message"]
            assert answer["unscreened"].startswith("too long")
            status, answer = await api.check("금지어 " + "가 " * 10_001)
            assert status == 200 and answer["flagged"] is True

    asyncio.run(scenario())


def test_errors_and_reasons_are_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": 0.9})) as api:
            english = {"Accept-Language": "en-GB,en;q=0.9"}
            refused, content = await api.post("/v1/check", {"prompt": "a"}, key="wrong", headers=english)
            assert content["error"]["message"].startswith("A valid API key")
            assert refused.headers["Content-Language"] == "en" and refused.headers["Vary"] == "Accept-Language"
            _, content = await api.post("/v1/check", {"prompt": "나쁜 말"}, headers=english)
            assert content["rules"][0]["why"]["sentence"].startswith("harmful message")
            _, content = await api.post("/v1/check", {"prompt": "나쁜 말"})
            assert content["rules"][0]["why"]["sentence"].startswith("유해 발언")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ko", "ko"),
        ("fr, en;q=0.2, ko;q=0.8", "ko"),
        ("KO-kr;q=0.1, en ; q=0.5", "en"),
        ("*", None),
        ("fr", None),
        ("ko;q=0", None),
        ("ko;q=abc", None),
        ("ko;q=nan,en", "en"),
        ("", None),
        ("a," * 10_000 + "ko", None),
    ],
)
def test_accept_language_is_read_as_it_is_meant(header: str, language: str | None) -> None:
    say = wanted({"accept-language": header})
    assert (say and say.language) == language


def test_a_client_sees_how_much_of_its_share_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, per_second=1) as api:
            answered, _ = await api.post("/v1/check", {"prompt": "a"})
            assert answered.headers["X-RateLimit-Limit"] == "33"
            assert answered.headers["X-RateLimit-Remaining"] in ("31", "32")
            assert 1 <= int(answered.headers["X-RateLimit-Reset"]) <= 2
            await api.post("/v1/moderations", {"input": ["a"] * 31})
            refused, _ = await api.post("/v1/moderations", {"input": ["a"] * 32})
            assert refused.status == 429 and int(refused.headers["X-RateLimit-Remaining"]) <= 2
            stranger, _ = await api.post("/v1/check", {"prompt": "a"}, key="wrong")
            assert "X-RateLimit-Limit" not in stranger.headers

    asyncio.run(scenario())


def test_openais_client_gets_rules_and_actions_and_may_send_parts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            stage(tmp_path, ScriptedGuard({"나쁜\n말": 0.9})) as api,
            AsyncOpenAI(base_url=f"{api.url}/v1", api_key=WRITTEN, max_retries=0) as client,
        ):
            parts: Any = [{"type": "text", "text": "나쁜"}, {"type": "text", "text": "말"}]
            (result,) = (await client.moderations.create(input=parts)).results
            assert result.flagged and result.model_dump()["jikimi"]["rules"][0]["rule"] == "harm"
            assert result.model_dump()["jikimi"]["withheld"] == ["delete"]
            picture: Any = [*parts, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
            with pytest.raises(BadRequestError) as error:
                await client.moderations.create(input=picture)
            assert error.value.code == "no_pictures" and error.value.param == "input.2"

    asyncio.run(scenario())


def test_every_kind_of_harm_stands_in_one_of_openais_categories() -> None:
    told = frozenset[HarmKind]().union(*OPENAI_CATEGORIES.values())
    assert told == frozenset(HarmKind) - {HarmKind.UNSPECIFIED}


def test_rules_that_look_back_see_what_was_said_before(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def ago(seconds: float) -> str:
        return (now - timedelta(seconds=seconds)).isoformat()

    async def scenario() -> None:
        async with stage(tmp_path) as api:

            async def found(prompt: str, *recent: dict[str, str], **more: Any) -> set[str]:
                _, content = await api.post("/v1/check", {"prompt": prompt, "recent": [*recent], **more})
                return {rule["rule"] for rule in content["rules"]}

            same, said = {"text": "도배 도배"}, {"text": "도배 도배", "sent_at": ago(30)}
            assert await found("도배 도배", same, said) == {"again"}
            assert await found("도배 도배", same) == set()
            assert await found("도배 도배", same, said | {"sent_at": ago(90)}) == set()
            assert await found("도배 도배", same, said | {"sent_at": ago(-3600)}) == {"again"}, "it is not yet to come"
            assert await found("린다", {"text": "죽여", "sent_at": ago(9)}, {"text": "버", "sent_at": ago(5)}) == {
                "pieces"
            }
            assert await found("린다", {"text": "버", "sent_at": ago(9)}, {"text": "죽여", "sent_at": ago(5)}) == set()
            assert await found("린다", {"text": "죽여"}, {"text": "버"}, response="네?") == {"pieces"}
            assert await found("네?", {"text": "죽여"}, {"text": "버"}, response="린다") == set(), "somebody else's"
            assert await found("도배 도배") == set(), "nothing is remembered from one request to the next"
            for wrong in ([same] * 13, [{"text": "a" * 501}], [{"text": "a", "sent_at": "2026-01-01T00:00:00"}]):
                refused, content = await api.post("/v1/check", {"prompt": "a", "recent": wrong})
                assert refused.status == 400 and content["error"]["param"].startswith("recent")

    asyncio.run(scenario())


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_flood_that_the_page_shows_is_one_by_the_rules_that_ship(language: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / language / "http-api.md").read_text("utf-8")
    (shown,) = re.findall("```json\n(.*?)```", page, re.DOTALL)
    asked = CheckRequest.model_validate_json(shown)
    said = message(text=asked.prompt)
    past = past_of(said, asked.recent)
    found = decide(said, NOTHING_TO_JUDGE, Config().policy, at=said.sent_at, past=past).findings
    assert [one.rule for one in found if one.matched] == ["flood"]


def test_what_came_before_costs_a_share_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, per_second=1) as api:
            plain, _ = await api.post("/v1/check", {"prompt": "a"})
            much, _ = await api.post("/v1/check", {"prompt": "a", "recent": [{"text": "가" * 500}] * 12})
            cost = int(plain.headers["X-RateLimit-Remaining"]) - int(much.headers["X-RateLimit-Remaining"])
            assert cost >= 6

    asyncio.run(scenario())


def test_what_moderators_have_called_wrong_is_not_found_here_either(tmp_path: Path) -> None:
    said = "오늘 저녁은 닭갈비 먹으러 갈 사람"

    async def scenario() -> None:
        home = KEY.community
        about = message("1", said, platform=home.platform, community=home.id)
        decided = replace(decision(about, Flag()), findings=(Finding("harm", True, Explanation("score_reached")),))
        async with Database.open(sqlite_in(tmp_path), SystemClock()) as database:
            await SqlInbox(database).keep([about])
            await SqlInbox(database).settle([Settlement(decision=decided, decided_at=NOW)])
        async with stage(tmp_path, ScriptedGuard({said: 0.9})) as api:
            await api.core.desk.call(home, 1, Call.WRONG, moderator_id="9", moderator_name="달")
            desk = api.core.desk
            assert isinstance(desk, CoreDesk) and desk.rulings
            await desk.rulings.load(anew=True)
            assert (await api.check(said))[1]["flagged"] is False
            _, elsewhere = await api.check(said, key=WRITTEN_OTHER)
            assert elsewhere["flagged"] is True, "another community's moderators have said nothing"

    asyncio.run(scenario())
