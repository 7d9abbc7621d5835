""".github/workflows: what they call is there, they are pinned, and only who publishes may write."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.newcomer.test_container import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in read(path)["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_others_have_written_is_pinned_and_gets_no_credentials(path: Path) -> None:
    for step in steps(path):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert not re.search(r"\$\{\{ *(github\.(event|head_ref|ref_name)|inputs)", str(step.get("run"))), (
            "it may be anything"
        )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_they_call_is_there(path: Path) -> None:
    targets = re.findall(r"^([\w-]+):(?! *=)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    called = {
        name
        for one in re.findall(r"\bmake ([a-z -]+)", str([step.get("run") for step in steps(path)]))
        for name in one.split()
    }
    matrices = [job.get("strategy", {}).get("matrix", {}) for job in read(path)["jobs"].values()]
    called |= {one["target"] for matrix in matrices for one in matrix.get("include", ())}
    assert called <= set(targets) and called
    for named in re.findall(r"\b((?:requirements|deploy)/[\w.]+)", path.read_text("utf-8")):
        assert (ROOT / named).exists(), named


def test_only_who_publishes_may_write_and_somebody_says_yes_first() -> None:
    jobs, build = read(RELEASE)["jobs"], read(RELEASE)["jobs"]["build"]
    assert read(RELEASE)["permissions"] == {} and build["permissions"] == {"contents": "read"}
    assert jobs["publish"]["environment"] == "release" and jobs["publish"]["needs"] == "build"
    assert "secrets." not in RELEASE.read_text("utf-8"), "no password is kept anywhere"
    assert not any(
        "make" in str(step.get("run")) or "pip wheel" in str(step.get("run")) for step in jobs["publish"]["steps"]
    )


def test_a_tag_that_is_not_the_version_builds_nothing() -> None:
    (script,) = [step["run"] for step in steps(RELEASE) if step.get("name") == "the tag is the version"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    for tag, ends in ((f"v{version}", 0), (version, 1), ("v9.9.9", 1)):
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, env={"GITHUB_REF_NAME": tag, "PATH": "/usr/bin:/bin"})
        assert done.returncode == ends


def test_the_wheel_the_sbom_and_the_container_are_attested() -> None:
    attested = [step["with"] for step in steps(RELEASE) if step.get("uses", "").startswith("actions/attest@")]
    assert [sorted(one) for one in attested] == [
        ["subject-path"],
        ["sbom-path", "subject-path"],
        ["push-to-registry", "subject-digest", "subject-name"],
    ]
