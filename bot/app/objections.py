"""A configuration -> why `run` would refuse it, as far as this machine knows; and how each part is once it is asked."""

import os
import shutil
import time
from asyncio import timeout
from collections.abc import AsyncIterator
from pathlib import Path

from bot.app import chats, guards, keeping, operations, reporting
from bot.config import Config, warnings
from bot.config.guards import SHIPPED
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.communities.community import Community
from bot.core.guarding.verdict import Exchange, Unscreened
from bot.core.operations.outside.checkup import Found, State, is_off
from bot.core.text.catalogue import Texts
from storage.database import NONE_YET
from storage.opening import place
from storage.settings.communities import SqlCommunities

JUDGED_WITHIN = 60.0  # seconds: a model may still have to be loaded
LITTLE, SCARCE = 1 << 30, 100 << 20  # bytes that are free

_TRIED = "안녕하세요, 오늘도 좋은 하루 보내세요."


async def objections(config: Config, say: Texts) -> list[str]:
    ours = [*chats.objections(config, say), *await guards.objections(config, say), *keeping.objections(config, say)]
    is_here = place.file_of(place.parsed(config.storage.url)) if not ours else None  # a server is not asked
    return [*ours, *(await keeping.objections_to_others(config, say) if is_here else [])]


async def checkup(config: Config, say: Texts) -> AsyncIterator[Found]:
    """One part after the other, each asked for real; nothing is changed."""
    for look in (_configuration, _keys, _disk, _database, _guard, _networks, _reports, _process):
        async for found in look(config, say):
            yield found


async def _configuration(config: Config, say: Texts) -> AsyncIterator[Found]:
    ill = [*chats.objections(config, say), *await guards.objections(config, say)]
    odd = [*warnings(config, say), *guards.remarks(config, say), *filter(None, [chats.nothing_on(config, say)])]
    for told in ill:
        yield Found("configuration", State.ILL, told)
    for told in odd:
        yield Found("configuration", State.ODD, told)
    if not (ill or odd):
        yield Found("configuration", State.WELL, say("doctor.rules", number=len(config.policy.rules)))


async def _keys(config: Config, say: Texts) -> AsyncIterator[Found]:
    ill = list(keeping.objections_to_keys(config, say)) or await keeping.objections_to_others(config, say)
    for told in ill:
        yield Found("keys", State.ILL, told)
    for told in keeping.remarks(config, say):
        yield Found("keys", State.ODD, told)
    if config.storage.keys_folder is None:
        yield Found("keys", State.ODD, say["doctor.not_sealed"], say["doctor.not_sealed_remedy"])
    elif not ill and keeping.has_keys(config):
        yield Found("keys", State.WELL, say["doctor.keys"])
    elif not ill:
        yield Found("keys", State.WELL, say["doctor.keys_new"])


async def _disk(config: Config, say: Texts) -> AsyncIterator[Found]:
    file = place.file_of(place.parsed(config.storage.url))
    folders = {(file.parent if file else Path()).resolve(), (config.storage.keys_folder or Path()).resolve()}
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        free = shutil.disk_usage(folder).free
        if not os.access(folder, os.W_OK):
            yield Found("disk", State.ILL, say("doctor.disk_shut", folder=folder), say["doctor.disk_shut_remedy"])
            continue
        state = State.ILL if free < SCARCE else State.ODD if free < LITTLE else State.WELL
        told = say("doctor.disk", folder=folder, free=free / (1 << 30))
        yield Found("disk", state, told, "" if state is State.WELL else say["doctor.disk_remedy"])


