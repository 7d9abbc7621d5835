"""`jikimi run`: connect to the platforms that have a token, open the HTTP API if wanted, and work until stopped."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.core.base.errors import BotError, Broken
from bot.core.operations.outside.role import JUDGING, REACHING, Role
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.app.application import Jikimi
    from bot.config import Config

STOPPED = 15  # seconds from the signal to the end of the process
_STOPS = (signal.SIGTERM, signal.SIGINT)


def declare(line: Line) -> None:
    @line.app.command("run", help=line.say["help.run"])
    def command(
        config: Annotated[Path | None, line.config] = None,
        role: Annotated[list[Role] | None, typer.Option("--role", help=line.say["help.run_role"])] = None,
    ) -> None:
        roles = frozenset(Role) if not role or Role.ALL in role else frozenset(role)
        asyncio.run(run(line.settings(config), line.say, lambda: line.settings(config), roles))


async def run(
    config: "Config",
    say: Texts,
    read_again: "Callable[[], Config] | None" = None,
    roles: frozenset[Role] = frozenset(Role),
) -> None:
    """Raises `Broken` where nothing is switched on, or something that is cannot work."""
    import structlog  # not for `--help`

    from bot.app import chats, guards, operations, reporting
    from bot.app.application import application

    _log = structlog.get_logger(__name__)
    if Role.ALL not in roles and config.storage.url.startswith("sqlite"):
        raise Broken(say["run.file_is_of_one"])
    wanted = chats.wanted(config, say) if not roles.isdisjoint(REACHING) else ()
    http = (config.http.listen if Role.API in roles else "") or config.http.metrics_listen
    if how := chats.nothing_on(config, say, roles):
        raise Broken(how)
    if roles.isdisjoint(JUDGING):  # whatever guard is configured, this process neither loads nor watches it
        config = config.model_copy(update={"guard": type(config.guard)()})
    async with (
        operations.traces(config, say) as traces,
        guards.guard(config, say) as guard,
        application(
            config,
            guard,
            lambda core: [network.connect(core.context(say)) for network in wanted],
            serve=lambda core: [
                *([operations.teller(core)] if Role.CHAT in roles else []),
                *operations.beside(core),
                *([operations.http_api(core, judges=Role.API in roles)] if http else []),
            ],
            roles=roles,
            stands_by=True,
            on_settled=traces.settled if traces else None,
            on_done=traces.done if traces else None,
        ) as jikimi,
    ):
        judging = [say["run.judging"]] if Role.GUARD in roles and not wanted else []
        titles = [say[f"{one.platform}.title"] for one in wanted]
        if wanted and Role.CHAT not in roles:
            titles = [say("run.over_rest", platforms=", ".join(titles))]
        places = ", ".join([*titles, *judging, *([f"HTTP ({http})"] if http else ())])
        if remark := reporting.no_pdf(say):
            _log.info("reports have no PDF here", why=remark)
        _log.info("begins", on=places, records=config.storage.shown)
        with _stop_signals() as stopping, _reloads(jikimi, say, read_again):
            await jikimi.run(traces.kept if traces else None, stopping)


@contextmanager
def _reloads(jikimi: "Jikimi", say: Texts, read_again: "Callable[[], Config] | None") -> Iterator[None]:
    """On SIGHUP, as services are told to; in a terminal that is how one hears that it is closed, and ends."""
    if read_again is None or not hasattr(signal, "SIGHUP") or (sys.stdin and sys.stdin.isatty()):
        yield
        return
    import structlog

    _log = structlog.get_logger(__name__)

    def reload() -> None:
        try:
            waiting = jikimi.reload(read_again())
        except BotError as error:
            _log.error("the configuration is refused, and the one before goes on", reason=say.why(error))
            return
        after = {"after_restart": ", ".join(waiting)} if waiting else {}
        _log.info("the configuration was read again", **after)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """Set by the first signal to stop; then what is under way is finished, and whatever is away, the process has ended
    within STOPPED. A second signal ends it at once. That is safe at any moment: what is not done is claimed again by
    the next process."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        for number in _STOPS:
            loop.remove_signal_handler(number)
        signal.alarm(STOPPED)  # no handler: the operating system ends us, even where a thread holds on
        stopping.set()

    for number in _STOPS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopping
    finally:
        for number in _STOPS:
            loop.remove_signal_handler(number)
