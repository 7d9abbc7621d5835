"""How a process is doing, in a line."""

from bot.core.operations.health import HealthSnapshot
from bot.core.text.catalogue import Texts


def in_a_line(snapshot: HealthSnapshot, say: Texts) -> str:
    parts = [
        say(
            f"health.{'heard' if one.is_up else 'not_heard'}{'' if one.communities is None else '_in'}",
            platform=say[f"{platform}.title"],
            number=one.communities or 0,
        )
        for platform, one in snapshot.connections.items()
    ]
    parts.append(say["health.guard_away" if snapshot.guard_is_away else "health.guard_answers"])
    return ", ".join(parts)
