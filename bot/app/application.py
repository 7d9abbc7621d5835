"""A configuration, a guard and chat networks -> a running application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from adapters.expression_worker import ExpressionWorker
from adapters.system_clock import SystemClock
from bot.app.runner import Lost, Service, moderate
from bot.config import Config
from bot.core.answers.streaming import Streams
from bot.core.base.clock import Clock
from bot.core.base.waiting import Bell
from bot.core.chat.message import Author, Message, Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.policies import Policies
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.incidents.incident import Settlement
from bot.core.incidents.ports import IncidentLog
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.bots import Bots
from bot.core.moderation.enforcement import Enforcer
from bot.core.moderation.intake import Kept
from bot.core.moderation.ports import Inbox, Outbox
from bot.core.moderation.recent import Recollection
from bot.core.moderation.screening import Screener, Settled
from bot.core.moderators.desk import FrontDesk
from bot.core.moderators.ports import ChatPlatform, Desk
from bot.core.operations.alarm import Alarm
from bot.core.operations.health import VitalSigns
from bot.core.operations.ports import ApiKeys, Vitals
from bot.core.reporting.building import Editor, Reporter
from bot.core.reporting.bursts import BurstWatch
from bot.core.reporting.delivering import Courier
from bot.core.reporting.scheduling import Scheduler
from bot.core.rules.decider import Decider
from bot.core.rules.policy import Watch
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.outbox import SqlOutbox
from storage.records.bots import SqlBotRoll
from storage.records.incidents import SqlIncidentLog
from storage.records.reviews import SqlReviews
from storage.reports.chronicle import SqlChronicle
from storage.reports.deliveries import SqlDeliveries
from storage.settings.api_keys import SqlApiKeys
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities
from storage.settings.journal import SqlJournal

if TYPE_CHECKING:
    pass


from bot.app.guards import _replica_figures, _stand_in
from bot.app.reporting import _presses, _timetable

#: How far back a start looks for what members and bots did, for rules about repeated offences and cooldowns.
REMEMBERED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What chat platforms are built with: the record for their commands, the desk for their buttons."""

    config: Config
    clock: Clock
    desk: Desk
    bookmarks: Bookmarks
    inbox: Inbox
    outbox: Outbox
    incidents: IncidentLog
    reviewer: Reviewer
    policies: Policies
    queue: GuardQueue
    keys: ApiKeys
    vitals: Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Jikimi:
    """The application: its parts for those who look, `run` for those who let it work."""

    inbox: Inbox
    incidents: IncidentLog
    queue: GuardQueue
    screener: Screener
    enforcer: Enforcer
    services: Sequence[Service]
    reporter: Reporter
    platforms: Sequence[ChatPlatform]
    clock: Clock
    on_lost: Lost

    async def run(self, on_kept: Kept | None = None, stopping: asyncio.Event | None = None) -> None:
        """See `moderate`."""
        await moderate(
            platforms=self.platforms,
            inbox=self.inbox,
            screener=self.screener,
            enforcer=self.enforcer,
            services=self.services,
            clock=self.clock,
            on_kept=on_kept,
            on_lost=self.on_lost,
            stopping=stopping,
        )


