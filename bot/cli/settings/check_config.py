"""`jikimi check-config`: a configuration -> what it comes to and what is odd about it, or every problem in it."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.line import DEFAULT_CONFIG, Line
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("check-config", help=say["help.check_config"])
    def command(file: Annotated[Path, typer.Argument(help=say["help.config"])] = DEFAULT_CONFIG) -> None:
        check_config(file, say)


def check_config(file: Path, say: Texts) -> None:
    """Raises `Broken` where it cannot be loaded."""
    from bot.app import chats, guards, keeping, reporting
    from bot.config import load, warnings

    checked = load(file, say, chats.NETWORKS)
    chats.wanted(checked, say)
    for warning in (*warnings(checked, say), *guards.remarks(checked, say), *keeping.remarks(checked, say)):
        print(f"{file}: {warning}")
    print(
        say(
            "check.fine",
            path=file,
            rules=len(checked.policy.rules),
            guard=checked.guard.name,
            storage=checked.storage.shown,
        )
    )
    if command := guards.server_command(checked):
        print(say("check.serve", command=command))
    if remark := reporting.no_pdf(say):
        print(remark)
