"""A webhook and a notice -> one signed request to a server that anybody may have named: only where everybody may go.

Signed as the Standard Webhooks specification asks. The address is checked when a socket is made for it, so that neither
a name that resolves otherwise a moment later nor another spelling of a number leads elsewhere; nothing that the server
answers is followed or read but its status.
"""

import asyncio
import hmac
import json
import socket
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import AddrInfoType, ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.core.base.clock import Clock
from bot.core.incidents.webhooks.webhook import Declined, Heard, Notice, Reception, Unheard, Webhook, is_public, key_of

WITHIN = ClientTimeout(total=10.0)
LOOK_UPS = 8  # at once: a name that takes for ever holds one up
GONE = 410


def signed(secret: str, name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that say who sends it. `at` in seconds since 1970."""
    content = b"%s.%d.%s" % (name.encode(), at, body)
    digest = hmac.digest(b64decode(key_of(secret)), content, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


class WebhookCaller:
    """The `Receiver`. `may_go` says of an address whether it may be connected to."""

    def __init__(self, session: ClientSession, clock: Clock) -> None:
        self._session, self._clock = session, clock

    @classmethod
    @asynccontextmanager
    async def open(cls, clock: Clock, may_go: Callable[[str], bool] = is_public) -> AsyncIterator["WebhookCaller"]:
        connector = TCPConnector(
            resolver=_OwnThreads(), use_dns_cache=False, force_close=True, socket_factory=partial(_socket, may_go)
        )
        async with ClientSession(
            connector=connector,
            timeout=WITHIN,
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": "Jikimi", "Content-Type": "application/json"},
            auto_decompress=False,
        ) as session:
            yield cls(session, clock)

    async def tell(self, webhook: Webhook, notice: Notice) -> Reception:
        body = json.dumps(notice.body, ensure_ascii=False).encode()
        headers = signed(webhook.secret, notice.name, int(self._clock.now().timestamp()), body)
        try:
            async with self._session.post(webhook.url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                answer.close()  # what it has to say is not read
        except TimeoutError:
            return Unheard("too slow")
        except (ClientError, OSError, ValueError) as error:
            refused = isinstance(getattr(error, "os_error", None), _NotPublic)
            return Unheard("not public" if refused else type(error).__name__)
        if 200 <= status < 300:
            return Heard()
        return Declined() if status == GONE else Unheard(str(status))


class _NotPublic(OSError):
    """Nobody goes there."""


def _socket(may_go: Callable[[str], bool], place: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address = place
    if not may_go(str(address[0])):
        raise _NotPublic
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


class _OwnThreads(AbstractResolver):
    """Names are looked up beside everybody else's: who names a host must not hold up those who look for another."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, "jikimi-webhooks")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up: Any = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host, host=str(place[0]), port=port, family=one, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for one, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
