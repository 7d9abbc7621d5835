"""Where tokens come from, and files with secrets that others can read."""

import subprocess
import sys
from pathlib import Path
from traceback import TracebackException

import pytest

from bot.app.chats import NETWORKS
from bot.config import Config, load, warnings
from bot.config.networks import chosen
from bot.core.base.errors import Broken
from bot.core.text.catalogue import texts

SECRET = "planted-secret"


def written(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "config.toml"
    path.write_text(content, "utf-8")
    path.chmod(mode)
    return path


def test_tokens_come_from_files_and_credentials(tmp_path: Path) -> None:
    (tmp_path / "jikimi-guard-token").write_text(f"{SECRET}\n", "utf-8")
    for environment in (
        {"JIKIMI_GUARD_TOKEN": SECRET},
        {"JIKIMI_GUARD_TOKEN_FILE": str(tmp_path / "jikimi-guard-token")},
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
    ):
        config = load(None, texts("en"), NETWORKS, environment)
        assert config.guard.token.get_secret_value() == SECRET and SECRET not in repr(config)
    with pytest.raises(Broken, match="JIKIMI_GUARD_TOKEN_FILE"):
        load(None, texts("en"), NETWORKS, {"JIKIMI_GUARD_TOKEN_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "content",
    [
        f'[guard]\ntoken = "{SECRET}"',
        f'[guard]\nservers = ["https://me:{SECRET}@guard"]',
        f'[storage]\nurl = "postgresql://me:{SECRET}@localhost/db"',
        f'[storage]\nurl = "postgresql://localhost/db?password={SECRET}"',
    ],
)
def test_a_secret_that_everybody_can_read_is_refused_with_what_mends_it(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.config.secrets._reached", lambda path: True)
    path = written(tmp_path, content, 0o644)
    with pytest.raises(Broken, match=f"chmod 600 {path}") as refused:
        load(path, texts("en"), NETWORKS, {})
    assert SECRET not in str(refused.value)
    path.chmod(0o640)
    load(path, texts("en"), NETWORKS, {})
    load(written(tmp_path, '[guard]\nname = "embedded"', 0o644), texts("en"), NETWORKS, {})


def test_a_traceback_with_its_local_variables_tells_no_secret(tmp_path: Path) -> None:
    sections = (
        f'[guard]\ntoken = "{SECRET}"\nservers = ["https://me:{SECRET}@guard"]',
        f'[storage]\nurl = "postgresql://me:{SECRET}@localhost/db"',
        f'[telegram]\ntoken = "{SECRET}"\napi_url = "https://me:{SECRET}@telegram"',
        f'[discord]\ntoken = "{SECRET}"\napi_url = "https://me:{SECRET}@discord"',
    )
    config = load(written(tmp_path, "\n".join(sections)), texts("en"), NETWORKS, {})

    def fails(url: str, servers: list[str], networks: object, config: Config) -> None:
        raise RuntimeError(f"cannot use {config!r}")

    try:
        fails(config.storage.url, config.guard.servers, [chosen(config, one) for one in NETWORKS], config)
    except RuntimeError as error:
        there = error.__traceback__ and error.__traceback__.tb_next  # below the test, which knows them
        told = "".join(TracebackException(type(error), error, there, capture_locals=True).format())
    assert "servers = ['***']" in told and SECRET not in told


def test_a_folder_of_ones_own_hides_what_is_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    load(written(tmp_path, f'[guard]\ntoken = "{SECRET}"', 0o644), texts("en"), NETWORKS, {})


@pytest.mark.parametrize(
    ("server", "passes"),
    [("http://127.0.0.1:1", True), ("http://localhost", True), ("http://[::1]:1", True), ("https://guard", True),
     ("http://10.0.0.5:8000", False), ("http://guard", False), ("http://127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_what_people_say_goes_readably_over_a_net_only_where_that_is_said(
    tmp_path: Path, server: str, passes: bool
) -> None:
    path = written(tmp_path, f'[guard]\nservers = ["{server}"]')
    if passes:
        load(path, texts("en"), NETWORKS, {})
        return
    with pytest.raises(Broken, match="plain_http"):
        load(path, texts("en"), NETWORKS, {})
    named = f'[guard]\nname = "wildguard-ko"\nplain_http = true\nservers = ["{server}"]'
    config = load(written(tmp_path, named), texts("en"), NETWORKS, {})
    assert any(server.removesuffix(":8000") in warning for warning in warnings(config, texts("en"))), (
        "check-config says so"
    )


def test_where_text_leaves_the_machine_that_is_said(tmp_path: Path) -> None:
    def told(content: str) -> str:
        return "\n".join(warnings(load(written(tmp_path, content), texts("en"), NETWORKS, {}), texts("en")))

    here = told('[guard]\nname = "moderations"\n[house_rules]\nservers = ["http://127.0.0.1:8001"]')
    assert "leaves this machine" not in here
    assert "judge.example" in told('[guard]\nname = "moderations"\nservers = ["https://judge.example"]')
    assert "reader.example" in told('[house_rules]\nservers = ["https://reader.example/v1"]')


def test_the_program_writes_for_itself_alone_and_dumps_no_core() -> None:
    told = (
        "import os, resource; from bot.__main__ import keep_to_ourselves; keep_to_ourselves(); "
        "print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["0o77", "(0, 0)\n"]
