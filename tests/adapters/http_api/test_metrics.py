"""Metrics as Prometheus reads them, and the ports they may be read at."""

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import yaml
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from adapters.guards.composed.cascade import CascadeGuard
from adapters.guards.dialects import DIALECTS
from adapters.guards.vllm_server import VllmServers
from adapters.http_api.metrics import Metrics
from adapters.system_clock import SystemClock
from bot.core.base.errors import Unavailable
from bot.core.chat.ports import Connection
from bot.core.guarding.figures import QueueFigures, ReplicaFigures
from bot.core.guarding.ports import replica_figures
from bot.core.guarding.verdict import Exchange, Route, Unscreened, Verdict
from bot.core.incidents.incident import PlannedAction
from bot.core.operations.health import FlowFigures, HealthMonitor, HealthSnapshot
from bot.core.operations.outside.standing import Backlog, Standings
from bot.core.rules.actions import NO_ROOM, Delete, Done, Refused
from bot.core.rules.policy import Reason
from tests.adapters.http_api.stage import free_port, stage
from tests.builders import DISCORD, message, settlement
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.waiting import until

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"


def values(text: str) -> dict[str, float]:
    """By name and labels, as they stand in the text."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_every_figure_is_there_and_nobodys_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = ScriptedGuard()
        async with stage(tmp_path, guard, deadline="1s") as api:
            for _ in range(3):
                await api.check("비밀 이야기")
            guard.answers["이상한 말"] = Unscreened("the answer does not parse", guard.version)
            await api.check("이상한 말")
            await api.post("/v1/check", b"{")
            await api.post("/nowhere/비밀", {})
            guard.trouble = Unavailable("restarting")
            await api.check("다른 말")
            answer, text = await api.get("/metrics")
            assert answer.headers["Content-Type"].startswith("text/plain")
            read = values(text)
            assert read["jikimi_queue_asked_total"] == 5 and read["jikimi_queue_remembered_total"] == 2
            assert read["jikimi_queue_judged_total"] == 1 and read["jikimi_queue_outages_total"] == 1
            assert read["jikimi_guard_anomalies_total{what=the answer does not parse}"] == 1
            assert read["jikimi_guard_up"] == 0 and read["jikimi_database_up"] == 1
            assert read["jikimi_queue_waited_seconds_count"] >= 2 and read["jikimi_guard_seconds_count"] >= 1
            assert read["jikimi_inbox_waiting"] == 0
            assert read["jikimi_api_requests_total{route=/v1/check,status=200}"] == 3
            assert read["jikimi_api_requests_total{route=/v1/check,status=400}"] == 1
            assert read["jikimi_api_requests_total{route=/v1/check,status=503}"] == 1
            assert read["jikimi_api_requests_total{route=other,status=404}"] == 1
            assert read["jikimi_api_seconds_count{route=/v1/check}"] == 6
            for name in ("joined", "unscreened", "dropped"):
                assert f"jikimi_queue_{name}_total" in read
            assert {"jikimi_queue_waiting", "jikimi_queue_judging"} <= read.keys()
            for secret in ("비밀", "nowhere", "a1", "100"):
                assert f'"{secret}' not in text
            guard.trouble = None
            await until(lambda: not api.core.queue.is_away)
            assert values((await api.get("/metrics"))[1])["jikimi_guard_up"] == 1

    asyncio.run(scenario())


def test_flow_cascade_and_replicas(tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = VllmServers(
            servers=["http://user:password@127.0.0.1:9/v1"], dialect=DIALECTS["wildguard-ko"], clock=SystemClock()
        )
        guard = CascadeGuard(ScriptedGuard(), servers, threshold=0.5, sample=0.0)
        async with servers, stage(tmp_path, guard, deadline="1s") as api:
            assert await guard.judge([Exchange(prompt="무해한 말", is_chat=True)])
            health_source = api.core.health_source
            assert isinstance(health_source, HealthMonitor)
            harmless = settlement(message("1"))
            skipped = replace(harmless.decision, screening=Verdict(guard=guard.version, route=Route.SKIPPED))
            health_source.settled([replace(harmless, decision=skipped), settlement(message("2"), Delete())])
            planned = PlannedAction(
                id=1, incident_id=1, action=Delete(), message=message(), rule="", reason=Reason(ko="", en=""),
                language="ko",
            )  # fmt: skip
            health_source.done(planned, Done())
            health_source.done(planned, Refused("no permission"))
            health_source.done(planned, Refused(NO_ROOM))
            text = (await api.get("/metrics"))[1]
            read = values(text)
            assert read["jikimi_inbox_settled_total"] == 2 and read["jikimi_incidents_total"] == 1
            assert read["jikimi_actions_total{kind=delete,outcome=done}"] == 1
            assert read["jikimi_actions_total{kind=delete,outcome=refused}"] == 1
            assert read["jikimi_actions_total{kind=delete,outcome=no_room}"] == 1, "no right of the bot is missing"
            assert read["jikimi_cascade_total{route=skipped}"] == 1
            assert read["jikimi_replica_circuit{server=127.0.0.1:9,state=closed}"] == 1
            assert "password" not in text

    asyncio.run(scenario())


def test_a_replicas_circuit_is_seen_to_open() -> None:
    async def scenario() -> None:
        servers = VllmServers(servers=["http://127.0.0.1:9"], dialect=DIALECTS["wildguard-ko"], clock=SystemClock())
        async with servers:
            for replica in servers._replicas._replicas:
                replica.open_until = servers.clock.monotonic() + timedelta(hours=1).total_seconds()
            assert [figures.circuit for figures in replica_figures([servers])] == ["open"]

    asyncio.run(scenario())


def test_metrics_can_have_a_port_of_their_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with stage(tmp_path, metrics_listen=f"127.0.0.1:{port}") as api:
            assert (await api.get("/metrics"))[0].status == 404
            async with ClientSession(f"http://127.0.0.1:{port}") as private:
                async with private.get("/metrics") as answer:
                    assert answer.status == 200 and "jikimi_guard_up" in await answer.text()
                async with private.get("/readyz") as answer:
                    assert answer.status == 200
                async with private.post("/v1/check", json={}) as answer:
                    assert answer.status == 404

    asyncio.run(scenario())


def told() -> dict[str, set[str]]:
    """Every sample that there can be -> its labels."""
    replica = ReplicaFigures(server="a:1", circuit="open", outstanding=0, limit=1, answered=0, failures=0)
    flow = FlowFigures(routes=Counter({Route.SKIPPED: 1}), actions=Counter({("delete", "done"): 1}))
    snapshot = HealthSnapshot(
        guard=ScriptedGuard().version,
        guard_is_away=False,
        has_room=True,
        queue=QueueFigures(anomalies=Counter(["no verdict"])),
        flow=flow,
        replicas=[replica],
        connections={DISCORD: Connection(is_up=True, communities=3)},
    )
    metrics = Metrics(Still(snapshot), ManualClock())
    metrics.backlog = Backlog()
    metrics.answered("/v1/check", 200, 0.1)
    families = text_string_to_metric_families(metrics.text().decode())
    samples = [sample for family in families for sample in family.samples]
    names = {sample.name for sample in samples}
    return {name: {label for one in samples if one.name == name for label in one.labels} for name in names}


@dataclass(frozen=True)
class Still:
    """A process in which nothing happens."""

    at: HealthSnapshot

    @property
    def standings(self) -> Standings:
        raise AssertionError("nobody is asked")

    async def guard_answers(self) -> bool:
        raise AssertionError("nobody is asked")

    def snapshot(self) -> HealthSnapshot:
        return self.at


def asked_for() -> dict[str, str]:
    """Every expression of a dashboard or an alert, by what it is for."""
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]
    panels = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))["panels"]
    of_panels = {f"{panel['title']} {one['refId']}": one["expr"] for panel in panels for one in panel["targets"]}
    return {rule["alert"]: rule["expr"] for rule in group["rules"]} | of_panels


def test_what_dashboards_and_alerts_ask_for_is_there() -> None:
    there = told()
    for what, expression in asked_for().items():
        assert expression.count("(") == expression.count(")"), what
        asked = re.findall(r"(jikimi\w*)(?:\{([^}]*)\})?", expression)
        assert asked, what
        for name, chosen in asked:
            assert name in there, f"{what}: there is no {name}"
            assert set(re.findall(r"(\w+)=", chosen)) <= there[name], what
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouped.split(", ")) <= set().union(*(there[name] for name, _ in asked)), what


def test_a_counter_is_called_in_documents_as_it_is_answered() -> None:
    """Whoever looks for the name finds it: a counter ends in _total."""
    source = (ROOT / "adapters" / "http_api" / "metrics.py").read_text("utf-8")
    counters = set(re.findall(r'CounterMetricFamily\(\s*"(jikimi\w+)"', source))
    pages = [*ROOT.glob("docs/*/*.md"), *ROOT.glob("bot/wording/*/*.toml"), ROOT / "CHANGELOG.md"]
    written = {name for page in pages for name in re.findall(r"jikimi_\w+", page.read_text("utf-8"))}
    assert "jikimi_shares_taken" in counters and not counters & written


def test_every_alert_says_in_both_languages_what_is_amiss_and_where_to_look() -> None:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]:
        korean, _, english = rule["annotations"]["summary"].partition(" / ")
        assert re.search("[가-힣]", korean) and english, rule["alert"]
        assert rule["annotations"]["look"].startswith("jikimi ") and rule["labels"]["severity"], rule["alert"]


def test_labels_are_names_of_parts_and_few() -> None:
    labels = set().union(*told().values())
    parts = {"platform", "server", "state", "kind", "outcome", "route", "status", "what", "le"}
    assert labels == parts | {"version", "name", "model", "dialect", "calibration"}
