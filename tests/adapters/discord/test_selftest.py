"""What `jikimi selftest discord` sees in a server that behaves as Discord is said to, and in one that does not."""

import asyncio
import json

import discord

from adapters.chat.discord.outside.selftest import NAME, selftest
from bot.core.operations.outside.selftest import Outcome, Tried
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, cafe
from tests.servers.discord import BUCKETS, TOKEN


def played(*, writes: bool = True) -> dict[str, Tried]:
    """Everything that was tried; whoever is asked to write does, or nobody is there."""

    async def scenario() -> dict[str, Tried]:
        async with cafe() as place:
            backend = place.wire.backend
            mine = next(role for role in backend.guilds[place.guild].roles.values() if role.managed)
            backend.edit_role(place.guild, mine.id, {"permissions": discord.Permissions.all().value})
            place.wire.buckets = [one for one in BUCKETS if one.name == "deletes"]
            tried = await _walk(place, writes=writes)
            assert not [one for one in backend.channels.values() if getattr(one, "name", "") == NAME]
            assert NAME not in str(backend.guilds[place.guild].auto_mod_rules)
            return tried

    return asyncio.run(scenario())


async def _walk(place: Cafe, *, writes: bool) -> dict[str, Tried]:
    backend = place.wire.backend

    async def ask(what: str) -> str | None:
        if not writes:
            return None
        room = next(one.id for one in backend.channels.values() if getattr(one, "name", "") == NAME)
        if what == "D31":
            place.write("안녕", by=place.join("다른 봇", bot=True), channel=room)
        else:
            place.write("안녕", by=place.owner, channel=room)  # nobody's role is above
        return ""

    urls = {"api_url": place.wire.api_url, "gateway_url": place.wire.gateway_url}
    walk = selftest(TOKEN, str(place.guild), ask, texts("en"), **urls, resumes=(0.0, 0.0))
    return {one.fact: one async for one in walk}


def test_every_fact_is_tried_and_nothing_is_left_behind() -> None:
    tried = played()
    assert set(tried) == {"D9", "D22", "D31", "D32", "D34", "D64", "D71"}
    assert tried["D71"].outcome is tried["D22"].outcome is tried["D32"].outcome is Outcome.AS_WRITTEN
    assert tried["D22"].seen["limit"] == 5 and tried["D32"].seen["status"] == 403
    assert tried["D9"].seen == {"after_0_s": True}, "the wire resumes whatever the time"
    assert tried["D34"].outcome is Outcome.NOT_TRIED


def test_where_nobody_helps_the_rest_is_tried_all_the_same() -> None:
    tried = played(writes=False)
    assert {fact for fact, one in tried.items() if one.outcome is Outcome.NOT_TRIED} == {"D31", "D32", "D34"}
    assert "안녕" not in json.dumps([dict(one.seen) for one in tried.values()])
