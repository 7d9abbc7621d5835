"""Incidents that wait for a moderator, and the rules that their community has written down -> what a guard that reads
those says of them, on the card.

It is asked beside the messages' way, within a budget, and nothing is ever done because of it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable, raised
from bot.core.base.waiting import Backoff, patiently
from bot.core.chat.message import CommunityRef, Message
from bot.core.communities.community import LONGEST_RULES
from bot.core.guarding.ports import PolicyGuard
from bot.core.guarding.verdict import Exchange, Opinion, Unscreened
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import Changed, Incidents, Opinions

LONGEST_READ = 4_000  # characters of a message that are read

RECENT = timedelta(hours=1)  # what was decided before is no news
OF_A_MEMBER = 3  # incidents of one member within a day
AGAIN, TRIES = timedelta(minutes=10), 3  # of what nobody has answered

AWAY = Backoff(first=5.0, longest=600.0)

_log = structlog.get_logger(__name__)


def may_ask(*, flagged: bool, hour: int, day: int, a_day: int) -> bool:
    """Whether one more is asked of a community of which so many were within an hour and a day. A raid takes no more
    than a quarter of a day's in an hour; and a quarter of everything is kept for what members point to."""
    share = 1.0 if flagged else 0.75
    return day < a_day * share and hour < max(1.0, a_day / 4) * share


def read_of(message: Message) -> Exchange:
    """What the guard reads: of a bot's answer with what was asked."""
    text = message.text[:LONGEST_READ]
    if message.pairing is None:
        return Exchange(prompt=text, is_chat=True)
    return Exchange(prompt=None if message.prompt is None else message.prompt[:LONGEST_READ], response=text)


@dataclass(slots=True, kw_only=True)
class RulesReader:
    """`rules_of`: of every community that has any. One guard is `at_once` asked about so many; while it is away nobody
    is, and once it is broken it is over."""

    guard: PolicyGuard
    opinions: Opinions
    incidents: Incidents
    rules_of: Callable[[], Mapping[CommunityRef, str]]
    clock: Clock
    on_change: Changed | None = None
    a_day: int = 100
    at_once: int = 4
    poll: float = 5.0  # seconds
    _last: CommunityRef | None = None
    _failures: int = field(default=0, init=False)

    async def run(self) -> None:
        """Until cancelled, whatever happens: nobody waits for it."""
        while True:
            try:
                asked = await self.turn()
                self._failures = 0
            except Unavailable as error:
                self._failures += 1
                _log.warning("the guard that reads rules is away", reason=error)
                await self.clock.sleep(AWAY.after(self._failures, asked=error.retry_after))
                continue
            except Broken as error:
                _log.error("nobody reads the rules any more", reason=error)
                return
            except Exception as error:
                _log.error("an incident was not read", error=raised(error))
                asked = 0
            if not asked:
                await self.clock.sleep(self.poll)

    async def turn(self) -> int:
        """One of each community at most, those first that come behind the last; how many."""
        rules = {one: text[:LONGEST_RULES] for one, text in self.rules_of().items()}
        due = sorted(rules, key=lambda one: (one.platform, one.id))
        behind = next((place for place, one in enumerate(due) if self._last and _after(one, self._last)), 0)
        due = due[behind:] + due[:behind]
        asked = await self.opinions.ask(due, a_day=self.a_day, most=self.at_once)
        if asked:
            self._last = asked[-1][0]
        async with asyncio.TaskGroup() as under_way:
            reads = [under_way.create_task(self._read(one, id_, rules[one])) for one, id_ in asked]
        if failed := [error for read in reads if (error := read.result())]:
            raise failed[0]
        return len(asked)

    async def _read(self, community: CommunityRef, incident_id: int, rules: str) -> Exception | None:
        """What it failed of: the others go on."""
        try:
            incident = await self.incidents.get(community, incident_id)
            opinion = await self._opinion(incident, rules) if incident else None
        except Exception as error:
            return error
        answer = partial(self.opinions.answer, community, incident_id, opinion)
        if await patiently(answer, self.clock) and opinion and self.on_change:
            self.on_change(community, incident_id)
        return None

    async def _opinion(self, incident: Incident, rules: str) -> Opinion | None:
        """None where it has none to rely on."""
        exchange = read_of(incident.decision.message)
        if not (text := (exchange.response or exchange.prompt or "")).strip():
            return None
        said = await self.guard.read(exchange, rules)
        if isinstance(said, Opinion):
            said = said.checked(text, rules)
        if isinstance(said, Unscreened):
            _log.warning("no opinion", incident=incident.id, reason=said.reason)
            return None
        return said


def _after(one: CommunityRef, other: CommunityRef) -> bool:
    return (one.platform, one.id) > (other.platform, other.id)
