"""What is different in one part of a community, or for who has one role."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from bot.core.chat.rights import Right
from bot.core.communities.community import PRESETS, Community
from bot.core.communities.overrides import MOST, Override, with_others
from bot.core.moderators.answer import Channel, Lines, Role, Said, said
from bot.core.moderators.argument import Number, OneOf, Span, Suggested
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.commands.settings import bars
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Watch

_OFF, _AS_ELSEWHERE = "off", "same"


@dataclass(frozen=True)
class SetOverride(Command, name="override", right=Right.MANAGE, group="policy"):
    """Another mode, preset or threshold in a channel, a topic or a category, or for a role; for good or for a while;
    without anything all that is different somewhere."""

    mode: Annotated[str | None, OneOf((Watch.LIVE, Watch.WATCH, _OFF, _AS_ELSEWHERE), "override_mode.")] = None
    preset: Annotated[str | None, OneOf(PRESETS, "preset.")] = None
    channel: Channel | None = None
    role: Role | None = None
    lasting: Annotated[timedelta | None, Span()] = None
    rule: Annotated[str | None, Suggested(bars)] = None
    score: Annotated[float | None, Number(0.0, 1.0)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self == SetOverride():
            return Lines(tuple(_listed(asked, desk)))
        part = Channel(asked.part) if asked.part and not (self.channel or self.role) else None
        where = [one for one in (self.channel, self.role, part) if one]
        if not where or not (self.mode or self.preset or self.rule) or (self.rule is None) is not (self.score is None):
            return Usage(type(self))
        if self.rule and self.rule.strip() not in (known := bars(asked, desk)):
            return Lines.of(said("threshold.unknown", given=self.rule, names=tuple(known)))
        is_full = False

        def edit(now: Community) -> Community:
            nonlocal is_full
            before = {one.id: now.overrides.get(one.id, Override()) for one in where}
            others = {of: one for of, one in now.overrides.items() if of not in before}
            own = {one.id: self._override(before[one.id], asked, isinstance(one, Channel)) for one in where}
            overrides = with_others(others, {} if self.mode == _AS_ELSEWHERE else own, asked.at)
            is_full = overrides is None
            return now if overrides is None else replace(now, overrides=overrides)

        await asked.change(desk, edit)
        if is_full:
            return Lines.of(said("override.full", most=MOST))
        if self.mode == _AS_ELSEWHERE:
            return Lines.of(said("override.same", where=tuple(map(_place, where))))
        now = desk.community(asked.community).overrides[where[0].id]
        return Lines.of(said("override.set", where=tuple(map(_place, where)), what=_what(now, asked, desk)))

    def _override(self, before: Override, asked: Asked, place: bool) -> Override:
        mode = before.mode if self.mode is None else Watch(self.mode) if self.mode in tuple(Watch) else None
        return Override(
            mode=mode,
            preset=self.preset or before.preset,
            off=before.off if self.mode is None else self.mode == _OFF,
            thresholds=self._thresholds(before),
            until=asked.at + self.lasting if self.lasting else None,
            place=place,
        )

    def _thresholds(self, before: Override) -> tuple[tuple[str, float], ...]:
        own = {self.rule.strip(): self.score} if self.rule and self.score is not None else {}
        return tuple(sorted({**dict(before.thresholds), **own}.items()))


def _listed(asked: Asked, desk: Desk) -> Iterator[Said]:
    overrides = desk.community(asked.community).overrides
    for of, one in sorted(overrides.items()):
        if one.until is None or asked.at < one.until:
            yield said(
                "override.line", where=_place(Channel(of) if one.place else Role(of)), what=_what(one, asked, desk)
            )
    if not overrides:
        yield said("override.none", command=SetOverride)


def _place(one: Channel | Role) -> object:
    """A topic is known by its number alone."""
    _, slash, topic = one.id.partition("/")
    return said("override.topic", number=topic) if slash else one


def _what(one: Override, asked: Asked, desk: Desk) -> tuple[Said, ...]:
    rules = desk.policy(asked.message("")).by_name
    told = [said(f"override_mode.{_OFF if one.off else one.mode}")] if one.off or one.mode else []
    told += [said(f"preset.{one.preset}")] if one.preset else []
    told += [said("override.bar", rule=rules.get(rule, rule), score=score) for rule, score in one.thresholds]
    return (*told, said("override.until", until=one.until)) if one.until else tuple(told)
