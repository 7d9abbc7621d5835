"""`jikimi status` and `jikimi doctor` beside an application that works; and where there is none."""

import asyncio
import json
import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from typer.testing import CliRunner

from adapters.system_clock import SystemClock
from bot.app.chats import NETWORKS
from bot.app.keeping import opened, sealing
from bot.app.objections import checkup, objections
from bot.cli.app import build
from bot.cli.operations.doctor import doctor
from bot.cli.operations.status import _works, status
from bot.config import Config, HttpSettings, StorageSettings, load
from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.ports import Connection
from bot.core.communities.community import Community
from bot.core.operations.health import HealthMonitor
from bot.core.operations.outside.checkup import Found, State
from bot.core.text.catalogue import LANGUAGES, texts
from storage.database import Database
from storage.settings.communities import SqlCommunities
from tests.adapters.http_api.stage import free_port, stage
from tests.builders import DISCORD, TELEGRAM, message, put_settings
from tests.fakes.chat import ScriptedPlatform
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork
from tests.servers.postgres import Postgres


def configured(folder: Path, port: int) -> Config:
    return Config(
        storage=StorageSettings(url=f"sqlite:///{folder / 'jikimi.db'}", keys=""),
        http=HttpSettings(listen=f"127.0.0.1:{port}"),
    )


async def looked_at(config: Config) -> list[Found]:
    return [one async for one in checkup(config, texts("en"))]


def test_they_show_a_process_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as api:
            config, health = configured(tmp_path, api.port), api.core.health_source
            assert isinstance(health, HealthMonitor)
            health.chats[DISCORD] = chat = ScriptedPlatform()
            chat.connection = Connection(is_up=False, communities=3)
            await api.core.inbox.keep([message("1", "비밀 이야기"), message("2")])
            health.queue.figures.anomalies.update({"text after the answer": 3, "the guard's answer does not parse": 2})
            await status(config, texts("en"), as_json=True)
            told = json.loads(capsys.readouterr().out.splitlines()[-1])
            of_process = {"connections": {"discord": False}, "guard_up": True, "guard_anomalies": 5}
            assert told["process"] == of_process
            assert told["processes"] == 1 and told["database"]["bytes"] > 0 and told["last_report"] is None
            for language in LANGUAGES:
                await status(config, texts(language), as_json=False)
                shown = capsys.readouterr().out
                assert "비밀" not in shown and texts(language)["health.guard_answers"] in shown
                assert texts(language)("status.anomalies", number=5) in shown
                assert (
                    texts(language)("health.not_heard_in", platform=texts(language)["discord.title"], number=3) in shown
                )
            found = await looked_at(config)
            parts = {one.part: one.state for one in found}
            assert parts["database"] is State.WELL and parts["process"] is State.WELL
            assert parts["guard"] is State.WELL and not [one for one in found if one.state is State.ILL]
            assert await doctor(config, texts("ko"), as_json=False)
            shown = capsys.readouterr().out
            assert "✓ 데이터베이스: SQLite" in shown and "! 키: " in shown and "    → " in shown

    asyncio.run(scenario())


def test_each_kind_of_work_that_several_do_is_one_line_of_its_own() -> None:
    """Who act and who use a token are not taken for those that are connected or wait for it."""
    works = {
        "act/discord": [40, 24], "chat/discord": [1, 0], "guard": [33, 31], "report/discord": [0, 0],
        "token/discord": [0, 0, 0],
    }  # fmt: skip
    for language in LANGUAGES:
        say = texts(language)
        title = say["discord.title"]
        assert list(_works(works, say)) == [
            say("status.acting", platform=title, number=2, held="40 + 24"),
            say("status.stands_by", platform=title, number=1),
            say("status.shared", number=2, held="33 + 31"),
        ]
        assert not list(_works({work: held[:1] for work, held in works.items()}, say))


def test_the_doctor_makes_nothing_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path, free_port())
    parts = {one.part: one for one in asyncio.run(looked_at(config))}
    assert parts["database"].told == texts("en")["doctor.database_new"] and parts["process"].state is State.ODD
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "jikimi.db").write_text("no database at all, but long enough to be taken for one" * 10)
    (tmp_path / "config.toml").write_text(f"[storage]\nurl = 'sqlite:///{tmp_path}/jikimi.db'\nkeys = ''\n")
    done = CliRunner().invoke(build("en"), ["doctor", "--json"])
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["well"] is False
    assert {one["part"] for one in told["found"] if one["state"] == "ill"} == {"database"}


def found_of(config: Config, part: str) -> list[Found]:
    return [one for one in asyncio.run(looked_at(config)) if one.part == part]


def test_an_empty_database_on_a_server_is_none_yet(tmp_path: Path, postgres: Postgres) -> None:
    """As a file that is not there: no other version has written it, and nothing is wrong."""
    config = Config(storage=StorageSettings(url=postgres.create_bare(), keys=""))
    (found,) = found_of(config, "database")
    assert (found.state, found.told) == (State.WELL, texts("en")["doctor.database_new"])


def test_what_says_itself_what_to_do_is_given_no_other_advice(tmp_path: Path, postgres: Postgres) -> None:
    """A misspelt name has nothing to do with a server that is full."""
    url = postgres.create_bare()
    misspelt = Config(storage=StorageSettings(url=url.replace(url.rpartition("/")[2], "nowhere"), keys=""))
    (found,) = found_of(misspelt, "database")
    assert found.state is State.ILL and "does not exist" in found.told and not found.remedy
    away = Config(storage=StorageSettings(url=f"postgresql://jikimi@127.0.0.1:{free_port()}/jikimi", keys=""))
    (found,) = found_of(away, "database")
    assert found.state is State.ILL and found.remedy == texts("en")["doctor.database_remedy"]


