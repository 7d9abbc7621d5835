"""Users of Google's Perspective API change one address: Google's own client, and requests as its pages show them."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import httplib2
import pytest
from googleapiclient import discovery, errors

from adapters.http_api.compatible.perspective import ATTRIBUTES
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from tests.adapters.http_api.stage import WRITTEN, Stage, stage
from tests.fakes.guarding import ScriptedGuard

PATH = "/v1alpha1/comments:analyze"


def judged(**kinds: float) -> Verdict:
    found = tuple(Judgement(Part.PROMPT, HarmKind(kind), score, "scripted") for kind, score in kinds.items())
    return Verdict(guard=GuardVersion(name="scripted", model="1"), found=found)


def asked(text: str, *attributes: str, **more: Any) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {one: {} for one in attributes or ("TOXICITY",)}, **more}


async def analyze(api: Stage, body: Any, key: str | None = WRITTEN, **more: Any) -> tuple[int, Any]:
    answer, content = await api.post(f"{PATH}?key={key}" if key else PATH, body, key=None, **more)
    return answer.status, content


def test_googles_own_client_works_when_its_address_is_changed(tmp_path: Path) -> None:
    def ask(url: str, key: str) -> Any:
        body = {
            "comment": {"text": "나쁜 말"},
            "requestedAttributes": {"TOXICITY": {}, "THREAT": {}},
            "languages": ["ko"],
            "clientToken": "7",
        }
        address = f"{url}/$discovery/rest?version=v1alpha1"
        with closing(httplib2.Http(timeout=60)) as http:
            client = discovery.build(
                "commentanalyzer", "v1alpha1", developerKey=key, static_discovery=False,
                discoveryServiceUrl=address, http=http,
            )  # fmt: skip
            return client.comments().analyze(body=body).execute()

    async def scenario() -> None:
        guard = ScriptedGuard({"나쁜 말": judged(abuse=0.9, threat=0.1)})
        async with stage(tmp_path, guard) as api:
            answer = await asyncio.to_thread(ask, api.url, WRITTEN)
            assert answer["attributeScores"]["TOXICITY"]["summaryScore"] == {"value": 0.9, "type": "PROBABILITY"}
            assert answer["attributeScores"]["THREAT"]["summaryScore"]["value"] == 0.1
            assert answer["attributeScores"]["THREAT"]["spanScores"][0]["end"] == 4
            assert answer["languages"] == ["ko"] and answer["clientToken"] == "7"
            with pytest.raises(errors.HttpError) as error:
                await asyncio.to_thread(ask, api.url, "wrong")
            assert error.value.status_code == 401

    asyncio.run(scenario())


def test_a_key_may_stand_in_the_address_and_is_never_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"나쁜 말": judged(abuse=0.9)})) as api:
            assert (await analyze(api, asked("나쁜 말")))[0] == 200
            for name in ("X-Goog-Api-Key", "Authorization"):
                given = WRITTEN if name.startswith("X") else f"Bearer {WRITTEN}"
                assert (await analyze(api, asked("나쁜 말"), key=None, headers={name: given}))[0] == 200
            for wrong in (None, "jikimi_a1_wrong"):
                status, content = await analyze(api, asked("나쁜 말"), key=wrong)
                assert status == 401 and content["error"]["status"] == "UNAUTHENTICATED"
                assert all(name in content["error"]["message"] for name in ("key=", "X-Goog-Api-Key", "Bearer"))

    asyncio.run(scenario())
    log = "".join(capsys.readouterr())
    assert PATH in log and "secret" not in log and "나쁜" not in log


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_each_attribute_is_the_worst_of_its_kinds(tmp_path: Path, attribute: str) -> None:
    async def scenario() -> None:
        kinds = {kind.value: 0.02 for kind in HarmKind} | {min(ATTRIBUTES[attribute]).value: 0.7}
        async with stage(tmp_path, ScriptedGuard({"글": judged(**kinds)})) as api:
            status, content = await analyze(api, asked("글", attribute))
            assert status == 200 and content["attributeScores"][attribute]["summaryScore"]["value"] == 0.7

    asyncio.run(scenario())


def test_what_is_not_offered_is_refused_or_on_request_left_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"글": judged(abuse=0.9), "다른 글": 0.8})) as api:
            status, content = await analyze(api, asked("글", "TOXICITY", "FLIRTATION"))
            assert status == 400 and "SEVERE_TOXICITY" in content["error"]["message"]
            assert "FLIRTATION" in content["error"]["message"]
            (violation,) = content["error"]["details"][0]["fieldViolations"]
            assert violation == {"field": "requestedAttributes", "description": content["error"]["message"]}
            status, content = await analyze(api, asked("글", "secret words"))
            assert status == 400 and "secret" not in content["error"]["message"]
            assert (await analyze(api, asked("글", languages=["ko", "en"])))[0] == 400
            assert (await analyze(api, asked("글", languages=["ko-KR"])))[0] == 200
            status, content = await analyze(api, asked("글", "INSULT", languages=["fr"]))
            (detail,) = content["error"]["details"]
            assert status == 400 and detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
            assert detail["languageNotSupportedByAttributeError"] == {"attribute": "INSULT"}
            _, content = await analyze(
                api, asked("글", "TOXICITY", "FLIRTATION", "THREAT", dropUnsupportedAttributes=True)
            )
            assert set(content["attributeScores"]) == {"TOXICITY"}, "this guard does not look for threats"
            assert (await analyze(api, asked("다른 글", "TOXICITY")))[0] == 200, "one without kinds knows this one"
            assert (await analyze(api, asked("다른 글", "THREAT")))[0] == 400
            low = {"comment": {"text": "글"}, "requested_attributes": {"TOXICITY": {"score_threshold": 0.95}}}
            assert (await analyze(api, low))[1]["attributeScores"] == {}, "names of protocol buffers are taken, too"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (asked(" "), "COMMENT_EMPTY"),
        (asked("가" * 7000), "COMMENT_TOO_LONG"),
        (asked("가" * 100_001), "COMMENT_TOO_LONG"),
        ({"comment": {"text": "a"}}, None),
        (asked("a") | {"requestedAttributes": {}}, None),
        (asked("a") | {"unknown": 1}, None),
        (b"{", None),
    ],
)
def test_errors_are_in_googles_shape(tmp_path: Path, body: Any, kind: str | None) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            status, content = await analyze(api, body)
            error = content["error"]
            assert status == 400 == error["code"] and error["status"] == "INVALID_ARGUMENT" and error["message"]
            assert kind in [detail.get("errorType") for detail in error["details"]] or kind is None
            lost, content = await api.post("/v1alpha1/comments:suggestscore", asked("a"))
            assert lost.status == 404 and content["error"]["status"] == "NOT_FOUND"
            assert api.guard.count == 0, "nothing of it was judged"

    asyncio.run(scenario())


def test_behind_a_proxy_with_tls_the_key_travels_with_tls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            headers = {"X-Forwarded-Proto": "https", "Host": "guard.example.com"}
            async with api.session.get("/$discovery/rest", headers=headers) as answer:
                assert (await answer.json())["rootUrl"] == "https://guard.example.com/"

    asyncio.run(scenario())
