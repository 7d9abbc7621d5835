"""CAS (Combot Anti-Spam): an account's number -> whether its public list has it. Nothing else is sent."""

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from bot.core.base.bounded import beginning

WITHIN = 3.0  # seconds for an answer, however slowly it comes
LONGEST = 65_536  # bytes of it that are read


@dataclass(slots=True, kw_only=True)
class Cas:
    """`url`: its address, without a path."""

    url: str
    name: str = "CAS"
    _session: ClientSession | None = field(default=None)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    async def lists(self, member: str) -> bool | None:
        if not (member.isascii() and member.isdigit()):
            return None  # a channel
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=8), cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=WITHIN)
            )
        try:
            asked = self._session.get(f"{self.url}/check", params={"user_id": member}, allow_redirects=False)
            async with asked as answer:
                content = await beginning(answer.content, LONGEST)
                said = json.loads(content) if answer.status == 200 else None
        except (ClientError, OSError, TimeoutError, ValueError, RecursionError):
            return None
        match said:
            case {"ok": True, "result": {}}:
                return True
            case {"ok": False, "description": str()}:
                return False
        return None

    async def close(self) -> None:
        if self._session:
            await self._session.close()
