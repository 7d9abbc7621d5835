"""The processes that do the work: begun, begun again when they die, killed, frozen, stopped one after the other."""

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.cli.app import AGAIN as LATER
from tests.chaos.entry import CLOCK
from tests.courses.product import Product

AGAIN = 1.0  # seconds until whoever supervises it begins a process again
STOPS = 60.0  # seconds that one may take to end itself where the machine is busy
BEGUN = "일을 시작합니다".encode()  # what it says when it is ready,
TAKEN_OVER = "그사이 다른 프로세스가 일을 넘겨받았습니다".encode()  # and when it ends because it was taken for dead
GREW = 1.5, 64  # times, and MiB more, that a process may have of the memory that it needed to begin
BEGINS = 12  # weighings, of a process that takes over what others left and reads back what nobody heard


@dataclass(slots=True)
class Worker:
    """One process after the other. `ends`: exit codes, and whether it had begun, and nobody had asked it to end or
    gone on with what it was connected to."""

    product: Product
    ends: list[tuple[int, bool]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)  # MiB, of the process that runs
    most: float = 0.0
    asked: bool = False  # to end
    said: int = 0  # bytes of its log when the latest began

    @property
    def log(self) -> Path:
        return self.product.folder / self.product.log

    @property
    def clock(self) -> Path:
        return Path(self.product.environment[CLOCK])

    @property
    def runs(self) -> bool:
        return self.product.process.returncode is None

    def begun(self) -> bool:
        return BEGUN in self.heard()

    def heard(self) -> bytes:
        """What the latest has said."""
        with self.log.open("rb") as log:
            log.seek(self.said)
            return log.read()

    async def begin(self) -> None:
        self.said = self.log.stat().st_size if self.log.exists() else 0
        self.asked, self.memory = False, []
        await self.product.begin()

    def send(self, number: signal.Signals) -> None:
        self.asked = self.asked or number in (signal.SIGTERM, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self.product.process.send_signal(number)

    def weigh(self) -> None:
        if not self.runs or not self.begun():
            return
        with suppress(OSError, IndexError, ValueError):
            pages = int(Path(f"/proc/{self.product.process.pid}/statm").read_text().split()[1])
            self.memory.append(pages * 4096 / 2**20)
            self.most = max(self.most, self.memory[-1])

    @property
    def grew(self) -> bool:
        """Whether the process that runs has far more memory than when it began to work."""
        times, more = GREW
        return len(self.memory) > BEGINS and self.memory[-1] > max(self.memory[:BEGINS]) * times + more


class Crew:
    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = workers
        self._supervising: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        for worker in self.workers:
            await worker.begin()
        self._supervising = [asyncio.create_task(self._supervise(worker)) for worker in self.workers]

    async def end(self) -> Sequence[int]:
        """Every process is asked to end; their exit codes, -9 for one that had to be killed."""
        for task in self._supervising:
            task.cancel()
        await asyncio.wait(self._supervising)
        for worker in self.workers:
            worker.send(signal.SIGCONT)
            worker.send(signal.SIGTERM)
        codes = [await self._ended(worker) for worker in self.workers]
        # Whoever had not begun yet ends as it is told, and says nothing.
        return [
            0 if code == -signal.SIGTERM and not worker.begun() else code
            for worker, code in zip(self.workers, codes, strict=True)
        ]

    async def roll(self) -> None:
        """One after the other ends and begins again, the next once it works."""
        for worker in self.workers:
            worker.send(signal.SIGTERM)
            await self._ended(worker)
            await self.working(worker)

    async def working(self, worker: Worker, patience: float = STOPS) -> bool:
        """Whether it says that it has begun, within so many seconds."""
        since = time.monotonic()
        while not (worker.runs and worker.begun()):
            if time.monotonic() - since > patience:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _ended(self, worker: Worker) -> int:
        process = worker.product.process
        try:
            async with asyncio.timeout(STOPS):
                return await process.wait()
        except TimeoutError:
            worker.send(signal.SIGKILL)
            await process.wait()
            return -signal.SIGKILL

    async def _supervise(self, worker: Worker) -> None:
        while True:
            code = await worker.product.process.wait()
            was_taken_over = code == LATER and TAKEN_OVER in worker.heard()
            by_itself = worker.begun() and not worker.asked and not was_taken_over
            worker.ends.append((code, by_itself))
            await asyncio.sleep(AGAIN)
            await worker.begin()
