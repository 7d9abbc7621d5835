"""How strict the bot is, for how long it only watches, and what it listens to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from bot.core.answers.bot import Bot
from bot.core.chat.post import Advised
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.communities.former import renewed_bars
from bot.core.moderators.answer import Channel, Lines, Member, Proposal, Said, said
from bot.core.moderators.argument import AChannel, Number, OneOf, Span, Suggested
from bot.core.moderators.command import Answer, Asked, Command
from bot.core.moderators.permissions import needed
from bot.core.moderators.ports import Desk
from bot.core.reporting.what_if import WhatIf, bar_of
from bot.core.rules.ladder import REACHES

MOST_SHOWN = 20  # bots


@dataclass(frozen=True)
class Pause(Command, name="pause", right=Right.MANAGE, also=("멈춤",)):
    """Only watch for a while; off: act again at once."""

    lasting: Annotated[timedelta, Span(off=True)] = timedelta(hours=1)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        until = asked.at + self.lasting if self.lasting else None
        await asked.change(desk, lambda now: replace(now, paused_until=until))
        if until is None:
            await asked.host.tell_moderators(said("pause.told_over", by=asked.by.name, group=asked.community_name))
            return Lines.of(said("pause.over"))
        await asked.host.tell_moderators(
            said("pause.told_until", by=asked.by.name, group=asked.community_name, until=until)
        )
        return Lines.of(said("pause.until", until=until, command=type(self)))


def bars(asked: Asked, desk: Desk) -> Mapping[str, Said]:
    """The rules whose score can be moved, with where each stands."""
    known = {rule: bar_of(rule) for rule in desk.policy(asked.message("")).rules}
    return {rule.name: said("threshold.now", rule=rule, score=bar) for rule, bar in known.items() if bar is not None}


@dataclass(frozen=True)
class Threshold(Command, name="threshold", right=Right.MANAGE, group="policy"):
    """The score from which a rule matches; without a score its default again; without a rule all that can be moved."""

    rule: Annotated[str | None, Suggested(bars)] = None
    score: Annotated[float | None, Number(0.0, 1.0)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        rules = desk.policy(asked.message("")).by_name
        if self.rule is None:
            return Lines(tuple(bars(asked, desk).values()))
        if (rule := rules.get(self.rule.strip())) is None:
            return Lines.of(said("threshold.unknown", given=self.rule, names=tuple(rules)))
        if bar_of(rule) is None:
            return Lines.of(said("threshold.no_score", rule=rule))
        name, score = rule.name, self.score

        def edit(now: Community) -> Community:
            before = renewed_bars(now.thresholds, rules)
            others = {other: bar for other, bar in before.items() if other != name}
            return replace(now, thresholds=others if score is None else {**others, name: score})

        await asked.change(desk, edit)
        bar = next((bar_of(one) for one in desk.policy(asked.message("")).rules if one.name == name), None)
        return Lines.of(
            said("threshold.reset", rule=rule, score=bar) if score is None else
            said("threshold.set", rule=rule, score=score)
        )  # fmt: skip


@dataclass(frozen=True)
class PolicyWhatIf(Command, name="policy_what_if", right=Right.MANAGE, group="policy"):
    """What another threshold would have meant lately, and a button that sets it."""

    rule: Annotated[str, Suggested(bars)]
    score: Annotated[float, Number(0.0, 1.0)]

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        rules = desk.policy(asked.message("")).by_name
        if (rule := rules.get(self.rule.strip())) is None:
            return Lines.of(said("threshold.unknown", given=self.rule, names=tuple(rules)))
        if (found := await desk.what_if(asked.community, rule, self.score)) is None:
            return Lines.of(said("threshold.no_score", rule=rule))
        lines = Lines.of(said("what_if.title", rule=rule, before=found.before, after=found.after), *_told(found))
        return Proposal(lines, Advised(asked.community.id, rule.name, self.score))


def _told(found: WhatIf) -> Iterator[Said]:
    if found.more is None:
        yield said("what_if.not_counted")
    elif found.after < found.before:
        yield said("what_if.more", count=found.more)
        if found.known:
            yield said("what_if.known", count=found.known, wrong=found.known_wrong)
    else:
        yield said("what_if.fewer", count=found.fewer)
        if found.fewer:
            yield said("what_if.called", wrong=found.fewer_wrong, right=found.fewer_right)


@dataclass(frozen=True)
class Steps(Command, name="ladder", right=Right.MANAGE, group="policy"):
    """What follows when a member offends again, and how far of that the rules go by themselves."""

    reach: Annotated[str | None, OneOf(REACHES, "ladder_reach.")] = None

    @property
    def rights(self) -> frozenset[Right]:
        return needed(Right.REVIEW if self == Steps() else self.right)

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.reach:
            await asked.change(desk, lambda now: replace(now, ladder=self.reach))
        ladder = desk.policy(asked.message("")).ladder
        steps = [
            said(f"ladder.{'taken' if ladder.takes(number) else 'proposed'}", number=number, action=action)
            for number, action in enumerate(ladder.steps, 1)
        ]
        return Lines((said("ladder.title", lasting=ladder.lasting), *steps))


@dataclass(frozen=True)
class NativeFilter(Command, name="automod", right=Right.MANAGE, filters=True):
    """The network's own filter works along: only what it lets us do is switched on."""

    on: bool

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if obstacle := asked.host.obstacle_to_filter():
            return Lines.of(obstacle)
        await asked.change(desk, lambda now: replace(now, native_filter=self.on))
        return Lines(tuple(await asked.host.follow_filter()))


