"""Every library has a home that its import contract protects: one that nobody thought of is found here."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
OURS = ("bot", "adapters", "storage")
EVERYWHERE = {"structlog"}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_library_is_protected_to_its_home() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    protected = {name for one in contracts if one["type"] == "protected" for name in one["protected_modules"]}
    used = {name for top in OURS for path in (ROOT / top).rglob("*.py") for name in _imported(path)}
    assert used - {*OURS, *sys.stdlib_module_names} - EVERYWHERE == protected
