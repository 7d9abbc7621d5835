"""The READMEs, walked in an environment that has never seen Jikimi: the wheel is built from what the container copies,
and installed as it is locked; every command that is shown is typed, and what it says must fit.

    python -m tests.newcomer [--bare TRIXIE]

`--bare`: in a new Debian of that name (debootstrap, as root), with what the README names and nothing else. Where that
cannot be had, a word says so, and they are walked in a new environment of this system.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from adapters.guards.dialects import DIALECTS
from bot.core.text.catalogue import LANGUAGES
from tests.newcomer.test_container import ROOT, copied

README = {"ko": "README.ko.md", "en": "README.md"}
MIRROR = "http://deb.debian.org/debian"
NEEDED = ("python3", "python3-venv", "make", "ca-certificates")
LINES = len(files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines())


class Expected(NamedTuple):
    """Of a command that begins so: what stands in its output, in Korean and in English, and how it ends. None: it is
    not typed here, but shown to be right by `checked`."""

    begins: str
    says: tuple[str, str] = ("", "")
    ends: int | None = 0


EXPECTED = (
    Expected("vllm serve", ends=None),
    Expected("make run", ends=None),
    Expected("make test", ends=None),
    Expected("printf"),
    # Its server is not there: that is said, and is not "safe".
    Expected(".venv/bin/jikimi judge", ("vllm serve", "vllm serve"), ends=75),
    Expected("jikimi judge", ("욕설.*삭제|삭제.*욕설", "delete.*abuse"), 0),
    Expected("jikimi rules explain", ("조치 없음", "leave alone"), 0),
    Expected("jikimi rehearse", (rf"메시지 {LINES}", rf"{LINES} messages"), 0),
    Expected("jikimi init", ("jikimi run", "jikimi run"), 0),
    Expected("jikimi invite discord", ("discord.com/developers", "discord.com/developers"), 0),
    Expected("jikimi invite telegram", ("BotFather", "BotFather"), 0),
    Expected("jikimi run", ("JIKIMI_DISCORD_TOKEN", "JIKIMI_DISCORD_TOKEN"), 2),
)


def shown(language: str) -> Iterator[str]:
    """Every command of a README, without what is said about it."""
    text = (ROOT / README[language]).read_text("utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (re.sub(r"\s{2,}#.*", "", line).strip() for line in block.splitlines() if line.strip())


def expected(command: str) -> Expected:
    """Raises where nobody says what must come of it."""
    return next(one for one in EXPECTED if command.startswith(one.begins))


def checked(command: str) -> bool:
    """Whether what is not typed here is right all the same."""
    if command.startswith("make"):
        return not subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True).returncode
    return command in {dialect.serve() for dialect in DIALECTS.values()}


def walk(folder: Path, language: str, enter: Sequence[str] = ()) -> Iterator[str]:
    """What does not fit. `enter`: what leads into another root, in which the folder is /home/newcomer."""
    transcript = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8")
    inside = Path("/home/newcomer") if enter else folder
    for command in shown(language):
        one = expected(command)
        if one.ends is None:
            if not checked(command):
                yield f"{command}: it would not work"
            continue
        for name in re.findall(r"rehearse (\S+)", command):
            (folder / name).write_text(transcript, "utf-8")
        if command.startswith("jikimi init"):
            (folder / "config.toml").unlink(missing_ok=True)
        done = subprocess.run(
            [*enter, "env", "-i", f"HOME={inside}", f"PATH={inside}/.venv/bin:/usr/bin:/bin", "LANG=C.UTF-8",
             f"JIKIMI_LANG={language}", "COLUMNS=140", "bash", "-c", f"cd {inside} && {command}"],
            input="\n" * 9, capture_output=True, text=True, encoding="utf-8", timeout=300,
        )  # fmt: skip
        said, wanted = done.stdout + done.stderr, one.says[LANGUAGES.index(language)]
        print(f"  {command}  -> {done.returncode}", flush=True)
        if done.returncode != one.ends or not re.search(wanted, said, re.DOTALL) or "Traceback" in said:
            yield f"{command}: ended with {done.returncode}, {wanted!r} was to be found in:\n{said[-800:]}"
        if command.startswith(".venv/bin"):
            (folder / "config.toml").unlink()  # the rest of the page is read without a GPU


def build(into: Path) -> None:
    """The wheel, from what a container would be built from and nothing else."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        for one in copied():
            target = source / one
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / one).is_dir():
                shutil.copytree(ROOT / one, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / one, target)
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*wheel, "--wheel-dir", into, source], check=True)
    shutil.copy(ROOT / "requirements" / "run.txt", into)


def install(folder: Path, python: str, enter: Sequence[str] = ()) -> None:
    inside = Path("/home/newcomer") if enter else folder
    pip = [*enter, f"{inside}/.venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*enter, python, "-m", "venv", f"{inside}/.venv"], check=True)
    subprocess.run([*pip, "--require-hashes", "--requirement", f"{inside}/run.txt"], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "--no-deps", f"{inside}/{wheel.name}"], check=True)


def bare(root: Path, suite: str) -> Sequence[str] | None:
    """What leads into a new Debian with what the README names; None: it cannot be had here."""
    if os.geteuid() or not (maker := shutil.which("debootstrap")):
        return None
    include = f"--include={','.join(NEEDED)}"
    if subprocess.run([maker, "--variant=minbase", include, suite, root, MIRROR], stdout=subprocess.DEVNULL).returncode:
        return None
    for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(file, f"{root}{file}")
    (root / "home" / "newcomer").mkdir()
    enter = ["unshare", "--fork", "--pid", f"--mount-proc={root}/proc", "chroot", str(root)]
    return enter if not subprocess.run([*enter, "true"]).returncode else None  # a container may not


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.newcomer")
    arguments.add_argument("--bare", metavar="SUITE", default="")
    suite = arguments.parse_args().bare
    with tempfile.TemporaryDirectory(prefix="jikimi-newcomer-") as name:
        root = Path(name)
        root.chmod(0o755)
        enter = bare(root, suite) or () if suite else ()
        if suite and not enter:
            print(f"NOT BARE: no new Debian ({suite}) can be had here.", flush=True)
        folder = root / "home" / "newcomer" if enter else root / "here"
        folder.mkdir(exist_ok=True)
        build(folder)
        install(folder, "python3" if enter else sys.executable, enter)
        wrong = []
        for language in LANGUAGES:
            print(README[language], flush=True)
            wrong += [f"{README[language]}: {one}" for one in walk(folder, language, enter)]
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