@asynccontextmanager
async def application(
    config: Config,
    guard: Guard,
    connect: Callable[[Core], Sequence[ChatPlatform]],
    *,
    serve: Callable[[Core], Sequence[Service]] = lambda core: (),
    mode: Watch | None = None,
    clock: Clock | None = None,
    moment: Callable[[Message], datetime] | None = None,
    on_settled: Settled | None = None,
) -> AsyncIterator[Jikimi]:
    """Everything connected, the database open and up to date. `mode` overrides the configured one."""
    clock = clock or SystemClock()
    planned = Bell()
    async with Database.open(config.storage.url, clock) as database, AsyncExitStack() as opened:
        inbox, outbox, incidents = SqlInbox(database), SqlOutbox(database), SqlIncidentLog(database)
        journal, bookmarks = SqlJournal(database), SqlBookmarks(database)
        queue = GuardQueue(guard=guard, clock=clock, stand_in=_stand_in(config))
        communities = SqlCommunities(database)
        policies = Policies(store=communities, build=lambda community: config.policy_of(community, mode), clock=clock)
        await policies.load()
        reviewer = Reviewer(incidents=incidents, reviews=SqlReviews(database), clock=clock, planned=planned)
        bots = Bots(roll=SqlBotRoll(database))
        await bots.load()
        record, deliveries, to_deliver = SqlChronicle(database), SqlDeliveries(database), Bell()
        presses = opened.enter_context(_presses(config.report.workers))
        editor = Editor(chronicle=record, policies=policies, press=presses, clock=clock)
        decider = Decider(searcher=await opened.enter_async_context(ExpressionWorker()))
        opened.callback(decider.close)
        desk = FrontDesk(
            policies=policies,
            reviewer=reviewer,
            incidents=incidents,
            queue=queue,
            bots_seen=bots,
            editor=editor,
            decider=decider,
            schedule_of=config.schedule_of,
            clock=clock,
        )
        recollection = Recollection()
        for trace in await incidents.traces(clock.now() - REMEMBERED, each=recollection.each):
            recollection.recall(trace, policies.of_community(trace.platform, trace.community_id))
        vitals = VitalSigns(
            queue=queue,
            inbox=inbox,
            replicas=partial(_replica_figures, guard),
        )
        core = Core(
            config=config,
            clock=clock,
            desk=desk,
            bookmarks=bookmarks,
            inbox=inbox,
            outbox=outbox,
            incidents=incidents,
            reviewer=reviewer,
            policies=policies,
            queue=queue,
            keys=SqlApiKeys(database),
            vitals=vitals,
        )
        platforms = connect(core)
        connected = {platform.platform: platform for platform in platforms}
        alarm = Alarm(
            answers={"guard": queue.answers, "database": database.answers, "clock": database.agrees_on_the_time},
            policies=policies,
            platforms=connected,
            journal=journal,
            inbox=inbox,
            clock=clock,
            language=config.defaults.language,
            is_stood_in_for=queue.stand_in is not None,
            after=config.defaults.alarm_after,
        )

        bursts = BurstWatch(
            policies=policies,
            schedule_of=config.schedule_of,
            incidents=incidents,
            deliveries=deliveries,
            clock=clock,
            planned=to_deliver,
        )

        def settled(settlements: Sequence[Settlement]) -> None:
            vitals.settled(settlements)
            bursts.settled(settlements)
            if on_settled:
                on_settled(settlements)

        async def lost(platform: Platform) -> None:
            await alarm.lost(platform)
            del connected[platform]

        async def meet(message: Message) -> Author:
            platform = connected.get(message.ref.platform)
            return await platform.meet(message) if platform else message.author

        screener = Screener(
            inbox=inbox,
            queue=queue,
            policy_of=policies.of,
            clock=clock,
            arrived=Bell(),
            planned=planned,
            bots=bots,
            meet=meet,
            recollection=recollection,
            decider=decider,
            streams=Streams(
                quiet=timedelta(0) if moment else config.bots.quiet,  # what is recorded is read as fast as it can be
                longest=config.bots.longest,
                look=config.bots.look,
            ),
            moment=moment,
            on_settled=settled,
        )
        sending: tuple[Service, ...] = ()
        if connected:
            scheduler = Scheduler(
                communities=communities,
                schedule_of=config.schedule_of,
                timetable=await opened.enter_async_context(_timetable()),
                deliveries=deliveries,
                chronicle=record,
                bookmarks=bookmarks,
                clock=clock,
                planned=to_deliver,
            )
            policies.on_change = scheduler.changed
            courier = Courier(
                deliveries=deliveries,
                editor=editor,
                policies=policies,
                schedule_of=config.schedule_of,
                platforms=connected,
                clock=clock,
                planned=to_deliver,
                at_once=config.report.workers + 8,
            )
            sending = (scheduler.run, courier.run, bursts.run)
        yield Jikimi(
            inbox=inbox,
            incidents=incidents,
            queue=queue,
            screener=screener,
            enforcer=Enforcer(
                outbox=outbox,
                platforms=connected,
                clock=clock,
                planned=planned,
                on_outcome=vitals.done,
                room_of=lambda about: policies.community(about.ref.platform, about.community_id).moderators_channel,
            ),
            services=(queue.run, policies.run, alarm.run, *sending, *serve(core)),
            reporter=Reporter(inbox=inbox, incidents=incidents),
            platforms=platforms,
            clock=clock,
            on_lost=lost,
        )
