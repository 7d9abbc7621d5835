"""The HTTP API as a process of its own: keys, `jikimi run` without any chat, the shown example, the benchmark."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from adapters.system_clock import SystemClock
from bot.cli.app import AGAIN, build
from bot.core.base.errors import Broken
from bot.core.communities.community import Community
from storage.database import Database
from storage.settings.communities import SqlCommunities
from tests.adapters.http_api.stage import free_port
from tests.builders import DISCORD, TELEGRAM, put_settings
from tests.flow.commands.test_command_line import jikimi
from tests.servers.command import typed
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork
from tests.servers.postgres import Postgres
from tests.servers.waiting import until

ROOT = Path(__file__).parents[3]


def configured(folder: Path, database: str = "") -> str:
    listen = f"127.0.0.1:{free_port()}"
    url = database or sqlite_in(folder)
    (folder / "config.toml").write_text(f'[storage]\nurl = "{url}"\n[http]\nlisten = "{listen}"\n')
    return f"http://{listen}"


@asynccontextmanager
async def running(folder: Path, url: str) -> AsyncIterator[Fork]:
    with Fork(typed, "run", folder=folder) as process:
        async with httpx.AsyncClient() as client:
            while process.returncode is None:
                try:
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield process


def keys(folder: Path, *words: str, language: str = "ko") -> Result:
    """`jikimi keys …` as it would run in that folder, without the wait for another Python."""
    return CliRunner().invoke(build(language), ["keys", *words, "--config", str(folder / "config.toml")])


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_keys_are_made_listed_and_revoked_while_it_runs(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    store = ""
    if database == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        store = postgres.create()
    url = configured(tmp_path, store)

    async def status(key: str) -> int:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
            return (await client.post(f"{url}/v1/check", json={"prompt": "안녕하세요"})).status_code

    async def scenario(first: str) -> str:
        async with running(tmp_path, url) as process:
            assert await status(first) == 200
            second = json.loads((await asyncio.to_thread(keys, tmp_path, "create", "다음 봇", "--json")).stdout)
            await asyncio.sleep(1.1)  # a key that is not known is looked for once a second
            assert await status(second["key"]) == 200
            revoked = await asyncio.to_thread(keys, tmp_path, "revoke", second["id"])
            assert "폐기했습니다" in revoked.stdout
            while await status(second["key"]) != 401:
                await asyncio.sleep(0.2)
            assert await status(first) == 200
            process.send(signal.SIGTERM)
            assert await process.ended() == 0 and "HTTP (127.0.0.1:" in process.stderr and not process.stdout
            for key in (first, second["key"]):
                assert key.split("_", 2)[2] not in process.stderr
            again = await asyncio.to_thread(keys, tmp_path, "revoke", second["id"], language="en")
            assert isinstance(again.exception, Broken) and "no valid key" in str(again.exception)
        return first.split("_", 2)[2]

    made = keys(tmp_path, "create", "처음 봇")
    assert "다시 볼 수 없으니" in made.stderr
    secret = asyncio.run(scenario(made.stdout.strip()))
    listed = json.loads(keys(tmp_path, "list", "--json").stdout)
    assert [key["name"] for key in listed] == ["처음 봇", "다음 봇"]
    assert listed[0]["used_at"] and listed[1]["revoked_at"]
    shown = keys(tmp_path, "list").stdout
    assert "처음 봇" in shown and "폐기됨" in shown and secret not in shown
    for file in tmp_path.glob("jikimi.db*"):
        assert secret.encode() not in file.read_bytes()


def test_a_key_is_for_a_community_that_there_is(tmp_path: Path) -> None:
    configured(tmp_path)
    assert "아직 키가 없습니다" in keys(tmp_path, "list").stdout
    done = keys(tmp_path, "create", "bot", "--community", "12345", language="en")
    assert isinstance(done.exception, Broken) and "no community 12345" in str(done.exception)
    for nameless in ("", "  "):
        assert "이름" in str(keys(tmp_path, "create", nameless).exception)
    assert "아직 키가 없습니다" in keys(tmp_path, "list").stdout

    async def settle(*communities: Community) -> None:
        async with Database.open(sqlite_in(tmp_path), SystemClock()) as database:
            for community in communities:
                await put_settings(SqlCommunities(database), community)

    found = Community(platform=TELEGRAM, id="12345", name="달빛")
    asyncio.run(settle(found))
    assert "12345 (달빛)" in str(keys(tmp_path, "create", "bot", "--community", "1").exception)
    assert (
        json.loads(keys(tmp_path, "create", "bot", "--community", "12345", "--json").stdout)["platform"] == "telegram"
    )
    asyncio.run(settle(replace(found, platform=DISCORD)))
    assert "discord:12345 (달빛), telegram:12345 (달빛)" in str(
        keys(tmp_path, "create", "bot", "--community", "12345").exception
    )
    found_again = keys(tmp_path, "create", "bot", "--community", "telegram:12345", "--json")
    assert json.loads(found_again.stdout)["platform"] == "telegram"
    done = keys(tmp_path, "create", "bot", "--community", "우리 가게", "--platform", "api", "--json")
    assert json.loads(done.stdout)["community"] == "우리 가게"


def test_an_address_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "config.toml").write_text(f'[http]\nlisten = "{listen}"\n')
        done = jikimi(tmp_path, "run")
    *made, refused = done.stderr.splitlines()
    assert done.returncode == AGAIN and refused.startswith(f"[http] {listen}:"), "somebody else may end"
    assert "master.key" in "".join(made), "the first start has made the keys; nothing else is said"
    assert "Traceback" not in done.stderr
    (tmp_path / "config.toml").write_text("[http]\nlisten = '192.0.2.1:80'\n")
    assert jikimi(tmp_path, "run").returncode == 2, "which no machine has"


def test_every_line_of_a_log_for_programs_is_an_object(tmp_path: Path) -> None:
    """That it has begun, that reports have no PDF, and that keys were made are lines as all others are."""
    url = configured(tmp_path)

    async def begin() -> str:
        with Fork(typed, "--log", "json", "run", folder=tmp_path) as process:
            await until(lambda: url.removeprefix("http://") in process.stderr or process.returncode is not None)
            process.send(signal.SIGTERM)
            await process.ended()
            assert not process.stdout
            return process.stderr

    events = [json.loads(line)["event"] for line in asyncio.run(begin()).splitlines()]
    assert "begins" in events


def test_who_finds_no_database_is_started_again(tmp_path: Path) -> None:
    """A server that comes up later than we do is no mistake in the configuration."""
    nobody = free_port()
    url = f"postgresql://jikimi@127.0.0.1:{nobody}/jikimi"
    (tmp_path / "config.toml").write_text(f"[storage]\nurl = '{url}'\n[http]\nlisten = '127.0.0.1:{free_port()}'\n")
    done = jikimi(tmp_path, "run")
    assert done.returncode == AGAIN and "Traceback" not in done.stderr


def test_a_process_that_has_nothing_to_do_says_so(tmp_path: Path) -> None:
    """Where its health is asked for is not what it is there for."""
    told = f"[http]\nmetrics_listen = '127.0.0.1:{free_port()}'\n"
    (tmp_path / "config.toml").write_text("[storage]\nurl = 'postgresql://jikimi@127.0.0.1:1/jikimi'\n" + told)
    for role in ("act", "report", "chat", "api", "all"):
        done = jikimi(tmp_path, "run", "--role", role)
        assert done.returncode == 2 and "JIKIMI_DISCORD_TOKEN" in done.stderr, role


def test_the_example_guards_a_bot(tmp_path: Path) -> None:
    url = configured(tmp_path)
    key = keys(tmp_path, "create", "예제").stdout.strip()

    def talk(address: str, secret: str = key) -> list[str]:
        said = subprocess.run(
            [sys.executable, ROOT / "docs" / "guarded_bot.py"],
            input="안녕하세요\n시1발 진짜 뒤질래?\n죽고 싶어",
            env={**os.environ, "JIKIMI_URL": address, "JIKIMI_KEY": secret, "PYTHONUTF8": "1"},
            capture_output=True, text=True, encoding="utf-8", timeout=60, check=True,
        )  # fmt: skip
        return said.stdout.splitlines()

    async def scenario() -> None:
        async with running(tmp_path, url):
            greeted, refused, cared = await asyncio.to_thread(talk, url)
            strange = await asyncio.to_thread(talk, url, "wrong")
        assert greeted == "‘안녕하세요’ 말씀이시군요!" and refused == "그 말에는 답하지 않을게요."
        assert "109" in cared, "who is desperate is met with care, not with a refusal"
        (later,) = set(strange)
        assert "109" in later and later not in (refused, cared), (
            "what nobody has judged is not said, and nobody rebuffed"
        )
        assert await asyncio.to_thread(talk, url) == [later] * 3
        for odd in ("<html>", "{}", "[]", '{"harm": null}'):
            async with _answering(odd) as elsewhere:
                assert await asyncio.to_thread(talk, elsewhere) == [later] * 3, odd

    asyncio.run(scenario())


@asynccontextmanager
async def _answering(body: str) -> AsyncIterator[str]:
    """A server that says this to whatever it is asked."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text=body)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


