"""How this process is doing -> systemd, which starts it again where it hangs: sd_notify(3)."""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from bot.core.base.clock import Clock

EVERY = 30.0  # seconds between two lines where nobody watches


@dataclass(frozen=True, slots=True, kw_only=True)
class Systemd:
    """`address`: of the socket that it listens at; `watches`: the seconds after which it takes silence for death, None:
    it does not. `status`: one line for whoever asks systemd."""

    address: str
    watches: float | None
    status: Callable[[], str]
    clock: Clock

    @classmethod
    def around(
        cls, status: Callable[[], str], clock: Clock, environment: Mapping[str, str] = os.environ
    ) -> "Systemd | None":
        """None: systemd has not started this process, or does not want to hear of it."""
        if not (address := environment.get("NOTIFY_SOCKET", "")).startswith(("/", "@")):
            return None
        given = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watches = int(given) / 1e6 if given.isdigit() and int(given) and is_ours else None
        return cls(address=address, watches=watches, status=status, clock=clock)

    async def run(self) -> None:
        """Until cancelled. Whoever holds up everything in this loop holds this up, too, and is found out by it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            self._say(out, "READY=1")
            try:
                while True:
                    self._say(out, f"WATCHDOG=1\nSTATUS={self.status()}")
                    await self.clock.sleep(min(EVERY, self.watches / 3 if self.watches else EVERY))
            finally:
                self._say(out, "STOPPING=1")

    def _say(self, out: socket.socket, words: str) -> None:
        """Where systemd does not listen just now, the next line will do."""
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError):
            out.sendto(words.encode("utf-8"), address)
