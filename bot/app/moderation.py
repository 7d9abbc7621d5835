"""Stores, a guard queue and policies -> the stages of a message's way."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from adapters.expression_worker import ExpressionWorker
from bot.app import guards
from bot.app.chats import Reach
from bot.app.parts import Stores
from bot.app.runner import Service
from bot.config import Config
from bot.core.answers.streaming import Streams
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, raised
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.communities.policies import Policies
from bot.core.communities.sharing import Shared
from bot.core.guarding.queue import GuardQueue
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.sharing import Sharing
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.incidents.opinions import RulesReader
from bot.core.incidents.ports import Changed
from bot.core.moderation.bots import Bots
from bot.core.moderation.enforcement import Enforcer
from bot.core.moderation.members import Members
from bot.core.moderation.recent import WINDOW, RecentActivity
from bot.core.moderation.rulings import Rulings
from bot.core.moderation.screening import Meet, Screener
from bot.core.moderation.settling import Settled
from bot.core.moderation.trial import Trial
from bot.core.moderators.ports import ChatPlatform, Desk
from bot.core.operations.alarm import Alarm
from bot.core.operations.division import Division
from bot.core.rules.actions import Outcome
from bot.core.rules.decider import Decider
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.flow.leases.shares import SqlShares

#: How far back a start looks for what members and bots did, for rules about repeated offences and cooldowns.
REMEMBERED = timedelta(hours=1)
TRACES = 20_000  # at most: a start takes no longer after a raid

#: Messages that may wait for a guard on trial, and that it is given at once: the guard in office shares its processors.
TRIED, TRIED_AT_ONCE = 1_000, 8

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What decides about a message: shared by those who screen and by moderators who only ask."""

    queue: GuardQueue
    policies: Policies
    bots: Bots
    decider: Decider
    recent: RecentActivity
    rulings: Rulings
    trial: Trial | None

    @property
    def services(self) -> Sequence[Service]:
        return (self.rulings.run, *((self.trial.run,) if self.trial else ()))


async def judging(
    config: Config, queue: GuardQueue, policies: Policies, database: Database, stores: Stores, opened: AsyncExitStack
) -> Judging:
    """That a guard on trial cannot be had stops nobody."""
    bots = Bots(roll=stores.bots)
    await bots.load()
    decider = Decider(searcher=await opened.enter_async_context(ExpressionWorker()))
    opened.callback(decider.close)
    rulings = Rulings(
        store=stores.precedents, mark=database.sealing.text_hash, clock=database.clock,
        partners=lambda community: policies.partners(community, Shared.PRECEDENTS),
    )  # fmt: skip
    await rulings.load()
    try:
        trial = await _trial(tried, queue, decider, stores, opened) if (tried := config.on_trial) else None
    except Exception as error:
        _log.error("the guard on trial cannot be had", error=error if isinstance(error, Broken) else raised(error))
        trial = None
    recent = RecentActivity()
    return Judging(
        rulings=rulings, queue=queue, policies=policies, bots=bots, decider=decider, recent=recent, trial=trial
    )


async def _trial(config: Config, queue: GuardQueue, decider: Decider, stores: Stores, opened: AsyncExitStack) -> Trial:
    """Beside the guard in office. Raises whatever is wrong with the guard on trial."""
    guard = await opened.enter_async_context(guards.guard(config, texts(config.defaults.language)))
    judge, _ = guards.judges(guard, config)
    tried = GuardQueue(guard=judge, clock=queue.clock, batch=TRIED_AT_ONCE, capacity=TRIED, remember=TRIED)
    return Trial(queue=tried, present=queue, decider=decider, trials=stores.trials, clock=queue.clock)


async def division(shares: SqlShares, judging: Judging, screener: Screener, stores: Stores, clock: Clock) -> Division:
    """Whole communities are one process's: what it remembers of them is read back when it begins with them, and
    forgotten when another goes on."""
    recent = judging.recent

    async def begin(taken: Collection[int]) -> None:
        now = clock.now()
        lately = max(WINDOW, screener.campaigns.window)
        recent.go_on_from(await stores.members.said_since(now - lately, taken), until=now + lately)
        await judging.bots.load(taken)
        since, each = now - REMEMBERED, recent.each
        for trace in await stores.incidents.traces(since, each=each, most=TRACES, shares=taken):
            recent.recall(trace, judging.policies.of_community(trace.community))
        screener.arrived.nudge()

    async def end(over: Collection[int]) -> None:
        gone = await shares.communities(over)
        recent.leave(gone)
        screener.campaigns.leave(gone)
        screener.streams.leave(gone)
        if screener.members:
            screener.members.leave(gone)
        await stores.inbox.give_back(over)

    own = Division(shares=shares, clock=clock, begin=begin, end=end, under_way=stores.inbox.under_way)
    await own.follow()
    return own