async def _database(config: Config, say: Texts) -> AsyncIterator[Found]:
    if not keeping.exists(config):
        yield Found("database", State.WELL, say["doctor.database_new"])
        return
    began = time.monotonic()
    try:
        async with operations.standings(config) as (standings, database):
            answers, took = await standings.answers(), time.monotonic() - began
            if not answers:
                yield Found("database", State.ILL, say["doctor.database_shut"], say["doctor.database_remedy"])
                return
            standing = await standings.standing()
            facts = {"database": standing.database, "schema": standing.schema, "mib": standing.size / (1 << 20)}
            yield Found("database", State.WELL, say("doctor.database", **facts, ms=1000 * took))
            if await database.time.agrees() is False:
                yield Found("clock", State.ILL, say("doctor.clock", of=standing.database), say["doctor.clock_remedy"])
    except Unavailable as error:
        yield Found("database", State.ILL, say.why(error), say["doctor.database_remedy"])
    except Broken as error:  # says itself what to do
        if error.sentence == NONE_YET:
            yield Found("database", State.WELL, say["doctor.database_new"])
        else:
            yield Found("database", State.ILL, say.why(error))


async def _guard(config: Config, say: Texts) -> AsyncIterator[Found]:
    """Asked for a verdict, but where that would load a model into a card that a running process has filled."""
    if config.guard.engine == "vllm" and config.guard.name not in SHIPPED:
        figures = await operations.figures(config)
        up = figures.get("jikimi_guard_up") if figures else None
        if up is None:
            yield Found("guard", State.ODD, say["doctor.guard_not_tried"])
        elif up:
            yield Found("guard", State.WELL, say["health.guard_answers"])
        else:
            yield Found("guard", State.ILL, say["health.guard_away"], say["doctor.guard_remedy"])
        return
    began = time.monotonic()
    try:
        async with timeout(JUDGED_WITHIN), guards.guard(config, say) as guard:
            (judged,) = await guard.judge([Exchange(prompt=_TRIED, is_chat=True)])
    except BotError as error:
        yield Found("guard", State.ILL, say.why(error), say["doctor.guard_remedy"])
    except TimeoutError:
        told = say("doctor.guard_slow", seconds=JUDGED_WITHIN)
        yield Found("guard", State.ILL, told, say["doctor.guard_remedy"])
    else:
        if isinstance(judged, Unscreened):
            yield Found(
                "guard", State.ODD, say("doctor.unscreened", why=say.why(judged.reason)), say["doctor.guard_remedy"]
            )
        else:
            name = f"{guard.version.name} {guard.version.model}".strip()
            yield Found("guard", State.WELL, say("doctor.guard", name=name, seconds=time.monotonic() - began))


async def _networks(config: Config, say: Texts) -> AsyncIterator[Found]:
    known = await _known(config)
    for network in chats.on(config):
        if network.objection(say):
            continue  # said already
        theirs = await network.time()
        if is_off(operations.clock().now(), theirs):
            of = say[f"{network.platform}.title"]
            yield Found("clock", State.ILL, say("doctor.clock", of=of), say["doctor.clock_remedy"])
        theirs_here = [one for one in known if one.platform == network.platform]
        async for found in network.examine(theirs_here, say):
            yield found
        if number := sum(one.left_at is None and one.moderators_channel is None for one in theirs_here):
            yield Found(network.platform, State.ODD, say("doctor.no_room", number=number), say["doctor.no_room_remedy"])


async def _known(config: Config) -> list[Community]:
    try:
        async with keeping.look(config) as database:
            return list(await SqlCommunities(database).all())
    except BotError:  # said already
        return []


async def _reports(config: Config, say: Texts) -> AsyncIterator[Found]:
    """Reports are drawn with a font that ships; a PDF takes a library of the system."""
    if missing := reporting.no_pdf(say):
        yield Found("fonts", State.ODD, missing)
    else:
        yield Found("fonts", State.WELL, say["doctor.fonts"])


async def _process(config: Config, say: Texts) -> AsyncIterator[Found]:
    if config.http.asked_at is None:
        yield Found("process", State.ODD, say["probe.off"])
    elif await operations.figures(config) is None:
        yield Found("process", State.ODD, say["doctor.not_running"], say["doctor.not_running_remedy"])
    else:
        yield Found("process", State.WELL, say["doctor.running"])
