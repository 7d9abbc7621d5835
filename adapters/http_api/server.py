"""Addresses to listen on -> the API at work there until it is cancelled; patient with nobody."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EADDRINUSE
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from adapters.http_api.admission import Admission
from adapters.http_api.front import application
from adapters.http_api.judging.deciding import Judging
from adapters.http_api.metrics import Metrics
from adapters.http_api.routes import Routes
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable, reason
from bot.core.base.waiting import outlasting
from bot.core.incidents.feedback import Listener
from bot.core.incidents.ports import Webhooks
from bot.core.moderation.rulings import Rulings
from bot.core.moderators.ports import Desk
from bot.core.operations.ports import ApiKeys, HealthSource
from bot.core.text.catalogue import Texts

HEAD_WITHIN = 10.0  # seconds for the head of a request, from connecting or from the last answer
CONNECTIONS = 512  # open at once; beyond that the one that has been silent longest gives way, or else the new one
KEEP_ALIVE = 5  # seconds between two requests
READ_WITHIN = 30.0  # seconds for a client to take more of its answer
STOP_WITHIN = 3  # seconds for answers under way when the program stops

_ODD_LINE = re.compile(rb"(?<!\r)\n|\n[ \t]")
_LENGTH = re.compile(rb"\ncontent-length[ \t]*:", re.IGNORECASE)
_ENCODING = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class HttpApi:
    """`run` is a service of the application. `listen` and `metrics_listen` are "host:port"; where the second is given,
    metrics are served there and nowhere else."""

    def __init__(
        self,
        *,
        desk: Desk,
        keys: ApiKeys,
        webhooks: Webhooks,
        listener: Listener,
        called: Rulings,
        health_source: HealthSource,
        clock: Clock,
        say: Texts,
        listen: str,
        metrics_listen: str = "",
        per_second: float = 20.0,
        among: Callable[[], int] = lambda: 1,
        deadline: float = 5.0,
    ) -> None:
        if metrics_listen == listen:
            metrics_listen = ""
        metrics = Metrics(health_source, clock)
        self._admission = Admission(keys=keys, clock=clock, rate=per_second, among=among)
        self._judging = Judging(
            desk=desk, health_source=health_source, clock=clock, deadline=deadline, listener=listener, called=called
        )
        routes = Routes(
            admission=self._admission,
            judging=self._judging,
            webhooks=webhooks,
            health_source=health_source,
            metrics=metrics,
            say=say,
        )
        places = {
            listen: routes.api() if metrics_listen else [*routes.api(), *routes.figures()],
            metrics_listen: [*routes.health(), *routes.figures()],
        }
        self._places = {place: application(served, metrics, say) for place, served in places.items() if place}

    async def run(self) -> None:
        """Until cancelled. Raises Unavailable where an address is in use, Broken where it cannot be listened on."""
        sockets = {place: _bound(place) for place in self._places}
        servers = [_Server(app) for app in self._places.values()]
        closing = asyncio.Event()
        working = asyncio.gather(
            self._admission.run(closing),
            *(server.serve([bound]) for server, bound in zip(servers, sockets.values(), strict=True)),
        )
        try:
            await outlasting(working)
        finally:
            for server in servers:
                server.should_exit = True
            self._judging.stop()
            closing.set()
            await asyncio.wait([working])


def _bound(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        kind = Unavailable if error.errno == EADDRINUSE else Broken
        raise kind("[http] {place}: {why}", place=place, why=reason(error)) from None


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=_Impatient,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # we keep our own log, without addresses and texts
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_WITHIN,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's, not the server's."""
        yield


def _is_ambiguous(received: bytes) -> bool:
    """Whether the head that this begins with, as far as it came, has bare line feeds, folded lines or two lengths."""
    head, _, _ = received.partition(b"\r\n\r\n")
    return bool(_ODD_LINE.search(head) or (_LENGTH.search(head) and _ENCODING.search(head)))


class _Impatient(H11Protocol):
    """uvicorn waits for ever for a request that never gets complete, and for a body that nobody wants. Here a
    connection is closed when, HEAD_WITHIN after it was made or answered, no request is being worked on; and when its
    client does not read what it has asked for."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > CONNECTIONS:
            others = (one for one in self.connections if isinstance(one, _Impatient) and one is not self)
            silent = [one for one in others if one.is_idle]
            min(silent, key=_Impatient.waits_since, default=self).transport.abort()

    def handle_events(self) -> None:
        """h11 takes heads that others read otherwise, and two ways to say where a body ends: behind a proxy that
        disagrees, one request would smuggle in another (RFC 9112, 2.2, 5.2, 6.3)."""
        if self.conn.their_state is h11.IDLE and _is_ambiguous(self.conn.trailing_data[0]):
            self.send_400_response("Invalid HTTP request received.")
            self.transport.close()
            return
        super().handle_events()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._deadline, self._unread):
            if timer:
                timer.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(READ_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked on for this client."""
        return self.cycle is None or self.cycle.response_complete

    def waits_since(self) -> float:
        return self._deadline.when() if self._deadline else 0.0

    def _wait(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(HEAD_WITHIN, self._lose_patience)

    def _lose_patience(self) -> None:
        if self.is_idle and not self.transport.is_closing():
            if self.cycle is None:
                self.transport.write(_TOO_SLOW)
            self.transport.close()
