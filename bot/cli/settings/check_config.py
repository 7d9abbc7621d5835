"""`jikimi check-config`: a configuration -> what it comes to and what is odd about it, or every mistake in it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.line import DEFAULT_CONFIG, Line
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("check-config", help=say["help.check_config"])
    def command(
        config: Annotated[Path | None, line.config] = None,
        file: Annotated[Path | None, typer.Argument(hidden=True)] = None,  # as it was asked for before
    ) -> None:
        if config and file:
            raise typer.BadParameter(say("typed.extra", given=file))
        asyncio.run(check_config(config or file or DEFAULT_CONFIG, say))


async def check_config(file: Path, say: Texts) -> None:
    """Raises `Broken`: a line for every mistake, those that only `run` would meet among them."""
    from bot.app import chats, guards, keeping, reporting
    from bot.app.objections import objections
    from bot.config import examine, warnings

    checked, mistakes = examine(file, say, chats.NETWORKS)
    mistakes = [*mistakes, *(f"{file}: {one}" for one in await objections(checked, say))]
    if mistakes:
        raise Broken("\n".join(mistakes))
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
    if hosts := chats.looks_up(checked):
        print(say("check.looks_up", hosts=", ".join(hosts)))
    if how := chats.nothing_on(checked, say):
        print(how)
