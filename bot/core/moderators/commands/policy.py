"""How strict the rules are with each kind of harm, which of them only watch, and what is different at night."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias

from bot.core.chat.rights import Right
from bot.core.communities.community import IGNORED, LONGEST_RULES, PRESETS, Community
from bot.core.communities.hours import Hours, Night
from bot.core.guarding.kinds import HarmKind
from bot.core.moderators.answer import Lines, Said, said
from bot.core.moderators.argument import Number, OneOf, Suggested, Switch, Text
from bot.core.moderators.command import Answer, Asked, Command, Usage
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Mode, Rule, Watch

_AS_ELSEWHERE = "same"
PRECEDENTS_SHOWN = 20
MOST_SHOWN = 1_800  # characters of what is written down in an answer

Hour: TypeAlias = Annotated[int | None, Number(0, 23)]


@dataclass(frozen=True)
class Sensitivity(Command, name="sensitivity", right=Right.MANAGE, group="policy"):
    """Of which preset the rules about one kind of harm are; without anything, what was chosen."""

    kind: Annotated[str | None, OneOf(tuple(HarmKind), "kind.")] = None
    level: Annotated[str | None, OneOf((*PRESETS, IGNORED, _AS_ELSEWHERE), "sensitivity.")] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        kind, level = self.kind, self.level
        if kind is None:
            return Lines(tuple(self._listed(asked, desk)))
        if level is None:
            return Usage(type(self))

        def edit(now: Community) -> Community:
            others = {one: of for one, of in now.kinds.items() if one != kind}
            return replace(now, kinds=others if level == _AS_ELSEWHERE else {**others, kind: level})

        await asked.change(desk, edit)
        return Lines.of(said("sensitivity.set", kind=said(f"kind.{kind}"), level=said(f"sensitivity.{level}")))

    def _listed(self, asked: Asked, desk: Desk) -> Iterator[Said]:
        chosen = desk.community(asked.community).kinds
        for kind, level in sorted(chosen.items()):
            yield said("sensitivity.line", kind=said(f"kind.{kind}"), level=said(f"sensitivity.{level}"))
        if not chosen:
            yield said("sensitivity.none", command=Sensitivity)


def _rules(asked: Asked, desk: Desk) -> Mapping[str, Said]:
    """Every rule, by what it does now."""
    rules = desk.policy(asked.message("")).rules
    return {rule.name: said(f"shadow.{rule.mode}", rule=rule) for rule in rules}


@dataclass(frozen=True)
class Shadow(Command, name="shadow", right=Right.MANAGE, group="policy"):
    """A rule is only recorded, or acts again; without one all that are."""

    rule: Annotated[str | None, Suggested(_rules)] = None
    on: bool = True

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        rules = desk.policy(asked.message("")).by_name
        if self.rule is None:
            return Lines(tuple(self._listed(rules.values())))
        if (rule := rules.get(self.rule.strip())) is None:
            return Lines.of(said("threshold.unknown", given=self.rule, names=tuple(rules)))
        name = frozenset({rule.name})
        await asked.change(desk, lambda now: replace(now, shadow=now.shadow | name if self.on else now.shadow - name))
        return Lines.of(said("shadow.on" if self.on else "shadow.off", rule=rule))

    def _listed(self, rules: Iterable[Rule]) -> Iterator[Said]:
        quiet = [rule for rule in rules if rule.mode is Mode.SHADOW]
        yield from (said("shadow.shadow", rule=rule) for rule in quiet)
        if not quiet:
            yield said("shadow.none")


@dataclass(frozen=True)
class Trial(Command, name="trial", right=Right.MANAGE, group="policy"):
    """What guards on trial would have found in the last 30 days."""

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        return Lines(tuple(await desk.trials(asked.community)) or (said("trial.none"),))


@dataclass(frozen=True)
class NightMode(Command, name="night", right=Right.MANAGE, group="policy"):
    """Between two hours the rules are others; off: as by day; without anything how it is."""

    start: Hour = None
    end: Hour = None
    preset: Annotated[str | None, OneOf(PRESETS, "preset.")] = None
    mode: Annotated[str | None, OneOf((Watch.LIVE, Watch.WATCH), "override_mode.")] = None
    on: Annotated[bool | None, Switch()] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        hours = _hours(self.start, self.end)
        mode = Watch(self.mode) if self.mode else None
        if self.on is False:
            await asked.change(desk, lambda now: replace(now, night=None))
        elif hours and (self.preset or mode):
            chosen = Night(hours=hours, preset=self.preset, mode=mode)
            await asked.change(desk, lambda now: replace(now, night=chosen))
        elif self != NightMode():
            return Usage(type(self))
        night = desk.community(asked.community).night
        return Lines.of(night_line(night) if night else said("night.none", command=NightMode))


@dataclass(frozen=True)
class HouseRules(Command, name="house_rules", right=Right.MANAGE, group="policy"):
    """What the community has told its members, for a guard that reads it; `off`: forget it, `show`: how it reads."""

    text: Annotated[str | None, Text(lines=True)] = None
    off: Annotated[bool, Switch(by_name=True)] = False
    show: Annotated[bool, Switch(by_name=True)] = False

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        given = (self.text or "").strip()
        if self.off:
            await asked.change(desk, lambda now: replace(now, house_rules=""))
            return Lines.of(said("house_rules.gone"))
        if len(given) > LONGEST_RULES:
            return Lines.of(said("house_rules.long", most=LONGEST_RULES, count=len(given)))
        if given and not self.show:
            await asked.change(desk, lambda now: replace(now, house_rules=given))
            nobody = None if desk.reads_house_rules else said("house_rules.nobody")
            return Lines.of(said("house_rules.set", count=len(given)), nobody)
        if not (rules := desk.community(asked.community).house_rules):
            return Lines.of(said("house_rules.none", command=HouseRules))
        return Lines.of(said("house_rules.are", rules=rules if len(rules) <= MOST_SHOWN else rules[:MOST_SHOWN] + "…"))


@dataclass(frozen=True)
class QuietHours(Command, name="quiet", right=Right.MANAGE, group="policy"):
    """Between two hours cards make no sound, unless they call somebody; off: they do; without anything how it is."""

    start: Hour = None
    end: Hour = None
    on: Annotated[bool | None, Switch()] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        hours = _hours(self.start, self.end)
        if self.on is False:
            await asked.change(desk, lambda now: replace(now, quiet=None))
        elif hours:
            await asked.change(desk, lambda now: replace(now, quiet=hours))
        elif self != QuietHours():
            return Usage(type(self))
        quiet = desk.community(asked.community).quiet
        if quiet is None:
            return Lines.of(said("quiet.none", command=QuietHours))
        return Lines.of(said("quiet.set", start=quiet.start, end=quiet.end))


def night_line(night: Night) -> Said:
    what = [said(f"preset.{night.preset}")] if night.preset else []
    what += [said(f"override_mode.{night.mode}")] if night.mode else []
    return said("night.set", start=night.hours.start, end=night.hours.end, what=tuple(what))


def _hours(start: int | None, end: int | None) -> Hours | None:
    return None if start is None or end is None or start == end else Hours(start=start, end=end)


@dataclass(frozen=True)
class Precedents(Command, name="precedents", right=Right.MANAGE, group="policy"):
    """What is left alone, or acted on, because of what moderators have called of the same before; with a number, that
    incident is no precedent any more."""

    incident: Annotated[int | None, Number(1, 2**53 - 1)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.incident is not None:
            gone = await desk.precedents.withdraw(asked.community, self.incident)
            return Lines.of(said("precedents.withdrawn" if gone else "precedents.unknown", incident=self.incident))
        held = await desk.precedents.of(asked.community)
        if not held:
            return Lines.of(said("precedents.none"))
        lines = [
            said(
                f"precedents.{one.ruling}",
                incident=one.case,
                rules=", ".join(sorted(one.rules)),
                until=one.until,
            )
            for one in held[:PRECEDENTS_SHOWN]
        ]
        return Lines((said("precedents.title", count=len(held)), *lines, said("precedents.how", command=type(self))))
