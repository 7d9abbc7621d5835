"""Draws docs/rehearsal.png: what `jikimi rehearse` shows, on a part of the shipped transcript.

Needs chromium and the font Noto Sans Mono CJK KR (Debian: chromium, fonts-noto-cjk).

    python -m tests.pictures.rehearsal
"""

import asyncio
import io
import os
import subprocess
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from bot.cli.rehearsal.rehearse import rehearse
from bot.config import Config
from bot.core.text.catalogue import texts

OUT = (Path(__file__).parents[2] / "docs" / "rehearsal.png").resolve()
LINES = range(183, 213)
PAGE = """<meta charset="utf-8"><style>
body {{ margin: 0; padding: 14px 18px; background: {background}; color: {foreground}; }}
pre {{ font: 16px/22px "Noto Sans Mono CJK KR", monospace; margin: 0 }}
{stylesheet}</style><pre>{code}</pre>"""


def main() -> None:
    console = Console(
        record=True, width=146, highlight=False, emoji=False, file=io.StringIO(), color_system="truecolor"
    )
    lines = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("evening.jsonl").write_text("\n".join(lines[number] for number in LINES), "utf-8")
        asyncio.run(rehearse("evening.jsonl", Config(), texts("ko"), console=console))
        shown = console.export_text(clear=False).count("\n")
        page = console.export_html(theme=DIMMED_MONOKAI, code_format=PAGE).replace(f"{folder}/", "")
        Path("page.html").write_text(page, "utf-8")
        subprocess.run(
            (
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                *("--hide-scrollbars", f"--user-data-dir={folder}/profile", f"--screenshot={OUT}"),
                *(f"--window-size=1206,{shown * 22 + 40}", f"file://{folder}/page.html"),
            ),
            check=True,
            capture_output=True,
            timeout=60,
        )


if __name__ == "__main__":
    main()
