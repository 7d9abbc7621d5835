"""Reports to be drawn -> a few processes that draw them, so that neither messages nor each other have to wait."""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import cache
from threading import Lock, Thread, Timer

from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.chat.post import Post
from bot.core.reporting.ports import ReportRenderer
from bot.core.reporting.report import Report

IDLE = 60.0  # seconds after which the processes are given up: what they have loaded takes a lot of memory
MOST = 1000  # reports after which fresh processes take over (max_tasks_per_child hangs on Python 3.11)

OpenRenderer = Callable[..., ReportRenderer]


class ReportWorkers:
    """Gives renderers that may be used from any number of threads. `open_renderer` must be importable by its name."""

    def __init__(self, open_renderer: OpenRenderer, *, workers: int) -> None:
        self._open_renderer, self._workers = open_renderer, workers
        self._lock = Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = self._drawn = 0
        self._closing: Timer | None = None

    def renderer(self, *, unmasked: bool = False) -> ReportRenderer:
        return _Renderer(self, unmasked)

    def close(self) -> None:
        with self._lock:
            self._cancel_closing()
            pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)

    def draw(self, unmasked: bool, report: Report, language: str, with_pdf: bool) -> Post:
        try:
            return self._begin(unmasked, report, language, with_pdf).result()
        except BrokenExecutor:  # a worker was killed, for its memory for instance
            self.close()
            raise Unavailable("a process that draws reports has died") from None
        finally:
            self._ended()

    def _begin(self, unmasked: bool, report: Report, language: str, with_pdf: bool) -> "Future[Post]":
        with self._lock:
            self._cancel_closing()
            self._waiting += 1
            if self._pool and self._drawn >= MOST:
                self._pool.shutdown(wait=False)  # what it has been given, it still draws
                self._pool, self._drawn = None, 0
            self._pool = self._pool or ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),  # forking a process with threads is no good
                initializer=_serve,
            )
            self._drawn += 1
            return self._pool.submit(_draw, self._open_renderer, unmasked, report, language, with_pdf)

    def _ended(self) -> None:
        with self._lock:
            self._waiting -= 1
            if not self._waiting and self._pool:
                self._closing = Timer(IDLE, self.close)
                self._closing.daemon = True
                self._closing.start()

    def _cancel_closing(self) -> None:
        if self._closing:
            self._closing.cancel()
            self._closing = None


class _Renderer:
    def __init__(self, workers: ReportWorkers, unmasked: bool) -> None:
        self._workers, self._unmasked = workers, unmasked

    def render(self, report: Report, language: str, *, with_pdf: bool = True) -> Post:
        return self._workers.draw(self._unmasked, report, language, with_pdf)


def _draw(open_renderer: OpenRenderer, unmasked: bool, report: Report, language: str, with_pdf: bool) -> Post:
    """In a worker. A defect in drawing is that report's own, and takes nothing else down."""
    try:
        post = open_renderer(unmasked=unmasked).render(report, language, with_pdf=with_pdf)
        _keep_what_is_loaded()
        return post
    except BotError:
        raise
    except Exception as error:
        raise Broken("the report could not be drawn ({why})", why=type(error).__name__) from error


@cache
def _keep_what_is_loaded() -> None:
    """Once: the libraries stay, and looking through them for garbage again and again takes a quarter of the time."""
    gc.collect()
    gc.freeze()


def _serve() -> None:
    """The parent says when to stop; a worker whose parent was killed would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