@dataclass(frozen=True)
class CaringWord(Command, name="care", right=Right.MANAGE):
    """Who is in despair is told in private where somebody listens, or not."""

    on: bool

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        await asked.change(desk, lambda now: replace(now, care=self.on))
        return Lines.of(said("care.is_on" if self.on else "care.is_off"))


def _bots(asked: Asked, desk: Desk) -> Mapping[str, Said]:
    """Every bot and webhook that has spoken here."""
    seen = desk.bots(asked.community)
    return {bot.id: said("bots.choice", name=bot.name or bot.id, messages=bot.messages) for bot, _ in seen}


@dataclass(frozen=True)
class Bots(Command, name="bots", right=Right.MANAGE):
    """The other bots: whether what each says is judged as answers, and where its owner is told."""

    bot: Annotated[str | None, Suggested(_bots)] = None
    judged: bool | None = None
    owner_channel: Annotated[Channel | None, AChannel(to_write=True)] = None

    async def run(self, asked: Asked, desk: Desk) -> Answer:
        if self.bot is None:
            return Lines(tuple(self._listed(asked, desk)))
        bot = self.bot.strip().removeprefix("<@").removesuffix(">").removeprefix("!")
        if not (bot.isascii() and bot.isdigit() and bot in {one.id for one, _ in desk.bots(asked.community)}):
            return Lines.of(said("bots.unknown", given=self.bot))
        if self.owner_channel and (obstacle := await asked.host.obstacle(self.owner_channel)):
            return Lines.of(obstacle)
        choice = {} if self.judged is None else {bot: self.judged}
        owner = {} if self.owner_channel is None else {bot: self.owner_channel.id}
        await asked.change(
            desk,
            lambda now: replace(now, bots={**now.bots, **choice}, bot_owners={**now.bot_owners, **owner}),
        )
        return Lines(tuple(self._listed(asked, desk)))

    def _listed(self, asked: Asked, desk: Desk) -> Iterator[Said]:
        """The other bots there, and what was chosen for each."""
        now, seen = desk.community(asked.community), desk.bots(asked.community)
        yield said("bots.title")
        yield from (_line(number, *one, now) for number, one in enumerate(seen[:MOST_SHOWN], 1))
        if not seen:
            yield said("bots.none")
        yield said("bots.how", command=type(self))


def _line(number: int, bot: Bot, judged: bool, now: Community) -> Said:
    facts: dict[str, object] = {
        "number": number, "state": said("bots.on" if judged else "bots.off"), "name": bot.name or Member(bot.id),
        "messages": bot.messages, "answers": bot.answers,
    }  # fmt: skip
    if owner := now.bot_owners.get(bot.id):
        return Said("bots.line_owned", {**facts, "channel": Channel(owner)})
    return Said("bots.line", facts)
