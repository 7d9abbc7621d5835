"""Who is told of a community's incidents, as its keys say over HTTP."""

import asyncio
from pathlib import Path

import pytest

from bot.core.incidents.webhooks.webhook import MOST
from tests.adapters.http_api.stage import WRITTEN, WRITTEN_OTHER, Stage, stage

HERE = "https://bot.example.com/jikimi?token=hidden"


async def ask(api: Stage, method: str, key: str | None = WRITTEN, **query: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with api.session.request(method, "/v1/webhooks", headers=headers, params=query) as answer:
        return answer.status, await answer.text()


def test_a_webhook_is_added_listed_without_its_secrets_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            _, made = await api.post("/v1/webhooks", {"url": HERE})
            assert made["secret"].startswith("whsec_") and len(made["secret"]) > 40
            _, again = await api.post("/v1/webhooks", {"url": HERE})
            assert again["id"] == made["id"] and again["secret"] != made["secret"]
            status, listed = await ask(api, "GET")
            assert status == 200 and '"host":"bot.example.com"' in listed
            assert "hidden" not in listed and again["secret"] not in listed
            for number in range(MOST - 1):
                assert (await api.post("/v1/webhooks", {"url": f"https://{number}.example/"}))[0].status == 200
            refused, content = await api.post("/v1/webhooks", {"url": "https://more.example/"})
            assert refused.status == 400 and content["error"]["code"] == "too_many_webhooks"
            for url in ("http://bot.example.com/", "https://me:word@bot.example.com/", "", "https://[::1/"):
                refused, content = await api.post("/v1/webhooks", {"url": url})
                assert refused.status == 400 and content["error"]["param"] == "url"
                assert url not in content["error"]["message"] or not url
            assert await ask(api, "GET", WRITTEN_OTHER) == (200, '{"webhooks":[]}')
            assert (await ask(api, "DELETE", WRITTEN_OTHER, id=str(made["id"])))[0] == 404
            assert (await ask(api, "DELETE", id=str(made["id"])))[0] == 200
            for wrong in (str(made["id"]), "", "-1", "1e3", "9" * 30, "١"):
                assert (await ask(api, "DELETE", id=wrong))[0] == 404, wrong
            async with api.session.put("/v1/webhooks") as refused:
                assert set(refused.headers["Allow"].split(", ")) >= {"GET", "POST", "DELETE"}
            for method in ("GET", "DELETE"):
                assert (await ask(api, method, None))[0] == 401

    asyncio.run(scenario())


def test_what_a_stranger_named_is_not_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> str:
        async with stage(tmp_path) as api:
            _, made = await api.post("/v1/webhooks", {"url": HERE})
            secret: str = made["secret"]
            return secret

    secret = asyncio.run(scenario())
    said = capsys.readouterr()
    assert secret not in said.out + said.err and "hidden" not in said.out + said.err
