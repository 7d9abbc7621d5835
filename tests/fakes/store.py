"""Every store in memory, and what the death of the process leaves behind."""

from bot.core.rules.actions import Unconfirmed
from tests.fakes.answers import MemoryBotRoll
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.clock import ManualClock
from tests.fakes.communities import MemoryCommunities, MemoryJournal
from tests.fakes.incidents import MemoryFlags, MemoryIncidents, MemoryPrecedents, MemoryReviews
from tests.fakes.moderation import MemoryInbox, MemoryMemberRoll, MemoryOutbox
from tests.fakes.operations import MemoryApiKeys
from tests.fakes.record import Record
from tests.fakes.reporting import MemoryDeliveries


class MemoryStore(Record):
    """Every store over the same few dictionaries."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        super().__init__(clock)
        self.inbox = MemoryInbox(self)
        self.outbox = MemoryOutbox(self)
        self.incidents = MemoryIncidents(self)
        self.reviews = MemoryReviews(self)
        self.precedents = MemoryPrecedents(self)
        self.flagged = MemoryFlags(self)
        self.journal = MemoryJournal()
        self.bookmarks = MemoryBookmarks()
        self.keys = MemoryApiKeys()
        self.deliveries = MemoryDeliveries(self.clock)
        self.communities = MemoryCommunities(self, self.journal, self.keys, self.deliveries)
        self.bot_roll = MemoryBotRoll(self)
        self.member_roll = MemoryMemberRoll(self)

    def restart(self) -> None:
        """What the death of the process leaves behind."""
        self.leased.clear()
        self.deliveries.restart()
        self.outbox.latest = None
        self.outbox.in_hand.clear()
        for action in self.actions.values():
            if action.started and action.outcome is None:
                action.started = False
                action.outcome = None if action.planned.action.repeatable else Unconfirmed()
                self.follow(action.planned.incident_id, self.clock.now())
