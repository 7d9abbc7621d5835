"""Metrics as Prometheus reads them, and the ports they may be read at."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from adapters.guards.cascade import CascadeGuard
from adapters.guards.dialects import DIALECTS
from adapters.guards.vllm_server import VllmServers
from adapters.system_clock import SystemClock
from bot.core.base.errors import Unavailable
from bot.core.guarding.ports import replica_figures
from bot.core.guarding.verdict import Exchange, Route, Unscreened, Verdict
from bot.core.incidents.incident import PlannedAction
from bot.core.operations.health import HealthMonitor
from bot.core.rules.actions import Delete, Done, Refused
from bot.core.rules.policy import Reason
from tests.adapters.http_api.stage import free_port, stage
from tests.builders import message, settlement
from tests.fakes.guarding import ScriptedGuard
from tests.servers.waiting import until


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
            text = (await api.get("/metrics"))[1]
            read = values(text)
            assert read["jikimi_inbox_settled_total"] == 2 and read["jikimi_incidents_total"] == 1
            assert read["jikimi_actions_total{kind=delete,outcome=done}"] == 1
            assert read["jikimi_actions_total{kind=delete,outcome=refused}"] == 1
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
