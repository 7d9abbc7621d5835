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

from bot.cli.run import STOPPED
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
CONNECTED, POLICIES = measured("디스코드 서버") / 1_000, measured("정책") / 100_000


def rate(n: int) -> float:
    return n * MESSAGES * BUSY / 86_400


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
INDEXES = N * MESSAGES * 7 * INDEXED / GIB


def test_the_table_says_what_is_computed() -> None:
    rows = {line.split("|")[1].strip(): line for line in PAGE.splitlines() if line.startswith("| ")}
    assert rows["붐빌 때 / when busy"].split("|")[2:5] == [f" {rate(n):,.0f}/s " for n in (100, N, 1_000_000)]
    judging, database = rows["판정 / judging"], rows["PostgreSQL"]
    for n in (N, 1_000_000):
        cores = rate(n) * WAY
        assert f" {cores:.1f}코어" in judging or f" {ceil(cores)}코어" in judging
    assert f"{JUDGING - 1}(+1)" in judging and f"H100 {ceil(rate(1_000_000) / CARD)}장(+1)" in judging
    assert f"{max(1, round(rate(N) * KEEPING))}코어, {disk(N) / GIB:.0f} GiB" in database
    assert f"{rate(1_000_000) * KEEPING:.0f}코어, {disk(1_000_000) / 2**40:.1f} TiB" in database


def example(begin: str) -> str:
    (found,) = re.findall(rf"```\w+\n(# {begin}.*?)```", PAGE, re.DOTALL)
    return str(found)


def limits(service: Any) -> Any:
    return service["deploy"]["resources"]["limits"]


def test_the_composition_follows() -> None:
    chat, guard, postgres = yaml.safe_load(example("compose"))["services"].values()
    assert guard["deploy"]["replicas"] == JUDGING and limits(guard) == {"cpus": "1", "memory": f"{GUARD}m"}
    assert limits(chat) == {"cpus": "1", "memory": f"{CHAT // 1024}g"}
    assert all(is_ours(["jikimi", *one["command"]]) for one in (chat, guard))
    assert limits(postgres)["memory"] == f"{ceil(INDEXES)}g"
    assert f"shared_buffers={ceil(INDEXES) // 4}GB" in postgres["command"]
    pool = QueuePool(lambda: None)  # type: ignore[arg-type]
    each = pool.size() + pool._max_overflow
    processes = chat["deploy"]["replicas"] + guard["deploy"]["replicas"]
    assert f"max_connections={2 * each * processes + 50}" in postgres["command"]


def test_the_deployment_follows() -> None:
    deployment = yaml.safe_load(example("Kubernetes"))
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
    assert is_ours(says["ExecStart"].split()) and int(says["TimeoutStopSec"]) > STOPPED
    assert (says["CPUQuota"], says["MemoryMax"]) == ("100%", f"{GUARD}M")
    assert f"{{{','.join(str(one + 1) for one in range(JUDGING))}}}" in unit
    if SYSTEMD is None:
        pytest.skip("there is no systemd-analyze here")
    file = tmp_path / "jikimi-guard@1.service"
    file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE))
    done = subprocess.run([SYSTEMD, "--no-pager", "verify", "--man=no", file], capture_output=True, text=True)
    assert done.returncode == 0 and file.name not in done.stderr, done.stderr
