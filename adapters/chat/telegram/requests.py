"""How calls of the Bot API go over HTTP: parameters go out, and what is no answer of the Bot API never passes for one.

Beneath python-telegram-bot, on aiohttp: httpx's pool takes time that grows with the square of the calls under way
(encode/httpcore#924; 256 deletions at once: 2.1 s of processor time, here 0.3, the test's server included). And
python-telegram-bot goes by the HTTP status alone: a proxy's page with status 404 reads as "the token was revoked".
"""

import json
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    FormData,
    TCPConnector,
)
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from adapters.chat.server_time import NetworkClock
from bot.core.base.bounded import beginning
from bot.core.base.waiting import seconds_asked

CONNECTIONS = 256  # at once
LARGEST = 64 << 20  # bytes of an answer, or of a file
CONNECTS = 5.0  # seconds for a connection, waiting for a free one included

#: The call has not left this machine.
NEVER_SENT = (ClientConnectorError, ConnectionTimeoutError)


class OddAnswer(NetworkError):
    """Somebody has answered who is not the Bot API, or not to the end. Whether the call was carried out nobody knows.
    What was said is not repeated here: it may hold anything."""


class AiohttpRequest(BaseRequest):
    """`clock` hears what time it is there. `reads`: seconds that an answer may be silent, where the call does not say
    otherwise."""

    def __init__(
        self, clock: NetworkClock | None = None, *, reads: float = 10.0, connections: int = CONNECTIONS
    ) -> None:
        self._clock = clock
        self._reads = reads
        self._connections = connections
        self._session: ClientSession | None = None
        self._proxy = cache(_proxy)

    @property
    def read_timeout(self) -> float | None:
        return self._reads

    async def initialize(self) -> None:
        """The session opens with the first call."""

    async def shutdown(self) -> None:
        if self._session:
            await self._session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """The status and the body of an answer of the Bot API."""
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=self._connections), cookie_jar=DummyCookieJar())
        there = urlsplit(url)
        reads = self._reads if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        writes = 0.0 if write_timeout is BaseRequest.DEFAULT_NONE else write_timeout or 0.0
        patience = ClientTimeout(connect=CONNECTS, sock_read=None if reads is None else max(reads, writes))
        try:
            async with self._session.request(
                method,
                url,
                data=_form(request_data),
                timeout=patience,
                headers={"User-Agent": self.USER_AGENT},
                proxy=self._proxy(there.scheme, there.netloc),
            ) as answer:
                status, date = answer.status, answer.headers.get("Date", "")
                said = await beginning(answer.content, LARGEST + 1)
        except TimeoutError as error:
            raise TimedOut from error
        except (ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from error
        if len(said) > LARGEST:
            raise OddAnswer("an endless answer")
        if not 200 <= status <= 299 and status != 413:  # a proxy, too, may say that it is too much
            self.parse_json_payload(said)
        if self._clock:
            self._clock.read(date)
        return status, said

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """What the Bot API has said; an `OddAnswer` where it has not."""
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            raise OddAnswer("not JSON") from None
        match said:
            case {"ok": False, "parameters": {"retry_after": wait}} if wait:
                if (seconds := seconds_asked(wait)) is None:
                    raise OddAnswer("a wait that is not a number of seconds")
                said["parameters"]["retry_after"] = seconds
        match said:
            case {"ok": True, "result": _} | {"ok": False, "error_code": int(), "description": str()}:
                return cast(dict[str, Any], said)
        raise OddAnswer("not an answer of the Bot API")


def _proxy(scheme: str, host: str) -> str | None:
    """The one that the environment names for it. aiohttp's `trust_env` asks anew with each call, and for a password in
    ~/.netrc, each in a thread."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _form(asked: RequestData | None) -> Any:
    if asked is None or not asked.contains_files:
        return asked and asked.json_parameters
    form = FormData(asked.json_parameters)
    for name, (filename, content, kind) in (asked.multipart_data or {}).items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form
