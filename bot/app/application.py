"""A configuration, a guard and chat networks -> a running application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from adapters.system_clock import SystemClock
from bot.app import chats, guards, keeping, moderation, operations, reporting
from bot.app.parts import Core, Stores
from bot.app.reloading import InForce
from bot.app.runner import Lost, Service, Turn, moderate
from bot.config import Config, policy_file
from bot.core.base.clock import Clock, HeardClock
from bot.core.base.waiting import Wakeup
from bot.core.chat.meeting import Meeting
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.communities.policies import Policies
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.incidents.ports import Incidents
from bot.core.incidents.raids.watch import RaidWatch
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.enforcement import Enforcer
from bot.core.moderation.flagging import Flagging
from bot.core.moderation.intake import Kept
from bot.core.moderation.ports import Inbox
from bot.core.moderation.screening import Screener
from bot.core.moderation.settling import Settled
from bot.core.moderators.desk import CoreDesk
from bot.core.moderators.ports import ChatPlatform
from bot.core.operations.alarm import Alarm
from bot.core.operations.health import HealthMonitor
from bot.core.operations.outside.role import ACTING, Role
from bot.core.operations.sparing import Sparing
from bot.core.reporting.building import ReportBuilder, Reporter
from bot.core.rules.actions import Outcome
from bot.core.rules.ladder import Ladder
from bot.core.rules.policy import Watch
from storage.flow.bells import CHANGED, KEPT, MET, PLANNED, SETTINGS, SPARED, SqlBells
from storage.flow.leases.shares import SqlShares

#: Hears what came of an action.
Told = Callable[[PlannedAction, Outcome], None]

GUARDING = "guard"  # the work of judging messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Jikimi:
    """The application: its parts for those who look, `run` for those who let it work."""

    inbox: Inbox
    incidents: Incidents
    queue: GuardQueue
    screener: Screener
    enforcer: Enforcer
    services: Sequence[Service]
    platforms: Sequence[ChatPlatform]
    clock: Clock
    on_lost: Lost
    policies: Policies
    in_force: InForce
    health: HealthMonitor
    turn: Turn
    screens: bool

    @property
    def reporter(self) -> Reporter:
        return Reporter(inbox=self.inbox, incidents=self.incidents)

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
            turn=self.turn,
            screens=self.screens,
        )

    def reload(self, config: Config) -> Sequence[str]:
        """What policies and schedules are made of holds at once; returns what waits for the next start."""
        waiting = self.in_force.take(config)
        self.policies.rebuild()
        return waiting


@asynccontextmanager
async def application(
    config: Config, guard: Guard, connect: Callable[[Core], Sequence[ChatPlatform]], *,
    serve: Callable[[Core], Sequence[Service]] = lambda core: (), roles: Collection[Role] = tuple(Role),
    stands_by: bool = False, mode: Watch | None = None, clock: Clock | None = None,
    moment: Callable[[Message], datetime] | None = None, on_settled: Settled | None = None, on_done: Told | None = None,
) -> AsyncIterator[Jikimi]:  # fmt: skip
    """Everything connected, the database open and up to date. `mode` overrides the configured one. `stands_by` where
    another process is connected."""
    clock = clock or HeardClock(SystemClock())
    async with keeping.opened(config, clock) as database, AsyncExitStack() as opened:
        shares, bells = SqlShares(database, GUARDING), SqlBells(database)
        reach = chats.Reach(database=database, roles=roles, stands_by=stands_by, answers=bool(config.http.listen))
        stores, planned, to_deliver = Stores.over(database, shares, reach.acting), bells.bell(PLANNED), Wakeup()
        in_force = InForce(config, mode)
        scheduler = await reporting.scheduler(in_force, stores, clock, to_deliver, opened)
        policies = await _policies(stores, in_force, scheduler.changed if reporting.sends(roles) else None, clock)
        queue, probing = guards.queue(guard, config, clock)
        health = operations.health(guard, queue, stores, roles)
        judging = await moderation.judging(config, queue, policies, database, stores, opened)
        builder = reporting.builder(config, stores, policies, clock, opened)
        showing = chats.Showing(boards=reach.reached, is_ours=stores.outbox.is_ours, clock=clock)
        showing.say = bells.word(CHANGED, showing.heard) if reach.acting else None
        alarm = operations.alarm(config, database, stores, queue, policies, reach, clock)
        core = _core(config, in_force, stores, clock, planned, judging, builder, health, shares, reach, showing, alarm)
        platforms = connect(core)
        turn, raids = reach.begin(platforms, health.chats), core.desk.raids
        sending = reporting.sending(core, in_force, stores, builder, reach, to_deliver)
        sparing = Sparing(policies=policies, tell=alarm.tell_one, clock=clock, platforms=reach.connected)
        sparing.pass_on = bells.word(SPARED, sparing.heard)
        meeting = Meeting(connected=reach.connected)
        meeting.say = bells.word(MET, meeting.heard) if database.is_postgresql else None
        told = (health.settled, sparing.settled, sending.bursts.settled, raids.settled, on_settled or _nobody)
        screener = moderation.screener(
            config, judging, stores, meeting.meet, clock, bells.bell(KEPT), planned, moment=moment, told=told
        )
        memory = keeping.memory(screener, raids, reach.reached)
        acts = not ACTING.isdisjoint(roles)
        acting = moderation.acting(reach, platforms, stores, planned, clock) if acts else {}
        health.works.update({f"act/{platform}": one for platform, one in acting.items()})
        services: list[Service] = [
            bells.run, policies.run, partial(policies.listen, bells.bell(SETTINGS)), queue.run, probing, alarm.run,
            operations.news(config, guard.version, stores, alarm, clock).run, core.desk.deeds.run, raids.run,
            showing.run, sparing.run, *judging.services, *reach.services(platforms, acting), *serve(core),
            *keeping.services(config, database, stores, policies, showing.emptied, memory),
        ]  # fmt: skip
        if screens := Role.GUARD in roles:
            health.works[GUARDING] = division = await moderation.division(shares, judging, screener, stores, clock)
            services += [division.run, sending.bursts.run]
        services += await moderation.reading_rules(config, stores, policies, clock, showing.changed, opened)
        beside = [*sending.services(scheduler, roles), *([core.desk.sharing.run] if reach.hears else [])]
        services += [reach.once_begun(one) for one in beside if platforms]
        yield Jikimi(
            inbox=stores.inbox, incidents=stores.incidents, queue=queue, screener=screener, services=services,
            enforcer=moderation.enforcer(
                stores, policies, reach.reached if acts else {}, clock, planned, _both(health.done, on_done),
                showing.changed, core.desk,
            ),
            platforms=platforms, clock=clock, on_lost=_lost_to(reach, alarm), policies=policies, in_force=in_force,
            health=health, turn=turn, screens=screens,
        )  # fmt: skip


async def _policies(
    stores: Stores, in_force: InForce, changed: Callable[[CommunityRef], None] | None, clock: Clock
) -> Policies:
    policies = Policies(store=stores.communities, build=in_force.policy_of, clock=clock, on_change=changed)
    await policies.load()
    return policies


def _lost_to(reach: chats.Reach, alarm: Alarm) -> Lost:
    async def lost(platform: Platform) -> None:
        reach.lose(platform)
        await alarm.lost(platform)
        reach.connected.pop(platform, None)

    return lost


def _both(one: Told, other: Told | None) -> Told:
    def told(planned: PlannedAction, outcome: Outcome) -> None:
        one(planned, outcome)
        if other:
            other(planned, outcome)

    return told


def _nobody(settlements: Sequence[Settlement]) -> None:
    """Nobody else wants to hear."""


def _core(
    config: Config,
    in_force: InForce,
    stores: Stores,
    clock: Clock,
    planned: Wakeup,
    judging: moderation.Judging,
    builder: ReportBuilder,
    health: HealthMonitor,
    shares: SqlShares,
    reach: chats.Reach,
    showing: chats.Showing,
    alarm: Alarm,
) -> Core:
    def ladder_of(community: CommunityRef) -> Ladder:
        return judging.policies.of_community(community).ladder

    reviewer = Reviewer(
        incidents=stores.incidents, reviews=stores.reviews, clock=clock, planned=planned, on_change=showing.changed,
        ladder_of=ladder_of, mark=judging.rulings.mark,
    )  # fmt: skip
    deeds = Deeds(cases=stores.cases, clock=clock, planned=planned, ladder_of=ladder_of)
    desk = CoreDesk(
        policies=judging.policies,
        reviewer=reviewer,
        precedents=stores.precedents,
        deeds=deeds,
        raids=RaidWatch(
            raids=stores.raids, deeds=deeds, clock=clock, planned=planned, is_in_charge=lambda: 0 in shares.begun
        ),
        sharing=moderation.sharing(stores, judging.policies, deeds, reach.connected, alarm, clock),
        flagging=Flagging(flags=stores.flags, inbox=stores.inbox, clock=clock, on_change=showing.changed),
        privacy=keeping.privacy(config, shares.database),
        incidents=stores.incidents,
        queue=judging.queue,
        bots_seen=judging.bots,
        builder=builder,
        decider=judging.decider,
        rulings=judging.rulings,
        schedule_of=in_force.schedule_of,
        clock=clock,
        policy_files=policy_file,
        reads_house_rules=bool(config.house_rules.servers),
    )
    return Core(
        config=config, clock=clock, desk=desk, bookmarks=stores.bookmarks, inbox=stores.inbox,
        incidents=stores.incidents, reviewer=reviewer, policies=judging.policies, queue=judging.queue, keys=stores.keys,
        webhooks=stores.webhooks, feedback=stores.feedback, sealing=shares.database.sealing, alarm=alarm,
        health_source=health, hears=reach.hears, among=reach.among,
        serving=reach.serving,
    )  # fmt: skip
