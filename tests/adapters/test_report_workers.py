"""Drawing in processes of its own: what comes back, and what does not take anything else down."""

import asyncio
import multiprocessing
import os
import signal
import time

import pytest

from adapters import report_workers
from adapters.report_workers import ReportWorkers
from bot.domain.periods import parse
from bot.domain.report import Edition, Figures, Report, compose
from bot.errors import Broken, Unavailable
from tests.fakes import ScriptedPress

WEEK = parse("2026-W47", "Asia/Seoul")


class Press(ScriptedPress):
    """Draws, or does what the community's name says."""

    def edition(self, report: Report, language: str, *, with_pdf: bool = True) -> Edition:
        match report.community:
            case "defect":
                raise ZeroDivisionError
            case "no library":
                raise Broken("install it")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        return super().edition(report, f"{language} {os.getpid()}", with_pdf=with_pdf)


def report(name: str = "카페") -> Report:
    return compose(name, WEEK, Figures(start=WEEK.start, end=WEEK.end), ())


def test_reports_are_drawn_elsewhere_and_trouble_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_workers, "IDLE", 0.2)
    workers = ReportWorkers(Press, workers=1)

    async def scenario() -> None:
        press = workers.press(unmasked=True)
        edition = await asyncio.to_thread(press.edition, report(), "ko", with_pdf=False)
        words = edition.text.split()
        assert words[:3] == ["카페", "2026-W47", "ko"] and int(words[3]) != os.getpid() and words[4] == "unmasked"
        with pytest.raises(Broken, match="ZeroDivisionError"):
            await asyncio.to_thread(press.edition, report("defect"), "ko")
        with pytest.raises(Broken, match="install it"):
            await asyncio.to_thread(press.edition, report("no library"), "ko")
        with pytest.raises(Unavailable):
            await asyncio.to_thread(press.edition, report("killed"), "ko")
        assert (await asyncio.to_thread(press.edition, report(), "ko")).text.startswith("카페")

    asyncio.run(scenario())
    end = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []  # idle: they are given up
    workers.close()