def acting(
    reach: Reach, platforms: Sequence[ChatPlatform], stores: Stores, planned: Wakeup, clock: Clock
) -> Mapping[Platform, Division]:
    """Whole communities are one process's: so are the limits that networks set in each, and what its cards say."""

    def division(platform: Platform, shares: SqlShares) -> Division:
        async def begin(taken: Collection[int]) -> None:
            if taken and (chat := reach.reached.get(platform)):
                chat.taken_over()
            planned.nudge()

        async def end(over: Collection[int]) -> None:
            """What is in hand is this process's until it is done."""

        under_way = partial(stores.outbox.under_way, platform)
        return Division(shares=shares, clock=clock, begin=begin, end=end, under_way=under_way)

    here = [one.platform for one in platforms if one.platform in reach.acting]
    return {platform: division(platform, reach.acting[platform]) for platform in here}


def screener(
    config: Config,
    judging: Judging,
    stores: Stores,
    meet: Meet,
    clock: Clock,
    arrived: Wakeup,
    planned: Wakeup,
    *,
    moment: Callable[[Message], datetime] | None,
    told: Sequence[Settled],
) -> Screener:
    def settled(settlements: Sequence[Settlement]) -> None:
        for tell in told:
            tell(settlements)

    return Screener(
        inbox=stores.inbox,
        queue=judging.queue,
        policy_of=judging.policies.of,
        clock=clock,
        arrived=arrived,
        planned=planned,
        bots=judging.bots,
        meet=meet,
        members=Members(roll=stores.members),
        recent=judging.recent,
        rulings=judging.rulings,
        trial=judging.trial,
        decider=judging.decider,
        streams=Streams(
            quiet=timedelta(0) if moment else config.bots.quiet,  # what is recorded is read as fast as it can be
            longest=config.bots.longest,
            look=config.bots.judge_every,
        ),
        moment=moment,
        on_settled=settled,
    )


async def reading_rules(
    config: Config, stores: Stores, policies: Policies, clock: Clock, changed: Changed, opened: AsyncExitStack
) -> Sequence[Service]:
    """What waits for moderators is read by their community's rules, where a guard is there for that. Raises `Broken`
    where it is configured wrongly."""
    if not config.house_rules.servers:
        return ()
    guard, usual = await opened.enter_async_context(guards.rules_reader(config)), guards.house_rules(config)

    def rules_of() -> Mapping[CommunityRef, str]:
        there = (one for one in policies.communities() if one.left_at is None)
        return {one.ref: rules for one in there if (rules := one.house_rules or usual)}

    reader = RulesReader(
        guard=guard,
        opinions=stores.opinions,
        incidents=stores.incidents,
        rules_of=rules_of,
        clock=clock,
        on_change=changed,
        a_day=config.house_rules.a_day,
    )
    return (reader.run,)


def enforcer(
    stores: Stores,
    policies: Policies,
    connected: Mapping[Platform, ChatPlatform],
    clock: Clock,
    planned: Wakeup,
    told: Callable[[PlannedAction, Outcome], None],
    changed: Changed,
    desk: Desk,
) -> Enforcer:
    return Enforcer(
        outbox=stores.outbox,
        platforms=connected,
        clock=clock,
        planned=planned,
        on_outcome=told,
        on_change=changed,
        room_of=lambda about: policies.community(about.community).moderators_channel,
        shown_with=desk.raids.shows,
    )


def sharing(
    stores: Stores,
    policies: Policies,
    deeds: Deeds,
    connected: Mapping[Platform, ChatPlatform],
    alarm: Alarm,
    clock: Clock,
) -> Sharing:
    return Sharing(
        policies=policies,
        bans=stores.shared_bans,
        links=stores.links,
        deeds=deeds,
        owners=connected,
        tell=alarm.tell_one,
        clock=clock,
    )
