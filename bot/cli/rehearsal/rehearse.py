"""`jikimi rehearse`: a transcript -> the whole product at work on it, line by line, with a summary and a digest."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from rich.console import Console

    from bot.cli.rehearsal.progress import View
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("rehearse", help=say["help.rehearse"])
    def command(
        file: Annotated[str | None, typer.Argument(help=say["help.rehearse_file"], show_default=False)] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
        speed: Annotated[
            float | None, typer.Option("--speed", min=0.001, help=say["help.speed"], show_default=False)
        ] = None,
        database: Annotated[
            str | None, typer.Option("--database", help=say["help.rehearse_database"], show_default=False)
        ] = None,
        fresh: Annotated[bool, typer.Option("--fresh", hidden=True)] = False,
    ) -> None:
        if fresh and database:  # alone it asks for what every rehearsal is now
            raise Broken(say["rehearsal.fresh_or_kept"])
        asyncio.run(rehearse(file, line.settings(config), say, as_json=as_json, speed=speed, database=database))


async def rehearse(
    file: str | None,
    config: "Config",
    say: Texts,
    *,
    as_json: bool = False,
    speed: float | None = None,
    database: str | None = None,
    console: "Console | None" = None,
) -> None:
    """Decides as in live mode, at the transcript's own time; the chat only pretends to act. The database that the bot
    works with is never touched: `database` is the URL of one to keep, None one that is gone afterwards."""
    from bot.cli.rehearsal.views import JsonView, TerminalView
    from bot.config import StorageSettings

    with (
        nullcontext(file) if file else as_file(files("bot.cli.rehearsal") / "transcript.jsonl") as path,
        nullcontext(database) if database else _own_database() as url,
    ):
        kept = config.storage if database else StorageSettings()  # with keys: what stays may be what people have said
        config = config.model_copy(update={"storage": kept.model_copy(update={"url": url})})
        view: View
        view = JsonView(say) if as_json else TerminalView(say, config, str(path), console, keeps=bool(database))
        try:
            with view:
                await _moderate(str(path), config, say, view, speed)
        except Broken as error:  # about a database that stands in no configuration
            raise Broken(say.why(error).replace("[storage] url", "--database")) from None


@contextmanager
def _own_database() -> Iterator[str]:
    with TemporaryDirectory(prefix="jikimi-rehearsal-") as folder:
        yield f"sqlite:///{folder}/jikimi.db"


async def _moderate(path: str, config: "Config", say: Texts, view: "View", speed: float | None) -> None:
    from bot.app import chats, guards, tools
    from bot.app.application import application
    from bot.cli.rehearsal.progress import Rehearsal
    from bot.cli.rehearsal.views import DIGEST
    from bot.core.rules.policy import Watch

    clock = tools.clock()
    progress = Rehearsal(view, clock)
    async with (
        guards.guard(config, say) as guard,
        application(
            config,
            guard,
            lambda core: [chats.rehearsal_chat(path, say, clock, speed=speed, zone=config.defaults.timezone)],
            mode=Watch.LIVE,
            clock=clock,
            moment=lambda message: message.sent_at,
            on_settled=progress.settled,
        ) as jikimi,
    ):
        progress.attach(jikimi.inbox, jikimi.incidents)
        try:
            await jikimi.run(on_kept=progress.kept)
        finally:
            summary = progress.summary()
            if progress.period:
                start, end = progress.period
                digest = await jikimi.reporter.digest(start, end + timedelta(microseconds=1))
                DIGEST.write_text(tools.digest_page(digest, say, config.defaults.timezone), "utf-8")
            view.summary(summary, config)
