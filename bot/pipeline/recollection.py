"""Messages and decisions -> what an author did just before, for rules about repeats and cooldowns."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.actions import Weight
from bot.domain.message import Kind, Message, as_read
from bot.domain.rules import Decision, Policy
from bot.domain.views import canonical

LONG = 2_000  # characters from which on only the very same text is a repetition: taking disguises off takes time

Member = tuple[str, str]  # community, author
Place = tuple[str, str, str]  # community, author, channel


class Recollection:
    """Bounded by time and by number of members. Lost with the process: a flood that spans a restart counts anew."""

    def __init__(self, window: timedelta = timedelta(minutes=10), members: int = 20_000, each: int = 64) -> None:
        self._window = window
        self._members = members
        self._each = each
        self._sent: dict[Member, deque[tuple[datetime, int]]] = {}
        self._fired: dict[Member, dict[str, datetime]] = {}
        self._offences: dict[Place, deque[datetime]] = {}

    def hear(self, message: Message) -> tuple[datetime, ...]:
        """When the author sent the same text before, and remember this message."""
        member = (message.community_id, message.author.id)
        text = message.read if message.typed is None else as_read(message.typed)
        if len(text) <= LONG:
            text = canonical(text)
        sent = self._sent.pop(member, None) or deque(maxlen=self._each)
        self._sent[member] = sent  # most recently heard of last
        while sent and message.sent_at - sent[0][0] > self._window:
            sent.popleft()
        mark = hash(text)  # a long text is not kept alive for it
        repeats = tuple(moment for moment, other in sent if other == mark and moment <= message.sent_at)
        if message.kind is Kind.NEW and text:
            sent.append((message.sent_at, mark))
        _bound(self._sent, self._members)
        return repeats

    def fired(self, message: Message) -> Mapping[str, datetime]:
        """When each live rule last fired on the author."""
        return self._fired.get((message.community_id, message.author.id), {})

    def offences(self, message: Message) -> tuple[datetime, ...]:
        """When the author said something in this channel that made a rule act."""
        return tuple(self._offences.get(_place(message), ()))

    def note(self, decision: Decision, at: datetime, policy: Policy) -> None:
        """Remember which live rules fired on the author, and whether it was an offence: something was done, and not
        only because of earlier offences."""
        message = decision.message
        matched = {finding.rule for finding in decision.findings if finding.matched and finding.mode == "live"}
        for_offences = {rule.name for rule in policy.rules if rule.is_about_offences}
        if matched - for_offences and any(action.weight >= Weight.MESSAGE for action in decision.actions):
            offences = self._offences.pop(_place(message), None) or deque(maxlen=self._each)
            self._offences[_place(message)] = offences
            offences.append(message.sent_at)
            _bound(self._offences, self._members)
        member = (message.community_id, message.author.id)
        fired = self._fired.pop(member, {})
        self._fired[member] = fired | dict.fromkeys(matched, at)
        _bound(self._fired, self._members)


def _place(message: Message) -> Place:
    return (message.community_id, message.author.id, message.ref.channel_id)


def _bound(memory: dict[Any, Any], most: int) -> None:
    while len(memory) > most:
        del memory[next(iter(memory))]
