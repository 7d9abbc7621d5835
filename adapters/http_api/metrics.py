"""The application's health and what this API has answered -> Prometheus text, collected when it is asked for."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.parser import text_string_to_metric_families

from bot.core.base.clock import Clock
from bot.core.guarding.figures import Histogram as Seconds
from bot.core.operations.health import HealthSnapshot
from bot.core.operations.outside.standing import Backlog
from bot.core.operations.ports import HealthSource

_COUNTS = {
    "asked": "Exchanges that were brought to the guard queue",
    "joined": "Exchanges that shared a judgement under way",
    "remembered": "Exchanges that were answered from memory",
    "forgotten": "Verdicts that are remembered no more",
    "judged": "Verdicts of the guard",
    "unscreened": "Exchanges that got no verdict",
    "expired": "Of those, the ones that waited for too long",
    "fresh": "Exchanges that had their turn as fresh ones",
    "backlog": "Exchanges that had their turn as a backlog",
    "turns": "Exchanges that had their turn while another community waited",
    "stood_in": "Exchanges that the embedded guard judged while the guard was away",
    "hurried": "Exchanges that the embedded guard judged because more waited than the guard could judge in time",
    "dropped": "Exchanges that nobody waited for any more",
    "cancelled": "Calls of the guard that were broken off",
    "outages": "Times that the guard went away",
    "probes": "Calls of the guard while it was away",
    "full": "Times that the last place in the queue was taken",
}


class Metrics:
    """Its own registry: what other libraries count stays out. Labels name parts and outcomes, never people or texts."""

    def __init__(self, health_source: HealthSource, clock: Clock) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside every count would double the text
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(health_source, self, clock))
        self.requests = Counter(
            "jikimi_api_requests", "Answered requests", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "jikimi_api_seconds", "From a request's head to the end of its answer", ["route"], registry=self._registry
        )
        self.backlog: Backlog | None = None  # None while the database does not answer

    def answered(self, route: str, status: int, seconds: float) -> None:
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


def values(text: str) -> dict[str, float]:
    """What `Metrics.text` says, by name and labels as they stand there. Raises ValueError."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {f"{one.name}{_written(one.labels)}": one.value for one in samples}


