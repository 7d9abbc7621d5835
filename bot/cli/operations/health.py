"""`jikimi health`: whether the bot of this configuration is alive, for containers and whoever watches them."""

from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config

PATIENCE = 5.0  # seconds


def declare(line: Line) -> None:
    @line.app.command("health", help=line.say["help.health"])
    def command(config: Annotated[Path | None, line.config] = None) -> None:
        health(line.settings(config), line.say)


def health(config: "Config", say: Texts) -> None:
    """Raises `Broken` where nothing answers, or nobody is there to be asked."""
    if (place := config.http.asked_at) is None:
        raise Broken(say["probe.off"])
    address = config.http.metrics_listen or config.http.listen
    try:
        with closing(HTTPConnection(*place, timeout=PATIENCE)) as connection:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Broken(say("probe.away", address=address, why=type(error).__name__)) from None
    if status != 200:
        raise Broken(say("probe.away", address=address, why=status))
    print(say("probe.alive", address=address))
