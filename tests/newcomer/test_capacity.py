"""docs/capacity.md: what its tables and examples say follows from what was measured, and those who read them can."""

import re
import shutil
import subprocess
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import QueuePool

from adapters.systemd import EVERY
from bot.cli.run import STOPPED
from bot.config.sections import ReportSettings
from tests.newcomer.test_container import ROOT, is_ours

PAGE = (ROOT / "docs" / "capacity.md").read_text("utf-8")
MESSAGES, BUSY, HARMFUL = 500, 5, 0.005
N = 10_000  # communities of the examples
GIB = 2**30
SYSTEMD = shutil.which("systemd-analyze")


def measured(row: str) -> float:
    """The number in the row that begins so, in seconds, bytes, MiB or pieces."""
    (value,) = re.findall(rf"^\| {re.escape(row)}[^|]*\| (?:\d+–)?([\d.,]+)", PAGE, re.MULTILINE)
    return float(value.replace(",", ""))


WAY, KEEPING = measured("메시지 하나의 모든 길") / 1000, measured("PostgreSQL: 받아 두기") / 1000
ROW, INCIDENT, INDEXED = measured("메시지 하나의 기록"), measured("사건 하나") * 1000, measured("기록의 색인")
CARD, BASE = measured("H100"), measured("판정하는 프로세스의 바탕")
REPORT, OF_A_BOT = measured("보고서 한 부"), 50  # requests a second that Discord takes of one
CONNECTED, POLICIES = measured("디스코드 서버") / 1_000, measured("정책") / 100_000


def rate(n: int) -> float:
    return n * MESSAGES * BUSY / 86_400


def acting(n: int) -> float:
    """Requests a second: what is done, and its card."""
    return rate(n) * HARMFUL * 2


def disk(n: int) -> float:
    return n * MESSAGES * 7 * ROW + n * MESSAGES * HARMFUL * 365 * INCIDENT


def memory(of_communities: float) -> int:
    """MiB."""
    wanted, size = 2 * (BASE + of_communities), 1
    while size < wanted:
        size *= 2
    return size


JUDGING = ceil(rate(N) * WAY) + 1
GUARD, CHAT = memory(N * POLICIES), memory(N * CONNECTED)
PROCESSES = {"chat": 2, "guard": JUDGING, "act": ceil(acting(N) / OF_A_BOT) + 1, "report": 1}
MEMORY = {
    "chat": CHAT,
    "guard": GUARD,
    "act": GUARD,
    "report": memory(ReportSettings().workers * measured("보고서를 그리는 프로세스")),
}
INDEXES = N * MESSAGES * 7 * INDEXED / GIB


def test_the_table_says_what_is_computed() -> None:
    rows = {line.split("|")[1].strip(): line for line in PAGE.splitlines() if line.startswith("| ")}
    assert rows["붐빌 때 / when busy"].split("|")[2:5] == [f" {rate(n):,.0f}/s " for n in (100, N, 1_000_000)]
    judging, database = rows["판정 / judging"], rows["PostgreSQL"]
    for n in (N, 1_000_000):
        cores = rate(n) * WAY
        assert f" {cores:.1f}코어" in judging or f" {ceil(cores)}코어" in judging
    assert f"{JUDGING - 1}(+1)" in judging and f"H100 {ceil(rate(1_000_000) / CARD)}장(+1)" in judging
    assert [f"{acting(n):.0f}번/s" in rows["조치와 카드 / acting"] for n in (N, 1_000_000)] == [True, True]
    assert f"`--role act` {PROCESSES['act'] - 1}(+1)" in rows["조치와 카드 / acting"]
    assert f"봇 {ceil(acting(1_000_000) / OF_A_BOT)}개" in rows["조치와 카드 / acting"]
    hours = 1_000_000 * REPORT / 3600
    assert f"{N * REPORT / 60:.0f}분" in rows["보고 / reports"]
    assert f"{hours:.0f}시간: 6시간 안에 내려면 {ceil(hours / 6)}" in rows["보고 / reports"]
    assert f"{max(1, round(rate(N) * KEEPING))}코어, {disk(N) / GIB:.0f} GiB" in database
    assert f"{rate(1_000_000) * KEEPING:.0f}코어, {disk(1_000_000) / 2**40:.1f} TiB" in database


