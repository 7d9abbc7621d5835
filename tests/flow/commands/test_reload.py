"""A configuration is read again while the bot runs: what can change does at once, what cannot is named."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bot.app.application import application
from bot.cli.app import build
from bot.config import BotSettings, CommunityDefaults, Config, HttpSettings, ReportSettings, StorageSettings
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.builders import DISCORD, message, put_settings
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.flow.commands.test_api_command_line import configured, keys, running
from tests.servers.databases import sqlite_in
from tests.servers.waiting import until

RULE = '[[rules]]\nname = "no-hello"\nwhen.text = { any_of = ["안녕하세요"] }\nthen = ["delete"]\n'


def test_policies_and_schedules_are_made_anew_and_what_waits_is_named(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)))
    after = config.model_copy(
        update={
            "defaults": CommunityDefaults.model_validate({"preset": "strict", "mode": "live", "alarm_after": "1m"}),
            "report": ReportSettings(hour=7),
            "bots": BotSettings(judge_others=True),
            "http": HttpSettings(per_second=1),
        }
    )
    known = CommunityRef(DISCORD, "1")

    async def scenario() -> None:
        async with application(config, ScriptedGuard(), lambda core: (), clock=ManualClock()) as jikimi:
            await put_settings(jikimi.policies.store, Community(platform=DISCORD, id="1", language="en"))
            await jikimi.policies.load()
            told: list[CommunityRef] = []
            jikimi.policies.on_change = told.append
            here, elsewhere = message("1"), CommunityRef(DISCORD, "2")
            before = (
                jikimi.policies.of(here),
                jikimi.policies.of_community(known),
                jikimi.policies.of_community(elsewhere),
            )
            assert jikimi.reload(after) == ["[http]", "[defaults] alarm_after"]
            now = jikimi.policies.of(here), jikimi.policies.of_community(known), jikimi.policies.of_community(elsewhere)
            assert [one.mode for one in before] == [Watch.WATCH] * 3 and [one.mode for one in now] == [Watch.LIVE] * 3
            assert all(one.judge_other_bots for one in now) and now[1].language == "en"
            assert told == [known], "its reports may come at another hour"
            assert jikimi.in_force.schedule_of(jikimi.policies.community(known)).hour == 7
            assert jikimi.reload(config) == []
            assert jikimi.policies.of_community(known).version == before[1].version

    asyncio.run(scenario())


def test_a_service_that_is_told_to_reload_judges_by_the_new_rules_or_goes_on(tmp_path: Path) -> None:
    url, file = configured(tmp_path), tmp_path / "config.toml"
    key = keys(tmp_path, "create", "bot").stdout.strip()

    async def rules(client: httpx.AsyncClient) -> list[str]:
        answer = await client.post(f"{url}/v1/check", json={"prompt": "안녕하세요"})
        return [one["rule"] for one in answer.json()["rules"]]

    async def scenario() -> None:
        async with running(tmp_path, url) as process, httpx.AsyncClient() as client:
            client.headers["Authorization"] = f"Bearer {key}"
            assert await rules(client) == []
            await until(lambda: "127.0.0.1" in process.stderr)  # where it listens
            again = "the configuration was read again"

            def told() -> int:
                return sum(process.stderr.count(one) for one in (again, texts("ko")[f"log.{again}"]))

            first = file.read_text("utf-8")
            for content, said, found in (
                (first + RULE, lambda: told() == 1, ["no-hello"]),
                (first + "[guard]\nname = 3\n", lambda: "guard.name" in process.stderr, ["no-hello"]),
                (
                    first.replace("[http]", "[http]\nper_second = 7"),
                    lambda: told() == 2,
                    [],
                ),
            ):
                file.write_text(content, "utf-8")
                process.send(signal.SIGHUP)
                await until(said)
                assert await rules(client) == found
            assert "[http]" in process.stderr and not process.stdout, "all of it is the log"
            asked = await asyncio.to_thread(CliRunner().invoke, build("en"), ["health", "--config", str(file)])
            assert asked.exit_code == 0 and "alive" in asked.output
            process.send(signal.SIGTERM)
            assert await process.ended() == 0
        for content, why in ((file.read_text(), "answers"), ("", "metrics_listen")):
            file.write_text(content)
            gone = CliRunner().invoke(build("en"), ["health", "--config", str(file)])
            assert isinstance(gone.exception, Broken) and why in str(gone.exception)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["TAKEN", "HANDED_OUT"])
def test_what_is_named_is_there(name: str) -> None:
    from bot.app import reloading

    for one in getattr(reloading, name):
        section, *key = (one,) if isinstance(one, str) else one
        assert hasattr(Config(), section) and all(hasattr(getattr(Config(), section), each) for each in key)
