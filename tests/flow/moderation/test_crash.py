"""kill -9 at any moment, then the same again: settled exactly once, acted at least once, warned at most once."""

import json
import random
import signal
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.flow.moderation.crashing import rehearse
from tests.servers.databases import sqlite_in
from tests.servers.forks import Fork

pytestmark = pytest.mark.course

KST = timezone(timedelta(hours=9))


def transcript(path: Path, lines: int) -> Path:
    """Every third message is severe (delete, warn, flag), every third one doubtful (flag); some are edited."""
    start = datetime.now(KST) - timedelta(hours=1)  # what is old is forgotten while it runs
    with path.open("w", encoding="utf-8") as stream:
        for number in range(lines):
            text = (f"안녕하세요 {number}", f"[0.99] 나쁜 말 {number}", f"[0.85] 애매한 말 {number}")[number % 3]
            row = {
                "at": (start + timedelta(seconds=number)).isoformat(),
                "community": f"모임{number % 2}",
                "channel": "수다",
                "author": f"회원{number % 9}",  # fewer than a raid has
                "message": f"m{number - number % 7}" if number % 7 == 1 else f"m{number}",
                "kind": "edit" if number % 7 == 1 else "new",
                "text": text,
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


class Case:
    """One database, and the processes that work on it one after the other."""

    def __init__(self, folder: Path, chat: Path) -> None:
        folder.mkdir()
        self.database, self.journal, self.chat = folder / "jikimi.db", folder / "journal", chat
        self.passed = folder / "passed"
        self.url = sqlite_in(folder)

    def start(self, fatal: int = 0) -> Fork:
        return Fork(rehearse, self.url, self.chat, self.journal, self.passed, fatal)

    def actions(self) -> int:
        """How many have been begun, by all of them."""
        return self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0

    def complete(self) -> int:
        """How many boundaries the last of them passed."""
        with self.start() as process:
            assert process.wait() == 0, process.stderr
        return int(self.passed.read_text())

    def check(self, lines: int) -> None:
        with closing(sqlite3.connect(self.database)) as database:
            settled, waiting, texts = (
                database.execute(f"select count(*) from {table}").fetchone()[0]
                for table in ("messages", "queue", "incidents where body is not null")
            )
            planned = Counter(
                (f"{channel} {message} {revision}", kind)
                for channel, message, revision, kind in database.execute(
                    "select m.channel, m.message, m.revision, a.kind from actions a"
                    " join incidents i on i.id = a.incident join messages m on m.id = i.message"
                )
            )
            (unfinished,) = database.execute("select count(*) from actions where finished_at is null").fetchone()
        harmful = sum(number % 3 != 0 for number in range(lines))
        assert (settled, waiting) == (lines, 0)
        assert texts == harmful, "only the texts of incidents are left"
        assert set(planned.values()) == {1}, "each message was settled once"
        assert len({ref for ref, _ in planned}) == harmful
        assert unfinished == 0
        done = Counter(tuple(line.rsplit(" ", 1)) for line in self.journal.read_text("utf-8").splitlines())
        assert set(done) <= set(planned)
        for deed in planned:
            if deed[1] == "warn":
                assert done[deed] <= 1, deed
            else:
                assert done[deed] >= 1, deed


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_kill_at_a_step_boundary(tmp_path: Path, every: int) -> None:
    lines = 6
    chat = transcript(tmp_path / "chat.jsonl", lines)
    undisturbed = Case(tmp_path / "undisturbed", chat)
    boundaries = undisturbed.complete()
    undisturbed.check(lines)
    assert boundaries > 40

    def crash_at(step: int) -> bool:
        case = Case(tmp_path / f"step{step}", chat)
        with case.start(step) as process:
            killed = process.wait() == -signal.SIGKILL
        assert killed or int(case.passed.read_text()) < step, "transactions group otherwise from run to run"
        case.complete()
        case.check(lines)
        return killed

    with ThreadPoolExecutor(2) as pool:
        crashed = list(pool.map(crash_at, range(1, boundaries + 1, every)))
    assert sum(crashed) > len(crashed) / 2


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("cases", [2, pytest.param(10, marks=pytest.mark.long)])
def test_five_kills_each_at_random_moments(tmp_path: Path, cases: int) -> None:
    """A moment is so many actions further on, and a little: so it is on a machine of any speed."""
    lines, dice = 250, random.Random(20261123)
    chat = transcript(tmp_path / "chat.jsonl", lines)
    moments = [[(dice.randint(0, 50), dice.uniform(0, 0.1)) for _ in range(5)] for _ in range(cases)]

    def suffer(number: int) -> int:
        case = Case(tmp_path / f"case{number}", chat)
        killed = 0
        for further, moment in moments[number]:
            wanted = case.actions() + further
            with case.start() as process:
                while process.returncode is None and case.actions() < wanted:
                    time.sleep(0.01)
                time.sleep(moment)
                process.send(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
        case.complete()
        case.check(lines)
        return killed

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(suffer, range(cases))) >= 4.5 * cases, "now and then a process ends before its moment"
