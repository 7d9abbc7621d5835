"""The transcript that ships with Jikimi -> its messages, for benchmarks to ask about."""

import json
from importlib.resources import files
from typing import Any


def shipped_messages() -> list[dict[str, Any]]:
    """The rows that have a text, in their order."""
    lines = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row.get("text")]
