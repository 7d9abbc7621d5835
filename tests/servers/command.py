"""The command line as it is typed -> what a process of its own says, and how it ends."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from tests.servers.forks import Fork


def run(
    folder: Path, *words: str, stdin: bytes = b"", environment: Mapping[str, str] = os.environ
) -> "CompletedProcess[str]":
    """Of `jikimi WORDS` in that folder."""
    with Fork(typed, *words, folder=folder, stdin=stdin, environment=environment) as process:
        code = process.wait()
        return CompletedProcess(words, code, process.stdout, process.stderr)


def typed(*words: str) -> None:
    """`jikimi WORDS`, in this process."""
    sys.argv = ["jikimi", *words]
    from bot.__main__ import main

    main()
