"""Text as Telegram counts it (UTF-16 units) -> how long it is, as much of it as fits, and where it belongs."""

from typing import Any, NamedTuple

from telegram import ReplyParameters

from bot.core.incidents.incident import PlannedAction

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
