"""Text as Telegram counts it (UTF-16 units) -> how long it is, as much of it as fits, and where it belongs."""

from bot.domain.incident import PlannedAction

LONGEST = 4096  # units in a message


def units(text: str) -> int:
    """Length as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """At most so many units."""
    if units(text) <= most:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def topic_of(planned: PlannedAction) -> int | None:
    """The forum topic in which the message stood."""
    topic = planned.message.extra.get("topic")
    return int(topic) if topic else None
