"""How things are: what a community has set, what the bot lacks there, what it would do about a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from bot.core.chat.message import Message
from bot.core.chat.rights import Right
from bot.core.guarding.verdict import as_shown
from bot.core.moderators.answer import Channel, Lines, Role, Said, said
from bot.core.moderators.argument import Text
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.commands.policy import night_line
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Watch


@dataclass(frozen=True)
class Setup(Command, name="setup", right=Right.MANAGE, also=("settings",), led=True):
    """Rooms, preset, mode, language, and who is called in an emergency."""


@dataclass(frozen=True)
class Status(Command, name="status", right=Right.REVIEW):
    """What is set."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        here = asked.message("")
        return Lines(overview(desk, here, asked.community_name, has_filter=asked.host.has_native_filter))


@dataclass(frozen=True)
class Check(Command, name="check", right=Right.REVIEW):
    """What the bot may not do, where, and what will not work for that: it knows before it is refused."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return Lines(tuple(await asked.host.problems()))


@dataclass(frozen=True)
class Try(Command, name="test", right=Right.REVIEW):
    """What would be decided about a text, or a message that stands there. Nothing is kept and nothing is done."""

    text: Annotated[str | None, Text(lines=True)] = None
    target: Message | None = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        message = asked.message(self.text) if self.text else self.target
        if message is None:
            return Usage(type(self))
        decision = await desk.judge(message)
        wanted = (*decision.actions, *decision.withheld)
        watching = desk.policy(message).mode is Watch.WATCH
        harm = getattr(decision.screening, "harm", None)
        return Lines.of(
            said("tried.watching" if watching else "tried.acting", actions=wanted) if wanted else said("tried.nothing"),
            None if harm is None else said("tried.score", label="card.score", harm=f"{as_shown(harm):.2f}"),
            decision if wanted else None,
        )


def overview(desk: Desk, here: Message, name: str, *, has_filter: bool) -> tuple[Said, ...]:
    """What a community has set, line by line; its name first, where that is known. `here` stands for any message there,
    at this moment."""
    title = (said("setting.of", name=name),) if name else ()
    settings = _set(desk, here, has_filter)
    return (*title, *(said("setting.is", label=f"setting.{key}", value=value) for key, value in settings))


def _set(desk: Desk, here: Message, has_filter: bool) -> Iterator[tuple[str, object]]:
    now, policy = desk.community(here.community), desk.policy(here)
    rules = policy.by_name

    def room(channel: str | None) -> object:
        return Channel(channel) if channel else said("setting.unset")

    yield "mode", said(f"mode.{policy.mode}")
    yield "preset", said(f"preset.{now.preset or policy.preset}")
    yield "language", said(f"in_language.{now.language or policy.language}")
    yield "moderators", room(now.moderators_channel)
    yield "report", room(now.report_channel)
    yield "schedule", desk.schedule(here.community)
    yield "urgent", tuple(map(Role, now.urgent)) or said("setting.called_owner")
    exempt = (*map(Role, sorted(now.exempt_roles)), *map(Channel, sorted(now.exempt_channels)))
    yield "exempt", exempt or said("setting.none")
    bars = now.thresholds.items()
    told = tuple(said("threshold.now", rule=rules.get(rule, rule), score=score) for rule, score in bars)
    yield "thresholds", told or said("setting.none")
    if now.kinds:
        kinds = (
            said("sensitivity.line", kind=said(f"kind.{of}"), level=said(f"sensitivity.{to}"))
            for of, to in now.kinds.items()
        )
        yield "kinds", tuple(kinds)
    if now.shadow:
        yield "shadow", tuple(rules.get(rule, rule) for rule in sorted(now.shadow))
    if now.house_rules:
        yield "house_rules", said("house_rules.length", count=len(now.house_rules))
    if now.night:
        yield "night", night_line(now.night)
    if now.quiet:
        yield "quiet", said("night.hours", start=now.quiet.start, end=now.quiet.end)
    yield "ladder", said(f"ladder_reach.{policy.ladder.reach}")
    yield "care", said("setting.on" if policy.care else "setting.off")
    if now.gate:
        yield "gate", said("setting.on")
    if now.newcomers:
        yield "newcomers", said("newcomers.for", lasting=now.newcomers)
    if now.tidied:
        yield "tidied", tuple(said(f"tidied.{what}") for what in sorted(now.tidied))
    if now.blocklist:
        yield "blocklist", said(f"listing.{now.blocklist}")
    is_paused = now.paused_until and now.paused_until > here.sent_at
    yield "paused", now.paused_until if is_paused else said("setting.none")
    kept = desk.privacy.limits
    yield "kept", said("setting.kept_for", texts=kept.texts, mistakes=kept.mistakes, cases=kept.cases, left=kept.left)
    if desk.anomalies:
        yield "anomalies", said("setting.anomalies_since", count=desk.anomalies)
    if has_filter:
        yield "automod", said("setting.on" if now.native_filter else "setting.off")