def _written(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


class _Collector:
    def __init__(self, health_source: HealthSource, metrics: Metrics, clock: Clock) -> None:
        self._health_source, self._metrics, self._clock = health_source, metrics, clock

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        snapshot = self._health_source.snapshot()
        yield InfoMetricFamily("jikimi", "The program", value={"version": version("jikimi")})
        yield from _queue(snapshot)
        yield from _flow(snapshot)
        yield from _backlog(self._metrics.backlog, self._clock.now())
        yield from _guard(snapshot)
        yield from _connections(snapshot)
        yield from _works(snapshot)


def _queue(snapshot: HealthSnapshot) -> Iterator[Metric]:
    figures = snapshot.queue
    for name, meaning in _COUNTS.items():
        yield CounterMetricFamily(f"jikimi_queue_{name}", meaning, value=getattr(figures, name))
    yield GaugeMetricFamily("jikimi_queue_waiting", "Exchanges that wait for the guard", value=figures.waiting)
    yield GaugeMetricFamily("jikimi_queue_most_waiting", "The most that ever waited", value=figures.most_waiting)
    yield GaugeMetricFamily("jikimi_queue_judging", "Exchanges that the guard has", value=figures.judging)
    yield GaugeMetricFamily("jikimi_queue_limit_tokens", "Tokens that the guard is given at once", value=figures.limit)
    yield GaugeMetricFamily("jikimi_queue_most_judging", "The most that it ever had", value=figures.most_judging)
    odd = CounterMetricFamily(
        "jikimi_guard_anomalies", "Answers of the guard that are odd or no verdict", labels=["what"]
    )
    for what, number in sorted(figures.anomalies.items()):
        odd.add_metric([what], number)
    yield odd
    yield _histogram("jikimi_queue_waited_seconds", "How long exchanges waited for the guard", figures.seconds_waited)
    yield _histogram("jikimi_guard_seconds", "How long the guard took for exchanges", figures.seconds_judged)


def _flow(snapshot: HealthSnapshot) -> Iterator[Metric]:
    yield CounterMetricFamily("jikimi_inbox_settled", "Messages settled", value=snapshot.flow.settled)
    yield CounterMetricFamily("jikimi_incidents", "Incidents opened", value=snapshot.flow.incidents)
    yield _histogram("jikimi_message_lag_seconds", "From sending a message to deciding about it", snapshot.flow.lag)
    if snapshot.flow.routes:
        routes = CounterMetricFamily("jikimi_cascade", "Messages by how a cascade judged them", labels=["route"])
        for route, number in sorted(snapshot.flow.routes.items()):
            routes.add_metric([route], number)
        yield routes
    actions = CounterMetricFamily("jikimi_actions", "Actions by what came of them", labels=["kind", "outcome"])
    for labels, number in sorted(snapshot.flow.actions.items()):
        actions.add_metric(labels, number)
    yield actions


def _works(snapshot: HealthSnapshot) -> Iterator[Metric]:
    held = GaugeMetricFamily("jikimi_shares_held", "Shares of the work that this process holds", labels=["work"])
    taken = CounterMetricFamily("jikimi_shares_taken", "Shares that this process has begun with", labels=["work"])
    refused = CounterMetricFamily(
        "jikimi_shares_refused", "Pieces of work that came too late: others held their share by then", labels=["work"]
    )
    for work, part in sorted(snapshot.works.items()):
        held.add_metric([work], part.held)
        taken.add_metric([work], part.taken)
        refused.add_metric([work], part.refused)
    yield from (held, taken, refused)


def _backlog(backlog: Backlog | None, now: datetime) -> Iterator[Metric]:
    yield GaugeMetricFamily("jikimi_database_up", "1 while the database takes what is written", value=bool(backlog))
    if backlog is None:
        return
    yield GaugeMetricFamily("jikimi_inbox_waiting", "Messages that are kept and not settled", value=backlog.messages)
    yield GaugeMetricFamily(
        "jikimi_inbox_oldest_seconds", "How long one waits that has waited longest", _age(backlog.messages_since, now)
    )
    yield GaugeMetricFamily("jikimi_inbox_aside", "Messages that wait for the guard to be back", value=backlog.aside)
    yield GaugeMetricFamily("jikimi_actions_open", "Actions that are decided and not done", value=backlog.actions)
    yield GaugeMetricFamily(
        "jikimi_actions_oldest_seconds", "How long one waits that has waited longest", _age(backlog.actions_since, now)
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _connections(snapshot: HealthSnapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily("jikimi_connection_up", "1 while what is said there is heard", labels=["platform"])
    communities = GaugeMetricFamily("jikimi_communities", "Servers that the bot is in", labels=["platform"])
    for platform, connection in sorted(snapshot.connections.items()):
        up.add_metric([platform], connection.is_up)
        if connection.communities is not None:
            communities.add_metric([platform], connection.communities)
    yield from (up, communities)


def _guard(snapshot: HealthSnapshot) -> Iterator[Metric]:
    guard = snapshot.guard
    facts = {"name": guard.name, "model": guard.model, "dialect": guard.dialect, "calibration": guard.calibration}
    yield InfoMetricFamily("jikimi_guard", "The guard that judges", value=facts)
    yield GaugeMetricFamily("jikimi_guard_up", "0 while the circuit is open", value=not snapshot.guard_is_away)
    if snapshot.replicas:
        labels = ["server"]
        circuit = GaugeMetricFamily("jikimi_replica_circuit", "1 for the circuit's state", labels=["server", "state"])
        outstanding = GaugeMetricFamily("jikimi_replica_outstanding", "Requests that a server has", labels=labels)
        answered = CounterMetricFamily("jikimi_replica_answered", "Requests that a server answered", labels=labels)
        failures = GaugeMetricFamily("jikimi_replica_failures", "Failures of a server in a row", labels=labels)
        for replica in snapshot.replicas:
            for state in ("closed", "open", "half_open"):
                circuit.add_metric([replica.server, state], replica.circuit == state)
            outstanding.add_metric([replica.server], replica.outstanding)
            answered.add_metric([replica.server], replica.answered)
            failures.add_metric([replica.server], replica.failures)
        yield from (circuit, outstanding, answered, failures)


def _histogram(name: str, meaning: str, seconds: Seconds) -> Metric:
    edges = [*map(str, seconds.edges), "+Inf"]
    buckets = list(zip(edges, accumulate(seconds.counts), strict=True))
    return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=seconds.total)
