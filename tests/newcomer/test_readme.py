"""The READMEs, as far as they can be walked without installing anything: `python -m tests.newcomer` does it all."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.core.text.catalogue import LANGUAGES
from tests.newcomer.__main__ import EXPECTED, README, checked, expected, shown, walk
from tests.newcomer.test_container import ROOT, is_ours


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_walks_the_readme_knows_what_must_come_of_each_command(language: str) -> None:
    commands = list(shown(language))
    assert len(commands) > 8 and not [one for one in commands if "#" in one]
    for command in commands:
        one = expected(command)
        assert one.ends is not None or checked(command), command
        if one.ends is not None and "jikimi" in one.begins:
            is_ours(re.sub(r'"[^"]*"', "글", command).split())
    assert not [one for one in EXPECTED if not any(command.startswith(one.begins) for command in commands)]


def test_what_is_not_there_is_not_right() -> None:
    assert not checked("make coffee") and not checked("vllm serve something-else")
    with pytest.raises(StopIteration):
        expected("jikimi dance")


def test_what_does_not_fit_is_found(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "jikimi"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho whatever\n")
    program.chmod(0o755)
    typed = [one for one in shown("en") if "jikimi" in one]
    wrong = list(walk(tmp_path, "en"))
    assert [one.partition(": ended with")[0] for one in wrong] == typed


def test_what_is_missing_is_said_before_anything_is_made(tmp_path: Path) -> None:
    there = tmp_path / "venv"
    words = ["make", "--silent", "PYTHON=false", f"VENV={there}", "run"]  # what is no Python of 3.11 with venv
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout and not there.exists()
    told, *_ = done.stderr.splitlines()
    assert "python3-venv" in told and "3.11 이상" in told and "3.11 or newer" in told


def test_what_is_skipped_is_said_before_anything_is_made(tmp_path: Path) -> None:
    there, programs, make = tmp_path / "venv", tmp_path / "programs", shutil.which("make")
    programs.mkdir()
    (programs / "python").symlink_to("/bin/false")  # nor is there Pango, nor any other program
    assert make
    words = [make, "--silent", "PYTHON=python", f"VENV={there}", "test"]
    done = subprocess.run(words, cwd=ROOT, env={"PATH": str(programs)}, capture_output=True, text=True)
    assert done.returncode == 2 and not there.exists()
    skipped, refused, *_ = done.stderr.splitlines()
    assert all(skipped.count(one) >= 2 for one in ("chromium", "systemd-analyze", "Pango")) and "3.11" in refused
    for language in LANGUAGES:
        readme = (ROOT / README[language]).read_text("utf-8")
        assert all(one in readme for one in ("Chromium", "systemd-analyze", "Pango"))
