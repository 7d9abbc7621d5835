"""Small domain values for tests: name what the test is about, leave the rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, get_type_hints

from bot.core.chat.message import Author, CommunityRef, Message, MessageRef, Platform
from bot.core.communities.community import Community
from bot.core.guarding.verdict import GuardVersion, Screening, Task, Verdict
from bot.core.incidents.incident import Settlement
from bot.core.operations.keys import API
from bot.core.rules.actions import Action, Means
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Reason


class Settable(Protocol):
    """A store of settings, the policies over it, or the desk."""

    async def change(
        self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str
    ) -> Community: ...


def code_of(number: int) -> str:
    """Of the case of that number in a test, as members see it."""
    return "".join("BCDFGHJKLM"[int(digit)] for digit in f"{number:010}")


NOW = datetime(2026, 5, 15, 12, tzinfo=UTC)  # where fakes.ManualClock begins
GUARD = GuardVersion(name="scripted")
DISCORD, TELEGRAM, REHEARSAL = map(Platform, ("discord", "telegram", "rehearsal"))
EVERYWHERE = (DISCORD, TELEGRAM, REHEARSAL, API)


async def put_settings(place: Settable, community: Community, by: str = "") -> None:
    """Store these settings in place of whatever there was."""
    await place.change(community.ref, lambda _: community, by=by)


def some(action: type[Action]) -> Action:
    """One of these, with some parameters."""
    samples = {timedelta: timedelta(minutes=10), str: "1/2", bool: True, Means: Means.SLOW}
    hints = get_type_hints(action)
    parameters: dict[str, Any] = {name: samples[hints[name]] for name in action.__match_args__}
    return action(**parameters)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def message(
    id: str = "1",
    text: str = "안녕하세요",
    *,
    revision: int = 0,
    channel: str = "general",
    community: str = "cafe",
    platform: Platform = REHEARSAL,
    author: str = "minji",
    sent_at: datetime = NOW,
    **more: Any,
) -> Message:
    return Message(
        ref=MessageRef(platform, channel, id, revision),
        community_id=community,
        author=Author(id=author),
        sent_at=sent_at,
        text=text,
        **more,
    )


def home(id: str = "cafe", platform: Platform = REHEARSAL) -> CommunityRef:
    """The community of `message(community=id, platform=platform)`."""
    return CommunityRef(platform, id)


def verdict(score: float = 0.0) -> Verdict:
    return Verdict.of_scores({Task.PROMPT_HARM: score}, guard=GUARD)


def decision(
    about: Message, *actions: Action, screening: Screening | None = None, incident: bool | None = None
) -> Decision:
    """With `actions` it is an incident; without, only where `incident` says so (a rule in shadow mode)."""
    matched = bool(actions) if incident is None else incident
    return Decision(
        message=about,
        screening=screening or verdict(0.9 if matched else 0.1),
        policy_version="p1",
        findings=(
            Finding("insult", matched, Explanation("score_reached" if matched else "score_below", {"bar": 0.8})),
        ),
        actions=actions,
        rule="insult" if actions else None,
        reason=Reason(ko="욕설", en="Insult") if actions else None,
        thresholds={"insult": 0.8} if matched else {},
    )


def settlement(
    about: Message, *actions: Action, decided_at: datetime = NOW, incident: bool | None = None
) -> Settlement:
    return Settlement(decision=decision(about, *actions, incident=incident), decided_at=decided_at, ms=1.5)
