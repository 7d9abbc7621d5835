"""What `jikimi run` would refuse, `jikimi check-config` refuses, too, and all of it at once; it changes nothing."""

import asyncio
import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.chats import NETWORKS
from bot.cli.app import build
from bot.cli.run import run
from bot.config import load
from bot.core.base.errors import Broken
from bot.core.text.catalogue import LANGUAGES, texts

API = "[http]\nlisten = '127.0.0.1:0'\n"


def refused(file: Path, language: str = "en") -> list[str]:
    done = CliRunner().invoke(build(language), ["check-config", str(file)])
    assert isinstance(done.exception, Broken), (done.output, done.exception)
    return str(done.exception).splitlines()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[guard]\nname = 'wildguard_ko'", "wildguard_ko"),
        ("[guard]\nname = 'cascade'\nsecond = 'embedded'", "embedded"),
        ("[guard]\ncalibration = 'missing.json'", "missing.json"),
        ("[guard]\ncalibration = 'none.json'", "calibrate"),
        ("[guard]\nname = 'wildguard-ko'\ntokenizer = 'missing'", "missing"),
        ("[guard]\nname = 'wildguard-ko'\nengine = 'vllm'", "vLLM"),
        ("[guard]\nname = 'policy'", "house_rules"),
        ("[house_rules]\nservers = ['http://127.0.0.1']\nfile = 'missing.txt'", "missing.txt"),
        ("[house_rules]\nservers = ['http://127.0.0.1']\nfile = 'text.db'", "4,000"),
        ("[house_rules]\nservers = ['http://127.0.0.1']\nform = 'harmony'", "o200k_base.tiktoken"),
        ("[house_rules]\nservers = ['http://10.0.0.5']", "plain_http"),
        ("[storage]\nurl = 'postgres://me:SESAME@host/db'", "postgresql:"),
        ("[storage]\nurl = 'mysql://me:SESAME@host/db'", "postgresql:"),
        ("[storage]\nurl = 'sqlite:///nowhere/at/all.db'", "nowhere"),
        ("[storage]\nurl = 'sqlite:///newer.db'", "newer version"),
        ("[storage]\nurl = 'sqlite:///text.db'", "database"),
        ("[storage]\nkeys = 'lost'", "master key"),
        ("[storage]\nkeys = 'damaged'", "damaged"),
        ("[discord]\ntoken = 'x'\nshard_ids = [0]", "shard_count"),
        ("[telegram]\ntoken = 'x'", "telegram"),
        ("[telegram]\ntoken = '1:x'\nwebhook_url = 'http://me.example'", "https://"),
        ("[telegram]\ntoken = '1:x'\nwebhook_url = 'https://me.example'\nwebhook_listen = 'here'", "webhook_listen"),
        ("[telegram]\ntoken = '1:x'\nwebhook_url = 'https://me.example'\nwebhook_listen = '8443'", "webhook_listen"),
    ],
)
def test_what_run_would_refuse_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none.json").write_text("{}")
    (tmp_path / "text.db").write_text("this is no database, but a letter to somebody" * 100)
    with closing(sqlite3.connect("newer.db")) as newer:
        newer.executescript("CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('9999')")
    for keys in (tmp_path / "lost", tmp_path / "damaged"):
        keys.mkdir()
        (keys / "keyring").write_text("{}")
    (tmp_path / "damaged" / "master.key").write_text(base64.b64encode(bytes(32)).decode())
    file = tmp_path / "mine.toml"
    file.write_text(API + content)
    (sentence,) = refused(file)
    assert hint in sentence and "SESAME" not in sentence
    with pytest.raises(Broken):
        asyncio.run(run(load(file, texts("en"), NETWORKS, {}), texts("en")))


MANY = """
[guard]
name = "wildguard_ko"
calibration = "missing.json"
timeout = 10
[storage]
url = "postgres://host/db"
[telegram]
token = "x"
[reports]
"""


def test_all_mistakes_are_said_at_once_and_nothing_is_made(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MANY)
    for language in LANGUAGES:
        said = refused(file, language)
        assert all(one.startswith(f"{file}: ") for one in said)
        for hint in (
            "wildguard_ko",
            "missing.json",
            "guard.timeout",
            "postgresql:",
            "[telegram] token",
            "reports",
        ):
            assert [one for one in said if hint in one], hint
        assert len(said) == 6
    assert list(tmp_path.iterdir()) == [file]


def test_a_fine_one_changes_nothing_either_and_says_what_is_still_to_do(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[storage]\nurl = 'sqlite:///{tmp_path}/jikimi.db'")
    done = CliRunner().invoke(build("en"), ["check-config", str(file)])
    assert done.exit_code == 0 and "fine" in done.stdout and "JIKIMI_DISCORD_TOKEN" in done.stdout
    assert list(tmp_path.iterdir()) == [file]


def test_it_says_what_starts_the_guards_server_and_where_messages_go(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    guard = "name = 'wildguard-ko'\nmodel = 'mine'\nengine_options = { quantization = 'fp8' }"
    file.write_text(
        f"[storage]\nurl = 'sqlite:///{tmp_path}/jikimi.db'\n[guard]\n{guard}\nservers = ['https://far.example']"
    )
    done = CliRunner().invoke(build("en"), ["check-config", str(file)])
    assert done.exit_code == 0 and "vllm serve mine --max-model-len 2048 --quantization fp8" in done.stdout
    assert [line for line in done.stdout.splitlines() if "leaves this machine" in line and "far.example" in line]
