"""Keys, health and the HTTP API."""

from asyncio import TaskGroup, to_thread
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from http.client import HTTPConnection, HTTPException

from adapters.system_clock import SystemClock
from bot.app import guards, keeping
from bot.app.chats import Reach
from bot.app.parts import Core, Stores
from bot.app.runner import Service
from bot.config import Config
from bot.config.guards import SHIPPED
from bot.config.renamed import Renamed, Split
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken
from bot.core.base.waiting import patiently
from bot.core.communities.community import Community
from bot.core.communities.former import FORMER
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Communities
from bot.core.guarding.ports import Guard, Replicated
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import GuardVersion
from bot.core.incidents.feedback import Listener
from bot.core.incidents.ports import Webhooks
from bot.core.incidents.webhooks.telling import Teller
from bot.core.incidents.webhooks.webhook import Webhook, host_of
from bot.core.moderation.rulings import Rulings
from bot.core.operations.alarm import Alarm, Sentence
from bot.core.operations.health import HealthMonitor
from bot.core.operations.news import News
from bot.core.operations.outside.pulse import Pulse
from bot.core.operations.outside.role import JUDGING, Role
from bot.core.operations.outside.standing import Standings
from bot.core.operations.ports import ApiKeys, Traces
from bot.core.reporting.ports import Deliveries
from bot.core.text.catalogue import Texts, texts
from bot.wording.health import in_a_line
from bot.wording.reasons import rule_name
from storage.database import Database
from storage.reports.deliveries import SqlDeliveries
from storage.reports.standing import SqlStandings
from storage.settings.api_keys import SqlApiKeys
from storage.settings.communities import SqlCommunities
from storage.settings.webhooks import SqlWebhooks

PATIENCE = 5.0  # seconds for a process of ours to answer


def http_api(core: Core, *, judges: bool = True) -> Service:
    """Not `judges`: only what tells how the process is doing."""
    from adapters.http_api import HttpApi

    chosen, mark = core.config.http, core.sealing.text_hash
    called = Rulings(store=core.feedback, mark=mark, clock=core.clock)
    api = HttpApi(
        desk=core.desk,
        keys=core.keys,
        webhooks=core.webhooks,
        listener=Listener(feedback=core.feedback, mark=mark, clock=core.clock),
        called=called,
        health_source=core.health_source,
        clock=core.clock,
        say=texts(core.config.defaults.language),
        listen=chosen.listen if judges else "",
        metrics_listen=chosen.metrics_listen,
        per_second=chosen.per_second,
        among=core.serving,
        deadline=chosen.deadline.total_seconds(),
    )

    async def serve() -> None:
        await patiently(called.load, core.clock)
        async with TaskGroup() as both:
            following = both.create_task(called.run())
            try:
                await api.run()
            finally:
                following.cancel()

    return serve


def beside(core: Core) -> Sequence[Service]:
    """What tells those outside how this process is doing."""
    from adapters.systemd import Systemd

    say, health = texts(core.config.defaults.language), core.health_source
    systemd = Systemd.around(lambda: in_a_line(health.snapshot(), say), core.clock)
    return (Pulse(health_source=health, clock=core.clock).run, *([systemd.run] if systemd else []))


def teller(core: Core) -> Service:
    """Communities' own servers hear of incidents; their moderators hear where one is told nothing more."""

    async def stopped(webhook: Webhook, lost: int) -> None:
        def sentence(community: Community, say: Texts) -> str:
            if community.ref != webhook.community:
                return ""
            return say("alarm.webhook_stopped", id=webhook.id, host=host_of(webhook.url), lost=lost)

        await core.alarm.tell(sentence, {webhook.community.platform})

    async def tell() -> None:
        from adapters.webhooks import WebhookCaller  # brings aiohttp with it

        async with WebhookCaller.open(core.clock) as receiver:
            await Teller(webhooks=core.webhooks, receiver=receiver, clock=core.clock, stopped=stopped).run()

    return tell


@asynccontextmanager
async def standings(config: Config) -> AsyncIterator[tuple[Standings, Database]]:
    """How things stand, beside a running process."""
    async with keeping.look(config) as database:
        yield SqlStandings(database), database


