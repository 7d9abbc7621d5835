"""The house stays small enough to be read: what is too long or too full stands here with its reason, or nowhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOST = {"function": 60, "class": 200, "file": 400, "folder": 13}  # lines; of a folder: modules and packages
FITTINGS = ("__init__.py", "conftest.py")
REASON = "long because"  # in a file's first line, where one file of that length is right


#: What is not mended, and why. It may only shrink: who mends a thing strikes its line out.
WAITING: dict[str, str] = {}


def oversized(root: Path) -> Iterator[str]:
    """ "folder", "file.py", "file.py:Class" and "file.py:Class.function" of all that is beyond MOST."""
    for top in filter(Path.is_dir, (root / name for name in ("bot", "adapters", "storage", "tests"))):
        for folder in (top, *(path for path in top.rglob("*") if path.is_dir())):
            if len(list(_rooms(folder))) > MOST["folder"] and folder.name != "versions":
                yield str(folder.relative_to(root))
        if top.name == "tests":  # a list of cases is read from where one looks, and may be long
            continue
        for path in top.rglob("*.py"):
            if path.parent.name == "versions":  # migrations stay as they were
                continue
            name, text = str(path.relative_to(root)), path.read_text("utf-8")
            first, lines = text.partition("\n")[0], text.count("\n")
            if lines > MOST["file"] and REASON not in first:
                yield name
            yield from (f"{name}:{place}" for place in _long_ones(ast.parse(text)))


def _rooms(folder: Path) -> Iterator[Path]:
    """What Python and pytest want to lie there is none."""
    for path in folder.iterdir():
        if any(path.rglob("*.py")) if path.is_dir() else path.suffix == ".py" and path.name not in FITTINGS:
            yield path


def _long_ones(tree: ast.AST, within: str = "") -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            place = f"{within}{node.name}"
            most = MOST["class" if isinstance(node, ast.ClassDef) else "function"]
            if node.end_lineno and node.end_lineno - node.lineno + 1 > most:
                yield place
            yield from _long_ones(node, f"{place}.")
        else:
            yield from _long_ones(node, within)


def test_nothing_is_too_long_or_too_full() -> None:
    assert sorted(set(oversized(ROOT)) - set(WAITING)) == []


def test_what_has_been_mended_is_struck_from_the_list() -> None:
    assert sorted(set(WAITING) - set(oversized(ROOT))) == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("bot/a.py", "x = 1\n" * 401, ["bot/a.py"]),
        ("bot/a.py", '"""A table, long because it is one."""\n' + "x = 1\n" * 401, []),
        ("storage/a.py", "class A:\n    async def b(self):\n" + "        x = 1\n" * 60, ["storage/a.py:A.b"]),
        ("storage/a.py", "class A:\n" + "    x = 1\n" * 200, ["storage/a.py:A"]),
        (
            "adapters/a.py",
            "if 1:\n    def f():\n        def g():\n" + "            x\n" * 60,
            ["adapters/a.py:f", "adapters/a.py:f.g"],
        ),
    ],
)
def test_it_is_found(tmp_path: Path, file: str, text: str, found: list[str]) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    assert list(oversized(tmp_path)) == found


def test_a_full_folder_is_found(tmp_path: Path) -> None:
    for number in range(13):
        (tmp_path / f"bot/part/{number}").mkdir(parents=True)
        (tmp_path / f"bot/part/{number}/__init__.py").touch()
    assert list(oversized(tmp_path)) == []
    (tmp_path / "bot/part/other.py").touch()
    assert list(oversized(tmp_path)) == ["bot/part"]
