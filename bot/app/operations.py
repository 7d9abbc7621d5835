"""Keys, health and the HTTP API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from adapters.system_clock import SystemClock
from bot.app.runner import Service
from bot.config import Config
from bot.core.communities.ports import Communities
from bot.core.operations.ports import ApiKeys
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.settings.api_keys import SqlApiKeys
from storage.settings.communities import SqlCommunities

if TYPE_CHECKING:
    pass


from bot.app.application import Core


def http_api(core: Core) -> Service:
    from adapters.http_api import HttpApi

    chosen = core.config.http
    return HttpApi(
        desk=core.desk,
        keys=core.keys,
        vitals=core.vitals,
        clock=core.clock,
        say=texts(core.config.defaults.language),
        listen=chosen.listen,
        metrics_listen=chosen.metrics_listen,
        per_second=chosen.per_second,
        deadline=chosen.deadline.total_seconds(),
    ).run


@asynccontextmanager
async def api_keys(config: Config) -> AsyncIterator[tuple[ApiKeys, Communities]]:
    """The keys to the HTTP API, and the communities that they can speak for; beside a running process, too."""
    async with Database.visit(config.storage.url, SystemClock()) as database:
        yield SqlApiKeys(database), SqlCommunities(database)
