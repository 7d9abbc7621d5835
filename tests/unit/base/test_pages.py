"""Pages for readers: the two READMEs are short and say the same things, and no link leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "corpus" / "README.md"]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_is_short(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= 150


def test_the_readmes_say_the_same_things() -> None:
    def shape(name: str) -> tuple[list[int], list[str], list[int]]:
        text = (ROOT / name).read_text("utf-8")
        code = [len(block.splitlines()) for block in re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)]
        headings = [len(marks) for marks in re.findall(r"^(#+) ", prose(ROOT / name), re.MULTILINE)]
        return headings, sorted(re.findall(r"!\[[^]]*\]\((.+?)\)", text)), code

    assert shape("README.md") == shape("README.ko.md")


def test_the_readmes_claim_the_same_figures() -> None:
    def figures(name: str) -> list[list[str]]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        return [re.findall(r"\d+%?", line) for line in lines if line.startswith("|") and "% " in line]

    assert len(figures("README.md")) >= 12
    assert figures("README.md") == figures("README.ko.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_every_page_is_there_in_both_languages() -> None:
    korean, english = ({path.name for path in (ROOT / "docs" / one).glob("*.md")} for one in ("ko", "en"))
    assert korean == english
