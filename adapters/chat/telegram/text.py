"""Text as Telegram counts it (UTF-16 units) -> how long it is, as much of it as fits, where it belongs, and how a group
shows what stands in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from telegram import ReplyParameters

from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.answer import Channel, Member, Role
from bot.core.moderators.command import Command
from bot.core.moderators.reading import as_typed
from bot.core.text.catalogue import Texts

LONGEST = 4096  # units in a message


def units(text: str) -> int:
    """Length as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """At most so many units."""
    if units(text) <= most:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


class Place(NamedTuple):
    """Where in a chat something stands: in a topic of a forum, or in the comments under a channel's post, which are
    written into by answering the post (T69). Both are ids of messages."""

    topic: int | None = None
    thread: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """For whatever sends a message there."""
        if self.thread is None:
            return {"message_thread_id": self.topic}
        return {"reply_parameters": ReplyParameters(self.thread, allow_sending_without_reply=True)}


def place_of(planned: PlannedAction) -> Place:
    """Where the message stood."""
    topic, thread = (planned.message.extra.get(name) for name in ("topic", "thread"))
    return Place(int(topic) if topic else None, int(thread) if thread else None)


@dataclass(frozen=True, slots=True)
class GroupManner:
    """`Manner` of a group. `names`: what those are called whom an answer knows by number only."""

    say: Texts
    timezone: str
    now: datetime
    names: Mapping[str, str]

    def labelled(self, label: str, text: str) -> str:
        return f"{label}: {text}"

    def plain(self, text: str) -> str:
        return text

    def mention(self, whom: Member | Role | Channel) -> str:
        return (whom.name if isinstance(whom, Member) else "") or self.names.get(whom.id, whom.id)

    def typed(self, command: type[Command]) -> str:
        return f"/{as_typed(command, self.say)}"
