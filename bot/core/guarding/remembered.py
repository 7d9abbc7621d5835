"""Exchanges and their verdicts -> the verdict on the same exchange again, for a while."""

import json
import secrets
from dataclasses import dataclass, field
from hashlib import blake2b

from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.guarding.figures import QueueFigures
from bot.core.guarding.verdict import Exchange, Verdict


@dataclass(slots=True, kw_only=True)
class Remembered:
    """At most `most` verdicts, each for `lasting` seconds."""

    most: int
    lasting: float
    clock: Clock
    figures: QueueFigures
    _verdicts: Bounded[bytes, tuple[float, Verdict]] = field(init=False)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        self._verdicts = Bounded(self.most)

    def key(self, exchange: Exchange) -> bytes:
        """Of exactly what the guard is asked: what looks alike to people may not look alike to it."""
        said = json.dumps([exchange.prompt, exchange.response, exchange.is_chat], ensure_ascii=True).encode()
        return blake2b(said, digest_size=16, key=self._secret).digest()

    def recall(self, key: bytes) -> Verdict | None:
        until, verdict = self._verdicts.get(key, (0.0, None))
        if verdict and until <= self.clock.monotonic():
            del self._verdicts[key]
            self.figures.forgotten += 1
            return None
        return verdict

    def keep(self, key: bytes, verdict: Verdict) -> None:
        if len(self._verdicts) == self.most and key not in self._verdicts:
            self.figures.forgotten += 1
        self._verdicts[key] = (self.clock.monotonic() + self.lasting, verdict)
