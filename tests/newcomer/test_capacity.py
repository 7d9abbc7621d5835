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

from bot.app.chats import NETWORKS
from bot.cli.run import STOPPED
from bot.config import load, token_variable
from bot.config.loading import METRICS_LISTEN
from bot.config.sections import ReportSettings
from bot.core.text.catalogue import texts
from tests.newcomer.test_container import CONFIG, DEPLOY, ROOT, composed, is_ours
from tests.newcomer.test_service import EXPOSED

PAGE = (ROOT / "docs" / "capacity.md").read_text("utf-8")
MESSAGES, BUSY, HARMFUL = 500, 5, 0.005
N = 10_000  # communities of the examples
GIB = 2**30
SYSTEMD, SYSTEMCTL = shutil.which("systemd-analyze"), shutil.which("systemctl")


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


def starts(words: list[str], role: str) -> None:
    """As the program takes it: in its role, with the configuration that is mounted where it looks for it."""
    assert words == ["run", "--role", role, "--config", CONFIG] and is_ours(["jikimi", *words])


def test_the_composition_follows() -> None:
    content = yaml.safe_load(example("compose"))
    services, shipped = content["services"], composed()
    database = services.pop("database")
    assert {name: one["deploy"]["replicas"] for name, one in services.items()} == PROCESSES
    as_one = {key: value for key, value in shipped["services"]["jikimi"].items() if key != "build"}
    for name, one in services.items():
        starts(one["command"], name)
        memory = MEMORY[name]
        assert limits(one) == {"cpus": "1", "memory": f"{memory // 1024}g" if memory >= 1024 else f"{memory}m"}
        assert {key: value for key, value in one.items() if key not in ("command", "deploy")} == as_one
    assert limits(database)["memory"] == f"{ceil(INDEXES)}g"
    assert f"shared_buffers={ceil(INDEXES) // 4}GB" in database["command"]
    pool = QueuePool(lambda: None)  # type: ignore[arg-type]
    each = pool.size() + pool._max_overflow
    assert f"max_connections={2 * each * sum(PROCESSES.values()) + 50}" in database["command"]
    assert shipped["services"]["database"].items() <= database.items()
    assert content["secrets"] == shipped["secrets"]
    assert content["volumes"].items() <= shipped["volumes"].items()


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
    starts(container["args"], "guard")
    resources = container["resources"]
    assert resources["requests"] == {"cpu": "1", "memory": f"{GUARD}Mi"}
    assert resources["limits"]["memory"] == f"{GUARD}Mi"
    probes = [container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert [one["path"] for one in probes] == ["/readyz", "/healthz"]
    served = (ROOT / "adapters" / "http_api" / "routes.py").read_text("utf-8")
    assert all(f'Route("{one["path"]}"' in served for one in probes)


def test_who_asks_the_deployment_reaches_it_and_what_it_needs_is_mounted() -> None:
    """A probe goes to the pod's own address; keys and configuration lie where the configuration says."""
    pod = yaml.safe_load(example("Kubernetes"))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    config = load(DEPLOY / "compose.toml", texts("en"), NETWORKS, environment)
    host, _, port = config.http.metrics_listen.partition(":")
    asked = {container[name]["httpGet"]["port"] for name in ("readinessProbe", "livenessProbe")}
    assert (host, {int(port)}) == ("0.0.0.0", asked)
    mounts = {one["name"]: Path(one["mountPath"]) for one in container["volumeMounts"]}
    assert mounts.keys() == {one["name"] for one in pod["volumes"]}
    assert config.storage.keys_folder and config.storage.keys_folder.is_relative_to(mounts["keys"])
    made = re.findall(r"^# kubectl create (\w+)(?: generic)? (\S+) (.*)$", example("Kubernetes"), re.MULTILINE)
    (maps, secrets) = made
    assert maps[:2] == ("configmap", "jikimi") and f"--from-file={Path(CONFIG).name}=deploy/compose.toml" in maps[2]
    assert mounts["config"] == Path(CONFIG).parent
    assert {"name": "config", "configMap": {"name": "jikimi"}} in pod["volumes"]
    assert secrets[:2] == ("secret", "jikimi") and container["envFrom"] == [{"secretRef": {"name": "jikimi"}}]
    assert "PGPASSWORD=" in secrets[2] and f"{token_variable('discord')}=" in secrets[2]
    assert container["securityContext"]["readOnlyRootFilesystem"] and pod["securityContext"]["runAsNonRoot"]


def test_the_units_follow(tmp_path: Path) -> None:
    """Each as it is written by the shell that the page shows: a role, a port that no other has, and its memory."""
    shown = example("systemd")
    made = dict(re.findall(r"unit (\w+) (\w+)", shown))
    assert made == {role: f"{of // 1024}G" if of >= 1024 else f"{of}M" for role, of in MEMORY.items()}
    enabled = {role: ports.strip("{}").split(",") for role, ports in re.findall(r"jikimi-(\w+)@([{},\d]+)", shown)}
    assert {role: len(ports) for role, ports in enabled.items()} == PROCESSES
    taken = [port for ports in enabled.values() for port in ports]
    alone = load(DEPLOY / "config.toml", texts("en"), NETWORKS, {}).http.metrics_listen.rpartition(":")[2]
    assert len({alone, *taken}) == 1 + len(taken)
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    (write,) = re.findall(r"^unit\(\).*$", shown, re.MULTILINE)
    shell = "\n".join([write.replace("/etc/", f"{tmp_path}/etc/"), *(f"unit {role} {of}" for role, of in made.items())])
    subprocess.run(["sh", "-ec", shell], cwd=ROOT, check=True)
    for role, of in made.items():
        unit = (units / f"jikimi-{role}@.service").read_text("utf-8")
        assert f"\nMemoryMax={of}\n" in unit and "\nCPUQuota=100%\n" in unit
        (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        starts(start.replace("%j", role).split()[1:], role)
        (place,) = re.findall(rf"^Environment={METRICS_LISTEN}=(.*)$", unit, re.MULTILINE)
        for port in enabled[role]:
            given = {METRICS_LISTEN: place.replace("%i", port)}
            assert load(DEPLOY / "config.toml", texts("en"), NETWORKS, given).http.asked_at == ("127.0.0.1", int(port))


def test_one_of_several_is_protected_as_one_alone() -> None:
    """The two units differ in their first line, what they are called, and what makes them one of several."""
    names = ("jikimi.service", "jikimi@.service")
    alone, among = (set((DEPLOY / name).read_text("utf-8").splitlines()) for name in names)
    less, more = (
        {line.partition("=")[0] for line in some if line[0] != "#"} for some in (alone - among, among - alone)
    )
    assert less == {"Description", "ExecStart"} and more == less | {"CPUQuota", "MemoryMax", "Environment"}
    assert "User=jikimi" in among, "those that share a folder are one user"


@pytest.mark.skipif(SYSTEMD is None or SYSTEMCTL is None, reason="there is no systemd here")
def test_systemd_takes_and_enables_them(tmp_path: Path) -> None:
    assert SYSTEMD and SYSTEMCTL
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    written = (DEPLOY / "jikimi@.service").read_text("utf-8")
    for role in PROCESSES:
        (units / f"jikimi-{role}@.service").write_text(written)
        done = subprocess.run([SYSTEMCTL, f"--root={tmp_path}", "enable", f"jikimi-{role}@9381"], capture_output=True)
        assert done.returncode == 0 and (units / "multi-user.target.wants" / f"jikimi-{role}@9381.service").is_symlink()
        file = tmp_path / f"jikimi-{role}@9381.service"
        file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", written, flags=re.MULTILINE))
        for words in (("verify", "--man=no"), ("security", "--offline=true", f"--threshold={EXPOSED}")):
            told = subprocess.run([SYSTEMD, "--no-pager", *words, file], capture_output=True, text=True)
            assert told.returncode == 0 and file.name not in told.stderr, told.stdout[-300:] + told.stderr