def example(begin: str) -> str:
    (found,) = re.findall(rf"```\w+\n(# {begin}.*?)```", PAGE, re.DOTALL)
    return str(found)


def limits(service: Any) -> Any:
    return service["deploy"]["resources"]["limits"]


def test_the_composition_follows() -> None:
    services = yaml.safe_load(example("compose"))["services"]
    postgres = services.pop("postgres")
    assert {name: one["deploy"]["replicas"] for name, one in services.items()} == PROCESSES
    for name, one in services.items():
        assert one["command"] == ["run", "--role", name] and is_ours(["jikimi", *one["command"]])
        memory = MEMORY[name]
        assert limits(one) == {"cpus": "1", "memory": f"{memory // 1024}g" if memory >= 1024 else f"{memory}m"}
    assert limits(postgres)["memory"] == f"{ceil(INDEXES)}g"
    assert f"shared_buffers={ceil(INDEXES) // 4}GB" in postgres["command"]
    pool = QueuePool(lambda: None)  # type: ignore[arg-type]
    each = pool.size() + pool._max_overflow
    assert f"max_connections={2 * each * sum(PROCESSES.values()) + 50}" in postgres["command"]


def test_the_deployment_follows() -> None:
    deployment = yaml.safe_load(example("Kubernetes"))
    (others,) = re.findall(r"^# Kubernetes.*: (.*)$", PAGE, re.MULTILINE)
    said = [f"jikimi-{name} {PROCESSES[name]} ({MEMORY[name] / 1024:g}Gi)" for name in ("chat", "act", "report")]
    assert others == ", ".join(said).replace("0.5Gi", "512Mi")
    spec, pod = deployment["spec"], deployment["spec"]["template"]["spec"]
    assert spec["replicas"] == JUDGING and spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 1
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert pod["terminationGracePeriodSeconds"] > STOPPED
    (container,) = pod["containers"]
    assert is_ours(["jikimi", *container["args"]])
    resources = container["resources"]
    assert resources["requests"] == {"cpu": "1", "memory": f"{GUARD}Mi"}
    assert resources["limits"]["memory"] == f"{GUARD}Mi"
    probes = [container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert [one["path"] for one in probes] == ["/readyz", "/healthz"]
    served = (ROOT / "adapters" / "http_api" / "routes.py").read_text("utf-8")
    assert all(f'Route("{one["path"]}"' in served for one in probes)


def test_the_unit_follows(tmp_path: Path) -> None:
    unit = example("systemd")
    says = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    for role, processes in PROCESSES.items():
        assert is_ours(says["ExecStart"].replace("%j", role).split())
        numbers = ",".join(str(one + 1) for one in range(processes))
        assert f"jikimi-{role}@{f'{{{numbers}}}' if processes > 1 else numbers}" in unit
    assert int(says["TimeoutStopSec"]) > STOPPED and int(says["WatchdogSec"]) > max(EVERY, STOPPED)
    assert says["TimeoutStartSec"] == "infinity", "what takes long at a start is not broken off"
    assert (says["CPUQuota"], says["MemoryMax"]) == ("100%", f"{GUARD}M")
    for role in ("chat", "report"):
        assert f"jikimi-{role}@.service (MemoryMax={MEMORY[role] // 1024}G)" in unit
    if SYSTEMD is None:
        pytest.skip("there is no systemd-analyze here")
    for role in PROCESSES:
        file = tmp_path / f"jikimi-{role}@1.service"
        file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE))
        done = subprocess.run([SYSTEMD, "--no-pager", "verify", "--man=no", file], capture_output=True, text=True)
        assert done.returncode == 0 and file.name not in done.stderr, done.stderr
