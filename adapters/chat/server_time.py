"""The address of an API -> what time it is there."""

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

PATIENCE = ClientTimeout(total=5.0)


async def server_time(url: str) -> datetime | None:
    """To the second; None: nobody says. Whatever it answers, it says when."""
    with suppress(ClientError, OSError, TimeoutError, ValueError):
        async with ClientSession(timeout=PATIENCE) as session, session.get(url, allow_redirects=False) as answer:
            return parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
    return None
