"""Messages and decisions -> what an author did just before, for rules about repeats and cooldowns."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.message import Kind, Message
from bot.domain.rules import Decision
from bot.domain.views import canonical

Member = tuple[str, str]  # community, author


class Recollection:
    """Bounded by time and by number of members. Lost with the process: a flood that spans a restart counts anew."""

    def __init__(self, window: timedelta = timedelta(minutes=10), members: int = 20_000, each: int = 64) -> None:
        self._window = window
        self._members = members
        self._each = each
        self._sent: dict[Member, deque[tuple[datetime, str]]] = {}
        self._fired: dict[Member, dict[str, datetime]] = {}

    def hear(self, message: Message) -> tuple[datetime, ...]:
        """When the author sent the same text before, and remember this message."""
        member = (message.community_id, message.author.id)
        text = canonical(message.text)
        sent = self._sent.pop(member, None) or deque(maxlen=self._each)
        self._sent[member] = sent  # most recently heard of last
        while sent and message.sent_at - sent[0][0] > self._window:
            sent.popleft()
        repeats = tuple(moment for moment, other in sent if other == text and moment <= message.sent_at)
        if message.kind is Kind.NEW and text:
            sent.append((message.sent_at, text))
        _bound(self._sent, self._members)
        return repeats

    def fired(self, message: Message) -> Mapping[str, datetime]:
        """When each live rule last fired on the author."""
        return self._fired.get((message.community_id, message.author.id), {})

    def note(self, decision: Decision, at: datetime) -> None:
        """Remember which live rules fired on the author."""
        message = decision.message
        member = (message.community_id, message.author.id)
        fired = self._fired.pop(member, {})
        self._fired[member] = fired | {
            finding.rule: at for finding in decision.findings if finding.matched and finding.mode == "live"
        }
        _bound(self._fired, self._members)


def _bound(memory: dict[Member, Any], most: int) -> None:
    while len(memory) > most:
        del memory[next(iter(memory))]
