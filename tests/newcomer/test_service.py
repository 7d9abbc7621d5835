"""deploy/jikimi.service: systemd reads it as it is meant, where there is one; what it calls is ours."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from adapters.keyring.master import CREDENTIAL
from adapters.systemd import EVERY
from bot.app.chats import NETWORKS
from bot.cli.app import AGAIN
from bot.cli.run import STOPPED
from bot.config.secrets import credential
from tests.newcomer.test_container import CONFIG, DEPLOY, KEPT, is_ours

UNIT = DEPLOY / "jikimi.service"
EXPOSED = 15  # of 100, as systemd-analyze counts
SYSTEMD = shutil.which("systemd-analyze")


def said(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)


def test_it_starts_reloads_and_stops_as_the_program_does() -> None:
    (start,) = said("ExecStart")
    assert is_ours(start.split()) and start.endswith(f" run --config {CONFIG}")
    assert said("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert int(said("TimeoutStopSec")[0]) > STOPPED
    assert said("TimeoutStartSec") == ["infinity"], "what takes long at a start is not broken off"
    assert said("Type") == ["notify"] and int(said("WatchdogSec")[0]) > max(EVERY, STOPPED)
    assert said("RestartPreventExitStatus") == ["2"] and AGAIN != 2, "what is refused is not tried for ever"
    assert said("StateDirectory") == [KEPT.name] and said("DynamicUser") == ["yes"]


def test_its_credentials_are_those_that_are_looked_for() -> None:
    given = re.findall(r"^#LoadCredential=([^:]+):", UNIT.read_text("utf-8"), re.MULTILINE)
    assert given == [*(credential(str(one.platform)) for one in NETWORKS), CREDENTIAL, "jikimi-pgpass"]


@pytest.mark.skipif(SYSTEMD is None, reason="there is no systemd-analyze here")
def test_systemd_understands_all_of_it_and_finds_little_to_attack(tmp_path: Path) -> None:
    assert SYSTEMD
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE))
    for words in (("verify", "--man=no"), ("security", "--offline=true", f"--threshold={EXPOSED}")):
        done = subprocess.run([SYSTEMD, "--no-pager", *words, str(unit)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-300:] + done.stderr
        assert unit.name not in done.stderr, done.stderr
