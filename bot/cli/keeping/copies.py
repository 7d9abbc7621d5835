"""`jikimi backup`, `restore`: the database as one file, while Jikimi is running; and back, while it is not."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.line import Line


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("backup", help=say["help.backup"])
    def backup_command(
        to: Annotated[Path, typer.Argument(help=say["help.backup_to"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        from bot.app import keeping

        keeping.back_up(settings := line.settings(config), to)
        print(say("backup.done", path=to, keys=settings.storage.keys_folder or "-"))

    @line.app.command("restore", help=say["help.restore"])
    def restore_command(
        of: Annotated[Path, typer.Argument(help=say["help.restore_of"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        from bot.app import keeping

        aside = asyncio.run(keeping.restore(line.settings(config), of))
        print(say("backup.restored", path=of))
        if aside:
            print(say("backup.aside", path=aside))
