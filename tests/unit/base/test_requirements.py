"""pyproject.toml and requirements/ in; out: that they agree, so that nobody forgets `make lock`."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = {"run": [], "dev": ["lint", "pdf", "server", "test", "tracing", "train"]}
PIN = re.compile(r"^(?P<pin>\S+==[^\s;]+).*\n(?: +--hash=.*\n)+ +# via (?P<via>.+)$", re.MULTILINE)


def named(requirement: Requirement) -> tuple[str, frozenset[str]]:
    return canonicalize_name(requirement.name), frozenset(requirement.extras)


@pytest.mark.parametrize("lock", EXTRAS)
def test_what_is_pinned_is_what_pyproject_asks_for(lock: str, pytestconfig: pytest.Config) -> None:
    root: Path = pytestconfig.rootpath
    pyproject = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    project = pyproject["project"]
    lines = [*pyproject["build-system"]["requires"], *project["dependencies"]]
    for extra in EXTRAS[lock]:
        lines += project["optional-dependencies"][extra]
    asked = {named(each): each.specifier for each in map(Requirement, lines) if each.name != project["name"]}

    pins = PIN.findall((root / "requirements" / f"{lock}.txt").read_text("utf-8"))
    pinned = [Requirement(pin) for pin, via in pins if "jikimi (pyproject.toml" in via]
    assert {named(each) for each in pinned} == set(asked), "make lock"
    outside = [str(each) for each in pinned if not asked[named(each)].contains(str(each.specifier).removeprefix("=="))]
    assert not outside, "make lock"
