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


#: What is private to a library and used all the same -> the tests that fail where it is gone.
PRIVATE = {
    "_add_guild_from_data": "tests/adapters/discord/acting/test_over_rest.py",
    "_remove_guild": "tests/adapters/discord/acting/test_over_rest.py",
    "_connection": "tests/adapters/discord/receiving/test_names.py",
    "_get_guild": "tests/adapters/discord/receiving/test_names.py",
    "_interaction": "tests/adapters/discord/receiving/test_reading.py",
    "_conn": "tests/adapters/storage/test_sqlite.py",
    "_execute": "tests/adapters/storage/test_sqlite.py",
    "_thread": "tests/adapters/storage/test_sqlite.py",
    "_upgrade_revs": "tests/adapters/storage/schema/test_migrations.py",
}
PUBLIC_IN_SPITE_OF_ITS_NAME = {"_replace", "_mapping", "_exit"}


def _defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                yield name


def test_no_private_part_of_a_library_is_used_without_a_test() -> None:
    used = set()
    for path in (path for top in OURS for path in (ROOT / top).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        parts = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
        used |= {part for part in parts if not part.startswith("__")} - {*_defined(tree)}
    assert used - PUBLIC_IN_SPITE_OF_ITS_NAME == PRIVATE.keys()
    assert [place for place in PRIVATE.values() if not (ROOT / place).exists()] == []
