"""Config -> a running object graph; the only importer of adapters and storage."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.chat.rehearsal import RehearsalChat
from adapters.evaluation.recorded_outputs import PromptHarm, measure_prompt_harm, read_outputs
from adapters.expression_worker import ExpressionWorker
from adapters.guards.dialects import DIALECTS
from adapters.reports import digest_page as digest_pages
from adapters.system_clock import SystemClock
from bot.app.runner import Lost, Service, moderate
from bot.config import Config
from bot.core.answers.streaming import Streams
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.base.waiting import Bell
from bot.core.chat.message import Author, Message, Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Communities
from bot.core.evaluation.calibration import Calibration
from bot.core.evaluation.quality import Labelled
from bot.core.guarding.figures import ReplicaFigures
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Task
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
from bot.core.reporting.digest import Digest
from bot.core.reporting.periods import Period, parse
from bot.core.reporting.ports import Chronicle, Deliveries, ReportPress, Timetable
from bot.core.reporting.scheduling import Scheduler
from bot.core.rules.decider import Decider
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import Texts, texts
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.one_by_one import OneByOne
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
    from adapters.guards.embedded.phrases import TrickRate
    from adapters.guards.embedded.training import TrainingReport


#: How far back a start looks for what members and bots did, for rules about repeated offences and cooldowns.
REMEMBERED = timedelta(hours=1)

OpenGuard = AbstractAsyncContextManager[Guard]


def _embedded(config: Config) -> OpenGuard:
    from adapters.guards.embedded import EmbeddedGuard

    guard = EmbeddedGuard()
    return nullcontext(_calibrated(guard, config) if config.guard.name == "embedded" else guard)


def _stand_in(config: Config) -> Guard | None:
    """Who judges while a guard model is away. The embedded guard is never away."""
    if config.guard.name == "embedded":
        return None
    from adapters.guards.embedded import EmbeddedGuard

    return EmbeddedGuard()


@asynccontextmanager
async def _model(name: str, config: Config) -> AsyncIterator[Guard]:
    """A guard model: its dialect, spoken by the configured engine."""
    chosen, dialect = config.guard, DIALECTS[name]
    if chosen.engine == "vllm":
        from adapters.guards.vllm_engine import VllmGuard

        engine = VllmGuard(
            chosen.model or None,
            revision=chosen.revision or None,
            dialect=name,
            mode=chosen.mode if dialect.classifier and len(dialect.classifier) == 2 else "generate",
            gpu_memory_utilization=chosen.gpu_memory_utilization,
        )
        try:
            yield _calibrated(engine, config)
        finally:
            await engine.close()
        return
    from adapters.guards.vllm_server import Encoding, VllmServers

    servers = VllmServers(
        servers=chosen.servers,
        dialect=dialect,
        clock=SystemClock(),
        model=chosen.model,
        revision=chosen.revision,
        token=chosen.token.get_secret_value(),
        timeout=chosen.timeout.total_seconds(),
        encoding=Encoding.read(Path(chosen.tokenizer), dialect) if chosen.tokenizer else None,
    )
    async with servers:
        yield _calibrated(servers, config)


@asynccontextmanager
async def _cascade(config: Config) -> AsyncIterator[Guard]:
    from adapters.guards.cascade import CascadeGuard

    chosen = config.guard
    async with _embedded(config) as first, _model(chosen.second, config) as second:
        yield CascadeGuard(first, second, threshold=chosen.skip_below, sample=chosen.sample)


def _calibrated(guard: Guard, config: Config) -> Guard:
    from adapters.guards.calibrated import CalibratedGuard, read_calibration

    file = config.guard.calibration
    return CalibratedGuard(guard, read_calibration(Path(file))) if file else guard


#: Guards by name. Each brings its libraries with it only when it is wanted.
GUARDS: dict[str, Callable[[Config], OpenGuard]] = {
    "embedded": _embedded,
    "cascade": _cascade,
    **{name: partial(_model, name) for name in DIALECTS},
}


def guard(config: Config, say: Texts, name: str | None = None, *, raw: bool = False) -> OpenGuard:
    """The guard of that name, or the configured one, to be used with `async with`; `raw`: without calibration.
    Raises `Broken` where there is none of that name."""
    name = name or config.guard.name
    for wanted in (name, config.guard.second) if name == "cascade" else (name,):
        if wanted not in GUARDS:
            raise Broken(say("run.unknown_guard", name=wanted, names=", ".join(GUARDS)))
    if raw:
        config = config.model_copy(update={"guard": config.guard.model_copy(update={"calibration": ""})})
    return GUARDS[name](config)


def capabilities() -> list[dict[str, Any]]:
    """What each guard can do: one JSON-ready row a guard, the embedded one first."""
    from adapters.guards.dialects import capabilities as of_dialects
    from adapters.guards.embedded import EmbeddedGuard

    embedded = EmbeddedGuard()
    row = {
        "name": "embedded",
        "model": embedded.version.model,
        "korean": True,
        "tasks": [task.value for task in Task if task in embedded.tasks],
        "categories": {},
        "context": None,
        "window": None,
        "dialect": "",
        "classify": False,
        "forms": {},
        "unverified": [],
    }
    return [row, *of_dialects()]


def recorded_prompt_harm(path: Path) -> tuple[PromptHarm, PromptHarm]:
    """How recorded guard outputs agree with their labels: without prompts that carry both labels, and with them."""
    rows = read_outputs(path)
    return measure_prompt_harm(rows), measure_prompt_harm(rows, skip_double_labelled=False)


def _replica_figures(guard: Guard) -> Sequence[ReplicaFigures]:
    """Of every guard server, however deep it lies within the guard."""
    inner = [figures for part in getattr(guard, "within", ()) for figures in _replica_figures(part)]
    own = getattr(guard, "replica_figures", None)
    return [*inner, *own()] if own else inner


def labelled(path: Path) -> Sequence[Labelled]:
    """The rows of a file of labelled exchanges. Raises `Broken` where it is none."""
    from adapters.evaluation.labelled_data import read_labelled

    return read_labelled(path)


def evaluation_picture(path: Path, scored: Mapping[str, tuple[Sequence[bool], Sequence[float]]], say: Texts) -> None:
    """Draws the labels and scores of each named curve into a PNG file."""
    from adapters.evaluation.picture import draw

    draw(path, scored, say)


def write_calibration(calibration: Calibration, path: Path) -> None:
    from adapters.guards.calibrated import write_calibration

    write_calibration(calibration, path)


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
                look=config.bots.judge_every,
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


def clock() -> Clock:
    return SystemClock()


def http_api(core: Core) -> Service:
    from adapters.http_api import HttpApi

    chosen = core.config.http
    return HttpApi(
        desk=core.desk,
        keys=core.keys,
        vitals=core.vitals,
        clock=core.clock,
        say=texts(core.config.defaults.language),
        listen=chosen.listen,
        metrics_listen=chosen.metrics_listen,
        per_second=chosen.per_second,
        deadline=chosen.deadline.total_seconds(),
    ).run


@asynccontextmanager
async def api_keys(config: Config) -> AsyncIterator[tuple[ApiKeys, Communities]]:
    """The keys to the HTTP API, and the communities that they can speak for; beside a running process, too."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlApiKeys(database), SqlCommunities(database)


