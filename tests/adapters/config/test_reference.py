"""The pages on the configuration: they say of every setting what it is, and what they show to be pasted is taken."""

import re
from pathlib import Path

import pytest

from bot import config as configuration
from bot.app.chats import NETWORKS
from bot.config.policy_file import read
from bot.core.communities.community import Community
from bot.core.text.catalogue import LANGUAGES, texts
from tests.pictures.configuration import DOCS, page

BLOCKS = [
    pytest.param(block, id=f"{path.parent.name}/{path.stem}-{number}")
    for path in sorted(DOCS.glob("*/*.md"))
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", path.read_text("utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_every_setting_and_what_holds_without_it(language: str) -> None:
    """Where it does not: `make configuration`, and docs/ko/settings.toml for the Korean of a new one."""
    assert (DOCS / language / "configuration.md").read_text("utf-8") == page(language)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_page_shows_can_be_pasted(tmp_path: Path, block: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(block, "utf-8")
    if "format = 1" in block:
        assert isinstance(read(block.encode(), texts("en")), Community)
    else:
        configuration.load(path, texts("en"), NETWORKS, {})
