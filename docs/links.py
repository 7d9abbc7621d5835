"""A page -> the same, its links out of docs/ leading to the repository, or only words where nobody said where it is."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:)([^)\s#]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    where = PurePosixPath("docs", page.file.src_uri).parent

    def led(found: re.Match[str]) -> str:
        words, target, place = found[1], found[2], found[3] or ""
        there = normpath(where / target)
        if there.startswith("docs/"):
            return found[0]
        if not Path(config.config_file_path).parent.joinpath(there).exists():
            raise SystemExit(f"{page.file.src_uri}: {target}")
        return f"[{words}]({config.repo_url}/blob/main/{there}{place})" if config.repo_url else words

    return LINK.sub(led, markdown)
