"""Our own calls -> when they may go: notices keep to Telegram's limits, moderation never waits behind them.

python-telegram-bot's limiter takes a deletion from the same bucket as chatter and lets one 429 stop every chat
(facts T45-T49), so this one knows lanes, and a 429 closes one lane of one chat. What is written shares one limit; of it
every lane has room that the others cannot use up, so that nobody keeps an urgent card away by reporting or asking.
"""

from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from adapters.chat.pacing import alone
from adapters.chat.telegram.errors import mapped
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.text.catalogue import Texts

# Below 30 s and beyond 366 d it is for ever (T28), when it arrives: requests are slow on a bad day.
SHORTEST_MUTE, LONGEST_MUTE = timedelta(seconds=60), timedelta(days=365)


class Lane(StrEnum):
    MODERATION = "moderation"  # deletions, restrictions, bans, questions about members: Telegram counts them apart
    URGENT = "urgent"  # cards and calls of what cannot wait
    CARD = "card"  # cards, their rewriting, alarms
    ANSWER = "answer"  # to moderators, and the reports that they get
    REPORT = "report"  # what members report
    NOTICE = "notice"  # to members: warnings, answers to their commands, what is restored


#: How many of a limit's calls are kept for a lane whatever the others do; the rest is for all.
KEPT_IN_ROOM = {Lane.URGENT: 3, Lane.CARD: 5, Lane.ANSWER: 4, Lane.REPORT: 1}  # of those of a minute
KEPT_IN_GROUP = {Lane.ANSWER: 4}  # nothing else is shown there to moderators
KEPT_EVERYWHERE = {Lane.URGENT: 2, Lane.CARD: 2, Lane.ANSWER: 1}  # of those of a second

#: Where several processes write in the bot's name, a chat's limit is divided by what each is there for, however many
#: they are: cards are shown by one, who acts there; answers are given by who hears there and by who reports there;
#: notices by who hears and who acts there.
PARTS_OF_ROOM = {(Lane.URGENT, Lane.CARD): 8, (Lane.ANSWER, Lane.REPORT): 4, (Lane.NOTICE,): 2}
PARTS_OF_GROUP = {(Lane.NOTICE, Lane.URGENT, Lane.CARD): 6, (Lane.ANSWER, Lane.REPORT): 4}

Taken = deque[tuple[float, Lane]]  # when, in order


@dataclass(slots=True, kw_only=True)
class Limiter:
    """A call that would have to wait longer than `patience` (seconds) is sent back with `Unavailable`, so that nobody
    queues behind it."""

    clock: Clock
    say: Texts
    is_room: Callable[[int], bool] = lambda _: True  # whether cards are shown in a chat
    per_second: int = 30  # written everywhere together
    per_minute_in_group: int = 20
    patience: float = 2.0
    among: Callable[[], int] = alone  # processes that write in the bot's name
    _everywhere: Taken = field(default_factory=deque)
    _in_group: defaultdict[int, Taken] = field(default_factory=lambda: defaultdict(deque))
    _closed: dict[tuple[int, Lane], float] = field(default_factory=dict)  # until when

    def wait(self, chat_id: int, lane: Lane, *, spare: int = 0, count: int = 1) -> float:
        """Seconds until there is room for `count` calls, and for `spare` more of that lane in that group."""
        now = self.clock.monotonic()
        at = max(now, self._closed.get((chat_id, lane), now))
        if lane is not Lane.MODERATION:
            among = self.among()
            part = max(1, self.per_second // among)
            kept_for = {lane: -(-number // among) for lane, number in KEPT_EVERYWHERE.items()}  # some for each
            at = max(at, _opening(_since(self._everywhere, now - 1), lane, kept_for, part, 1, now, count))
            if chat_id < 0:
                taken, most = _since(self._in_group[chat_id], now - 60), self.per_minute_in_group
                kept_for, parts = (
                    (KEPT_IN_ROOM, PARTS_OF_ROOM) if self.is_room(chat_id) else (KEPT_IN_GROUP, PARTS_OF_GROUP)
                )
                if among > 1:
                    lanes, part = next((lanes, part) for lanes, part in parts.items() if lane in lanes)
                    taken = [(moment, of) for moment, of in taken if of in lanes]
                    kept_for = {lane: number for lane, number in kept_for.items() if lane in lanes}
                    spare, most = -(-spare * part // most), part
                at = max(at, _opening(taken, lane, kept_for, most - spare, 60, now, count))
        return at - now

    @asynccontextmanager
    async def turn(
        self,
        chat_id: int,
        lane: Lane,
        *,
        spare: int = 0,
        count: int = 1,
        patience: float | None = None,
    ) -> AsyncIterator[None]:
        """Around one call: waits for its turn; maps errors; remembers a 429."""
        now = self.clock.monotonic()
        at = now + self.wait(chat_id, lane, spare=spare, count=count)
        if at - now > (self.patience if patience is None else patience):
            raise Unavailable("too many {lane} calls in one chat", lane=lane, retry_after=at - now)
        if lane is not Lane.MODERATION:
            for _ in range(count):
                insort(self._everywhere, (at, lane))
                if chat_id < 0:
                    insort(self._in_group[chat_id], (at, lane))
        if at > now:
            await self.clock.sleep(at - now)
        try:
            with mapped(self.say):
                yield
        except Unavailable as error:
            if error.retry_after is not None:
                self._closed[chat_id, lane] = self.clock.monotonic() + error.retry_after
            raise


def _since(taken: Taken, moment: float) -> Sequence[tuple[float, Lane]]:
    """What is older is forgotten."""
    while taken and taken[0][0] <= moment:
        taken.popleft()
    return taken


def _opening(
    taken: Sequence[tuple[float, Lane]],
    lane: Lane,
    kept_for: Mapping[Lane, int],
    most: int,
    seconds: float,
    now: float,
    count: int,
) -> float:
    """When there is room for `count` more of a lane among `most` within any `seconds`, without what is kept for other
    lanes and not used by them. Where more is asked for than a lane can ever have at once, it waits for all of that."""
    used = Counter(of for _, of in taken)
    asked = min(count, most - sum(kept_for.values()) + kept_for.get(lane, 0))
    at = now
    for moment, of in (*taken, (now, lane)):
        kept = sum(max(0, number - used[other]) for other, number in kept_for.items() if other is not lane)
        if used.total() + kept + asked <= most:
            break
        used[of] -= 1
        at = max(now, moment + seconds)
    return at