@asynccontextmanager
async def state(config: Config) -> AsyncIterator[tuple[Standings, Deliveries]]:
    async with keeping.look(config) as database:
        yield SqlStandings(database), SqlDeliveries(database)


def clock() -> Clock:
    return SystemClock()


async def figures(config: Config) -> Mapping[str, float] | None:
    """What a running process counts, by name and labels as in `jikimi_connection_up{platform="discord"}`. None: nobody
    answers, or there is nowhere to ask."""
    place = config.http.asked_at
    return None if place is None else await to_thread(_counted, *place)


def _counted(host: str, port: int) -> Mapping[str, float] | None:
    from adapters.http_api.metrics import values

    try:
        with closing(HTTPConnection(host, port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            return values(answer.read().decode("utf-8")) if answer.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None


@asynccontextmanager
async def api_keys(config: Config) -> AsyncIterator[tuple[ApiKeys, Communities]]:
    """The keys to the HTTP API, and the communities that they can speak for; beside a running process, too."""
    async with keeping.visit(config, early=True) as database:
        yield SqlApiKeys(database), SqlCommunities(database)


@asynccontextmanager
async def webhooks(config: Config) -> AsyncIterator[tuple[Webhooks, Communities]]:
    """Who is told of incidents, and the communities that they are of; beside a running process, too."""
    async with keeping.visit(config, early=True) as database:
        yield SqlWebhooks(database), SqlCommunities(database)


@asynccontextmanager
async def traces(config: Config, say: Texts) -> AsyncIterator[Traces | None]:
    """Raises `Broken` where what it takes is not installed. None: nobody wants any."""
    if not config.tracing.endpoint:
        yield None
        return
    try:
        from adapters.tracing import tracing
    except ImportError:
        raise Broken(say["run.no_tracing"]) from None
    async with tracing(config.tracing.endpoint, config.tracing.share, SystemClock()) as found:
        yield found


def health(guard: Guard, queue: GuardQueue, stores: Stores, roles: Collection[Role]) -> HealthMonitor:
    replicas = guard.replica_figures if isinstance(guard, Replicated) else tuple
    judges = not {Role.GUARD, Role.API}.isdisjoint(roles)
    return HealthMonitor(queue=queue, standings=stores.standings, judges=judges, replicas=replicas)


def changes(config: Config, guard: GuardVersion) -> dict[str, Sentence]:
    """What is otherwise since the version before: names in this configuration or in what communities have set, and the
    guard, where it is that which ships and not pinned."""
    own = {rule.name for rule in config.rules}

    def bars(community: Community, say: Texts) -> str:
        old = [name for name in community.thresholds if name in FORMER and name not in own]
        return "\n".join(say("alarm.bar_split", rule=rule_name(name, say), new=_made_of(name, say)) for name in old)

    told: dict[str, Sentence] = {one.old: partial(_told, one) for one in config.renamed}
    if guard.name == SHIPPED[0] and guard.model != config.guard.revision:
        told["guard-of-kinds"] = lambda _, say: say("alarm.guard_of_kinds", former=guards.FORMER)
    return told | {"bars-by-kind": bars}


def _told(change: Renamed | Split, _: Community, say: Texts) -> str:
    return change.told(say)


def _made_of(former: str, say: Texts) -> str:
    return ", ".join(rule_name(name, say) for name in FORMER[former])


def news(config: Config, guard: GuardVersion, stores: Stores, alarm: Alarm, clock: Clock) -> News:
    return News(
        changes=changes(config, guard),
        platforms=alarm.platforms,
        tell=alarm.tell,
        bookmarks=stores.bookmarks,
        clock=clock,
    )


def alarm(
    config: Config,
    database: Database,
    stores: Stores,
    queue: GuardQueue,
    policies: Policies,
    reach: Reach,
    clock: Clock,
) -> Alarm:
    guard = {} if JUDGING.isdisjoint(reach.roles) else {"guard": queue.answers}
    return Alarm(
        answers={**guard, "database": database.answers, "clock": database.time.agrees},
        policies=policies,
        platforms=reach.connected,
        journal=stores.journal,
        inbox=stores.inbox,
        clock=clock,
        language=config.defaults.language,
        is_stood_in_for=queue.stand_in is not None,
        after=config.defaults.alarm_after,
    )
