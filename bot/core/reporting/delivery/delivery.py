"""One report on its way to one community: what it is, and what came of sending it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.core.chat.message import CommunityRef
from bot.core.reporting.delivery.schedule import Kind


class State(StrEnum):
    PLANNED = "planned"
    STARTED = "started"  # from here on it may be in the chat
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"  # there is nowhere to send it
    UNCONFIRMED = "unconfirmed"  # started, then the process died or the answer was lost: not sent a second time


#: Why one is skipped that a newer one has overtaken.
OVERTAKEN = "overtaken"

#: What will not change any more.
FINAL = (State.SENT, State.FAILED, State.SKIPPED, State.UNCONFIRMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """There is one for each community, kind and period. `period` is a `Period.name`; an alert's is the
    minute, in UTC. `size` is how many messages the community has a week: the largest go first."""

    community: CommunityRef
    kind: Kind
    period: str
    due: datetime
    size: int = 0
    id: int = 0  # 0: not planned yet
    state: State = State.PLANNED
    attempts: int = 0
    planned_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    receipt: str = ""
    reason: str = ""
