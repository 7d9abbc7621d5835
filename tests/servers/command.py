"""The command line as it is typed -> what a process of its own says, and how it ends. Each is a fork of one that has
read the program already: reading it takes longest."""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

#: What commands import where they need it. None of it starts a thread.
READ = (
    "adapters.guards.embedded.kinds_guard",
    "adapters.reports.pages",
    "bot.app.application",
    "bot.cli.app",
    __name__,
)
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(list(READ))


def run(
    folder: Path, *words: str, stdin: bytes = b"", environment: Mapping[str, str], timeout: float = 120
) -> "CompletedProcess[str]":
    """Of `jikimi WORDS` in that folder; what it says is UTF-8. Raises TimeoutExpired."""
    with TemporaryDirectory() as name:
        streams = [Path(name, stream) for stream in ("stdin", "stdout", "stderr")]
        for path, content in zip(streams, (stdin, b"", b""), strict=True):
            path.write_bytes(content)
        process = _PROCESSES.Process(target=_run, args=(folder, words, dict(environment), streams))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutExpired(words, timeout)
        said = [path.read_text("utf-8") for path in streams[1:]]
        ended = process.exitcode
        process.close()
    return CompletedProcess(words, -1 if ended is None else ended, *said)


def _run(folder: Path, words: tuple[str, ...], environment: dict[str, str], streams: list[Path]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDONLY if not number else os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["jikimi", *words]
    from bot.__main__ import main

    main()
