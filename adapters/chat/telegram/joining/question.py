"""A request to join -> a question that people answer at a glance, pure: the same for the same request, in whatever
process, and known to nobody without the bot's token."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

#: By their names in the texts, `gate.thing.NAME`.
THINGS = {
    "cat": "🐱", "dog": "🐶", "rabbit": "🐰", "bear": "🐻", "apple": "🍎", "grapes": "🍇", "carrot": "🥕", "car": "🚗",
    "boat": "⛵", "umbrella": "☂️", "moon": "🌙", "flower": "🌷",
}  # fmt: skip
OFFERED = 6  # to choose from

_PRESS = re.compile(r"gate:(?P<chat>-\d{1,18}):(?P<at>\d{1,12}):(?P<choice>\d)")


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks to join what, when (seconds since 1970, by Telegram: the same however often it is delivered)."""

    chat_id: int
    user_id: int
    at: int

    def _digest(self, token: str) -> bytes:
        key = hashlib.blake2s(f"gate of {token}".encode()).digest()
        return hashlib.blake2s(f"{self.chat_id}/{self.user_id}/{self.at}".encode(), key=key).digest()

    def offered(self, token: str) -> Sequence[str]:
        """Names of THINGS, in the order of the buttons."""
        digest = self._digest(token)
        return sorted(THINGS, key=lambda name: hashlib.blake2s(name.encode(), key=digest).digest())[:OFFERED]

    def wanted(self, token: str) -> int:
        """The place of the one that is asked for."""
        return int.from_bytes(self._digest(token)) % OFFERED

    def carried(self, choice: int) -> str:
        """What the button in that place carries."""
        return f"gate:{self.chat_id}:{self.at}:{choice}"


def pressed(carried: str, user_id: int) -> tuple[Request, int] | None:
    """The request and what was chosen; None: it is no such button. What a button carries anybody may have written, but
    nobody can say that they are somebody else."""
    found = _PRESS.fullmatch(carried)
    return (Request(int(found["chat"]), user_id, int(found["at"])), int(found["choice"])) if found else None