def test_the_benchmark_reports_both_and_the_ratio(tmp_path: Path) -> None:
    done = jikimi(tmp_path, "bench", "api", "--rate", "50", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["errors"] == 0 and result["check_per_second"] > 0
    assert result["ratio_p50"] > 0 and result["bare_p99_ms"] > 0 and result["check_p99_ms"] > 0
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_key_is_replaced_and_says_what_it_may(tmp_path: Path) -> None:
    configured(tmp_path)
    made = json.loads(keys(tmp_path, "create", "봇", "--scope", "webhooks", "--days", "30", "--json").stdout)
    assert made["scope"] == ["webhooks"] and made["expires_at"] > made["created_at"]
    replaced = keys(tmp_path, "rotate", made["id"], "--overlap", "0")
    assert "0시간 뒤까지" in replaced.stderr and replaced.stdout.startswith("jikimi_")
    former, second = json.loads(keys(tmp_path, "list", "--json").stdout)
    assert (second["name"], second["scope"]) == ("봇", ["webhooks"]) and second["expires_at"] > made["expires_at"]
    assert former["expires_at"] < second["expires_at"]
    shown = keys(tmp_path, "list").stdout
    assert "기한 끝남" in shown and "까지" in shown and "webhooks" in shown
    for refused in (former["id"], "nobody"):
        assert isinstance(keys(tmp_path, "rotate", refused).exception, Broken)
    plain = json.loads(keys(tmp_path, "create", "다른 봇", "--json").stdout)
    assert plain["scope"] == ["check", "feedback"] and plain["expires_at"] is None


def test_a_webhook_is_made_listed_and_removed_by_the_operator(tmp_path: Path) -> None:
    configured(tmp_path)

    def webhooks(*words: str) -> Result:
        return CliRunner().invoke(build("ko"), ["webhooks", *words, "--config", str(tmp_path / "config.toml")])

    assert "아직 웹후크가 없습니다" in webhooks("list").stdout
    made = webhooks("create", "https://bot.example.com/a?token=hidden", "--community", "7", "--platform", "discord")
    assert made.stdout.startswith("whsec_") and "bot.example.com" in made.stderr and "hidden" not in made.stderr
    (listed,) = json.loads(webhooks("list", "--json").stdout)
    assert (listed["host"], listed["community"], listed["stopped_at"]) == ("bot.example.com", "7", None)
    assert "보내는 중" in webhooks("list").stdout
    for wrong in ("http://bot.example.com/", "https://me:word@bot.example.com/", "https://localhost/x"):
        refused = webhooks("create", wrong, "--community", "7", "--platform", "discord")
        assert isinstance(refused.exception, Broken)
    assert isinstance(webhooks("create", "https://a.example/", "--community", "nowhere").exception, Broken)
    assert "뺐습니다" in webhooks("remove", str(listed["id"])).stdout
    assert isinstance(webhooks("remove", str(listed["id"])).exception, Broken)