@asynccontextmanager
async def chronicle(config: Config) -> AsyncIterator[tuple[Chronicle, Communities]]:
    """What reports are made from, without anything that could act."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlChronicle(database), SqlCommunities(database)


async def made_up_year(config: Config, *, weeks: int, messages_a_week: int, incidents_a_week: int) -> None:
    """Fill an empty database with the last `weeks` of a made-up year, `made_up_week` the very last."""
    from storage.reports.made_up_year import write_year

    await write_year(
        config.storage.url,
        SystemClock(),
        weeks=weeks,
        messages_a_week=messages_a_week,
        incidents_a_week=incidents_a_week,
    )


def made_up_week() -> Period:
    from storage.reports.made_up_year import LAST_WEEK, ZONE

    return parse(LAST_WEEK, ZONE.key)


@asynccontextmanager
async def delivered(config: Config) -> AsyncIterator[Deliveries]:
    """What was sent, for people to read."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlDeliveries(database)


@contextmanager
def _presses(workers: int) -> Iterator[Callable[..., ReportPress]]:
    """Draw in processes of their own, which start with the first report."""
    from adapters.reports.workers import ReportWorkers

    drawing = ReportWorkers(report_press, workers=workers)
    try:
        yield drawing.press
    finally:
        drawing.close()


