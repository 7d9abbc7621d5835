"""`jikimi bench report`: how long the whole command takes for a big week, and one report on a quiet community."""

import asyncio
import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config

WEEKS = 5  # a report's own and those that it compares with
QUIET_MESSAGES = 300
EDITIONS = 6


def declare(line: Line) -> None:
    say = line.say

    @line.bench.command("report", help=say["help.bench_report"])
    def command(
        messages: Annotated[
            int, typer.Option("--messages", min=1000, help=say["help.bench_report_messages"])
        ] = 1_000_000,
        incidents: Annotated[int, typer.Option("--incidents", min=0, help=say["help.bench_report_incidents"])] = 20_000,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(bench_report(messages, incidents, say, as_json=as_json))


async def bench_report(messages: int, incidents: int, say: Texts, *, as_json: bool) -> None:
    """`messages` and `incidents` of the big week."""
    from bot.app import tools
    from bot.config import Config, StorageSettings

    with TemporaryDirectory(prefix="jikimi-bench-", dir=".") as name:
        folder = Path(name)
        big, quiet = (Config(storage=StorageSettings(url=f"sqlite:///{folder / word}.db")) for word in ("big", "quiet"))
        await tools.made_up_year(big, weeks=WEEKS, messages_a_week=messages, incidents_a_week=incidents)
        await tools.made_up_year(quiet, weeks=WEEKS, messages_a_week=QUIET_MESSAGES, incidents_a_week=0)
        of_big, of_quiet = _command(big, folder, say), _command(quiet, folder, say)
        drawing = await _drawing(quiet)
    result = {
        "messages": messages,
        "incidents": incidents,
        "seconds": round(of_big.seconds, 2),
        "cpu_seconds": round(of_big.cpu, 2),
        "mib": round(of_big.memory),
        "ratio": round(of_big.cpu / of_quiet.cpu, 2),
        "quiet_messages": QUIET_MESSAGES,
        "quiet_cpu_seconds": round(drawing, 3),
        "quiet_reports_per_minute": round(60 / drawing * (os.cpu_count() or 1)),
        "cores": os.cpu_count() or 1,
    }
    print_json(result) if as_json else print(say("bench.report", **result))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One run of the whole command, imports included; `memory` in MiB, the most it had."""

    seconds: float
    cpu: float
    memory: float


def _command(config: "Config", folder: Path, say: Texts) -> CommandRun:
    """Raises Broken with what it says where it fails."""
    from bot.app import tools

    settings = folder / "config.toml"
    settings.write_text(f'[storage]\nurl = "{config.storage.url}"\n', "utf-8")
    period = tools.made_up_week()
    words = ["report", "--lang", say.language, "--config", str(settings), "--week", period.name, "--out", str(folder)]
    with (folder / "said").open("w+b") as said:  # its log is of a record that is thrown away
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "bot", *words], stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise Broken(said.read().decode("utf-8", "replace").rstrip())
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return CommandRun(seconds=seconds, cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss / unit)


async def _drawing(config: "Config") -> float:
    """Seconds of one processor for picture, page, PDF and table of a quiet week, once everything is loaded."""
    from bot.app import reporting, tools
    from bot.core.reporting.building import report_on

    renderer, period = reporting.report_renderer(), tools.made_up_week()
    took = []
    async with reporting.report_queries(config) as (queries, *_):
        (community,) = await queries.communities()
        for number in range(EDITIONS):
            report = await report_on(queries, community, f"{community} {number}", period)
            began = time.thread_time()
            renderer.render(report, "ko")
            took.append(time.thread_time() - began)
            if not number:  # as the processes do that draw what is sent
                gc.collect()
                gc.freeze()
    gc.unfreeze()
    return median(took[1:])
