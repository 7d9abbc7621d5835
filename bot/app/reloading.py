"""The configuration that holds now: what was read again while the bot runs, as far as that can change then."""

from bot.config import Config
from bot.core.communities.community import Community
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.rules.policy import Policy, Watch

#: What everybody asks for anew: policies and schedules are made of it.
TAKEN = ("defaults", "ladder", "rules", "bots", "report")

#: What of that was handed out once, at the start.
HANDED_OUT = (
    ("defaults", "alarm_after"),
    ("bots", "quiet"),
    ("bots", "longest"),
    ("bots", "judge_every"),
    ("report", "workers"),
)


class InForce:
    def __init__(self, config: Config, mode: Watch | None) -> None:
        """`mode` overrides the configured one."""
        self._began, self._now, self._mode = config, config, mode

    def policy_of(self, community: Community | None) -> Policy:
        return self._now.policy_of(community, self._mode)

    def schedule_of(self, community: Community) -> Schedule:
        return self._now.schedule_of(community)

    def take(self, config: Config) -> list[str]:
        """Returns what is otherwise than at the start and waits for the next."""
        self._now = self._began.model_copy(update={name: getattr(config, name) for name in TAKEN})
        waiting = [
            f"[{name}]"
            for name in type(config).model_fields
            if name not in TAKEN and getattr(config, name) != getattr(self._began, name)
        ]
        waiting += [
            f"[{section}] {key}"
            for section, key in HANDED_OUT
            if getattr(getattr(config, section), key) != getattr(getattr(self._began, section), key)
        ]
        return waiting
