"""Drawing in processes of its own: what comes back, and what does not take anything else down."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.reports import workers as report_workers
from adapters.reports.workers import ReportWorkers
from bot.core.base.errors import Broken, Unavailable
from bot.core.chat.post import Post
from bot.core.reporting.figures import Figures
from bot.core.reporting.periods import parse
from bot.core.reporting.report import Report, compose
from tests.fakes.reporting import ScriptedRenderer

WEEK = parse("2026-W47", "Asia/Seoul")


class Renderer(ScriptedRenderer):
    """Draws, or does what the community's name says."""

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        match report.community:
            case "defect":
                raise ZeroDivisionError
            case "no library":
                raise Broken("install it")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        return super().render(report, f"{language} {os.getpid()}", with_pdf=with_pdf)


def report(name: str = "카페") -> Report:
    return compose(name, WEEK, Figures(start=WEEK.start, end=WEEK.end), ())


def test_reports_are_drawn_elsewhere_and_trouble_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_workers, "IDLE", 0.2)
    workers = ReportWorkers(Renderer, workers=1)

    async def scenario() -> None:
        renderer = workers.renderer(unmasked=True)
        post = await asyncio.to_thread(renderer.render, report(), "ko", with_pdf=False)
        words = post.text.split()
        assert words[:3] == ["카페", "2026-W47", "ko"] and int(words[3]) != os.getpid() and words[4] == "unmasked"
        with pytest.raises(Broken, match="ZeroDivisionError"):
            await asyncio.to_thread(renderer.render, report("defect"), "ko")
        with pytest.raises(Broken, match="install it"):
            await asyncio.to_thread(renderer.render, report("no library"), "ko")
        with pytest.raises(Unavailable):
            await asyncio.to_thread(renderer.render, report("killed"), "ko")
        assert (await asyncio.to_thread(renderer.render, report(), "ko")).text.startswith("카페")

    asyncio.run(scenario())
    end = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []  # idle: they are given up
    workers.close()


def test_fresh_processes_take_over_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_workers, "MOST", 3)
    workers = ReportWorkers(Renderer, workers=1)

    async def scenario() -> None:
        renderer = workers.renderer()
        drawn = await asyncio.gather(*(asyncio.to_thread(renderer.render, report(), "ko") for _ in range(7)))
        numbers = [post.text.split()[3] for post in drawn]
        assert len(set(numbers)) == 3

    asyncio.run(scenario())
    workers.close()


def test_workers_do_not_outlive_a_parent_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
        parent.wait()
        end = time.monotonic() + 20
        while is_running(worker) and time.monotonic() < end:
            time.sleep(0.05)
        assert not is_running(worker)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    print(ReportWorkers(Renderer, workers=1).renderer().render(report(), "ko").text.split()[3], flush=True)
    time.sleep(60)
