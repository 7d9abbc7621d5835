"""/docs in a real browser: whole, readable by everybody, in both languages, and nothing is asked of anybody else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.http_api.description.openapi import described
from adapters.http_api.description.page import HEADERS, page
from tests.adapters.http_api.stage import stage
from tests.servers.browser import CHROMIUM, opened


def test_the_page_is_served_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            answer, text = await api.get("/docs")
            assert answer.content_type == "text/html" and '<html lang="ko">' in text and "시작하기" in text
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            _, text = await api.get("/docs?lang=en")
            assert '<html lang="en">' in text and "To begin" in text
            _, text = await api.get("/docs?lang=%3Cscript%3E")
            assert '<html lang="ko">' in text and "<script" not in text
            for path in described("en")["paths"]:
                assert f"<code>{path}</code>" in text, path
            assert "<code>/v1/webhooks?id=…</code>" in text and "X-Goog-Api-Key" in text
            for one in described("en")["components"]["schemas"]:
                assert f'id="{one}"' in text, one

    asyncio.run(scenario())


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [
        ("ko", "light", 1280),
        ("en", "dark", 360),
        pytest.param("ko", "dark", 360, marks=pytest.mark.long),
        pytest.param("en", "light", 1280, marks=pytest.mark.long),
    ],
)
def test_everybody_can_read_it_and_nobody_else_is_asked(language: str, scheme: Any, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    place = "http://jikimi.test/docs"

    def answer(route: Any) -> None:
        if route.request.url == place:
            route.fulfill(body=page(language), headers={"Content-Type": "text/html; charset=utf-8", **HEADERS})
        else:
            route.abort()

    asked: list[Any] = []
    troubles: list[Any] = []
    with opened() as browser:
        # axe has to be put into the page, which its policy forbids; that the policy lets the page stand is seen second.
        for bypass in (True, False):
            shown = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=bypass)
            asked.clear()
            shown.on("request", lambda request: asked.append(request))
            shown.on("console", lambda message: troubles.append(message))
            shown.route("**/*", answer)
            shown.goto(place)
            assert [one.url for one in asked if "favicon" not in one.url] == [place]
            assert [one.text for one in troubles] == []
            assert shown.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
            assert shown.evaluate("getComputedStyle(document.body).maxWidth") != "none", "its style is let in"
            if bypass:
                assert [one["id"] for one in Axe().run(shown).response["violations"]] == []
            shown.close()