def test_a_misspelt_folder_of_keys_is_told_and_nothing_is_made_there(tmp_path: Path) -> None:
    """New keys would only hide that the right ones are elsewhere."""
    url, elsewhere = sqlite_in(tmp_path), tmp_path / "kyes"

    def configured_with(folder: Path) -> Config:
        return Config(storage=StorageSettings(url=url, keys=str(folder)))

    async def start(config: Config) -> None:
        async with opened(config, SystemClock()):
            pass

    asyncio.run(start(configured_with(tmp_path / "keys")))
    wrong = configured_with(elsewhere)
    (found,) = found_of(wrong, "keys")
    assert found.state is State.ILL and "other keys" in found.told
    assert asyncio.run(objections(wrong, texts("en"))) == [found.told]
    with pytest.raises(Broken, match="other keys"):
        asyncio.run(start(wrong))
    assert not elsewhere.exists()
    assert found_of(configured_with(tmp_path / "keys"), "keys")[-1].state is State.WELL


def looked_at_by_nobody(url: str) -> None:
    async def look() -> None:
        async for one in checkup(Config(storage=StorageSettings(url=url, keys="")), texts("en")):
            print(one.part, one.state, one.told)
            if one.part == "database":
                return

    if os.geteuid() == 0:
        asyncio.run(look())  # nobody may not be allowed to load what this takes
        os.setuid(65534)
    asyncio.run(look())


def test_a_folder_that_cannot_be_written_to_is_told_as_such() -> None:
    """There may be room on a read-only disk, and the path may be right."""
    with TemporaryDirectory(dir="/tmp") as folder:
        sqlite_in(Path(folder))
        Path(folder).chmod(0o555)
        with Fork(looked_at_by_nobody, f"sqlite:///{folder}/jikimi.db", folder=Path("/")) as process:
            process.wait()
            *_, disk, database = process.stdout.splitlines() or [process.stderr, ""]
        Path(folder).chmod(0o755)
    assert disk.startswith("disk ill") and "nothing can be written" in disk, disk
    assert database.startswith("database ill") and "read-only" in database


def test_the_doctor_counts_who_can_be_shown_nothing(tmp_path: Path) -> None:
    """Rights alone do not help where no moderators' channel has been chosen."""
    nobody = f"http://127.0.0.1:{free_port()}"
    file = tmp_path / "config.toml"
    url = sqlite_in(tmp_path)
    file.write_text(f"[storage]\nurl = '{url}'\nkeys = ''\n[telegram]\ntoken = '12:SESAME'\napi_url = '{nobody}'\n")
    file.chmod(0o600)

    config, clock = load(file, texts("en"), NETWORKS, {}), SystemClock()

    async def settle() -> None:
        async with Database.open(url, clock, sealing(config, clock)) as database:
            for number, room in enumerate(("-9", None, None)):
                there = Community(platform=TELEGRAM, id=f"-{number}", name="모임", moderators_channel=room)
                await put_settings(SqlCommunities(database), there)

    asyncio.run(settle())
    told = [one.told for one in asyncio.run(looked_at(config)) if one.part == TELEGRAM]
    assert texts("en")("doctor.no_room", number=2) in told


def test_the_doctor_loads_no_second_model_into_a_card(tmp_path: Path) -> None:
    config = configured(tmp_path, free_port())
    guard = config.guard.model_copy(update={"name": "wildguard-ko", "engine": "vllm"})
    found = asyncio.run(looked_at(config.model_copy(update={"guard": guard})))
    assert [(one.state, one.told) for one in found if one.part == "guard"] == [
        (State.ODD, texts("en")["doctor.guard_not_tried"])
    ]


def test_a_log_for_programs_is_one_object_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from bot.cli.app import _logs_to_stderr

    handlers = list(logging.getLogger().handlers)
    try:
        with CliRunner().isolation() as (_, err, _):
            _logs_to_stderr(texts("ko"), as_json=True)
            structlog.get_logger("ours").warning("action failed", incident=7, reason=Unavailable("the guard is away"))
            logging.getLogger("theirs").warning("closed %s", "early")
            lines = [json.loads(line) for line in err.getvalue().decode().splitlines() if line.startswith("{")]
    finally:
        logging.getLogger().handlers[:] = handlers
    assert [(one["event"], one["level"]) for one in lines] == [
        ("action failed", "warning"),
        ("closed early", "warning"),
    ]
    assert (lines[0]["incident"], lines[0]["reason"]) == (7, "the guard is away")
    assert all("timestamp" in one for one in lines)


def test_a_log_for_people_is_in_their_language() -> None:
    from bot.cli.app import _logs_to_stderr

    why = Unavailable("no answer within {seconds:g} s", seconds=2)
    with CliRunner().isolation() as (_, err, _):
        for language in ("ko", "en"):
            _logs_to_stderr(texts(language), as_json=False)
            structlog.get_logger("ours").warning("guard is away", reason=why, guard="embedded")
        korean, english = err.getvalue().decode().splitlines()
    assert "판정기가 응답하지 않습니다" in korean and "2초 안에 답이 없었습니다" in korean and "embedded" in korean
    assert "guard is away" in english and "no answer within 2 s" in english