def _timetable() -> AbstractAsyncContextManager[Timetable]:
    from adapters.reports.timetable import ApschedulerAlarms

    return ApschedulerAlarms()


def no_pdf(say: Texts) -> str:
    """Why reports have no PDF here, in one sentence; "": they have one."""
    from adapters.reports.pages import no_pdf

    return no_pdf(say)


def report_press(*, unmasked: bool = False) -> ReportPress:
    from adapters.reports.pages import ReportPages

    return ReportPages(unmasked=unmasked)


def _discord(core: Core, say: Texts) -> ChatPlatform:
    from adapters.chat.discord.connection import DiscordChat

    chosen = core.config.discord
    return DiscordChat(
        chosen.token.get_secret_value(),
        desk=core.desk,
        outbox=core.outbox,
        bookmarks=core.bookmarks,
        clock=core.clock,
        say=say,
        api_url=chosen.api_url,
        gateway_url=chosen.gateway_url,
        shard_ids=chosen.shard_ids,
        shard_count=chosen.shard_count or None,
        member_names=chosen.member_names,
        inbox=core.inbox,
    )


def _telegram(core: Core, say: Texts) -> ChatPlatform:
    from adapters.chat.telegram import TelegramChat

    chosen = core.config.telegram
    return TelegramChat(
        token=chosen.token.get_secret_value(),
        desk=core.desk,
        outbox=core.outbox,
        inbox=core.inbox,
        bookmarks=core.bookmarks,
        clock=core.clock,
        say=say,
        api_url=chosen.api_url,
        webhook_url=chosen.webhook_url,
        webhook_listen=chosen.webhook_listen,
    )


#: Chat networks by name, as configured. Each brings its libraries with it only when it is wanted.
CHATS: dict[str, Callable[[Core, Texts], ChatPlatform]] = {"discord": _discord, "telegram": _telegram}


async def discord_invitation(config: Config, say: Texts) -> str:
    """The link that brings the bot into a server. Asks Discord whose token it is."""
    from adapters.chat.discord.moderators.invitation import invitation

    chosen = config.discord
    return await invitation(
        chosen.token.get_secret_value(), say, api_url=chosen.api_url, member_names=chosen.member_names
    )


def discord_needs(config: Config) -> tuple[str, ...]:
    """The permissions that the bot needs in a server, as Discord calls them."""
    from adapters.chat.discord.moderators.commands import needed

    return needed(member_names=config.discord.member_names)


async def telegram_invitation(config: Config, say: Texts) -> str:
    """The link that adds the configured bot to a group, with the rights it needs."""
    from adapters.chat.telegram.moderators.commands import invitation

    return await invitation(config.telegram.token.get_secret_value(), config.telegram.api_url, say)


def rehearsal_chat(path: str, say: Texts, clock: Clock, *, speed: float | None) -> ChatPlatform:
    return RehearsalChat(path, say, clock, speed=speed)


def digest_page(digest: Digest, say: Texts, timezone: str) -> str:
    """The digest as Markdown."""
    return digest_pages.page(digest, say, timezone)


@asynccontextmanager
async def one_by_one(config: Config) -> AsyncIterator[OneByOne]:
    """A database that is written to as a naive bot would."""
    async with Database.open(config.storage.url, SystemClock()) as database:
        yield OneByOne(database)


def train_embedded(data: Path, out: Path, progress: Callable[[str], None]) -> "TrainingReport":
    from adapters.guards.embedded.training import train

    return train(data, out, progress)


def phrase_rates() -> "list[TrickRate]":
    """What the embedded guard does with each trick of evasion and each kind of innocent look-alike."""
    from adapters.guards.embedded import EmbeddedGuard
    from adapters.guards.embedded.phrases import phrase_rates as of

    return of(EmbeddedGuard())
