"""A raid on a Discord server, over TCP: noticed, one card, one press, and everything taken back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from adapters.chat.discord.acting.channels import WRITING
from bot.core.incidents.raids.raid import Remedy, Whom, pressed
from bot.core.moderators.commands.raids import WORDS_ALONE
from bot.core.text.catalogue import texts
from bot.wording.times import span
from tests.adapters.discord.cafe import Cafe, cafe
from tests.adapters.discord.test_deeds import Office, in_office, say
from tests.adapters.discord.test_flow import At, at_work
from tests.servers.discord import BUCKETS, Picked
from tests.servers.waiting import until

MANY = 300  # within a minute; the same with fewer, each time
NUMBERS = (30, pytest.param(MANY, marks=pytest.mark.long))


def raid_card(at: At) -> Any:
    (card,) = [card for card in at.cards() if "습격" in card.embeds[0]["title"]]
    return card


def buttons(at: At) -> list[str]:
    return [one["custom_id"] for row in raid_card(at).components for one in row["components"]]


async def press(at: At, remedy: Remedy, whom: Whom, *, by: int | None = None) -> str:
    """What who pressed was told."""
    found = [one for one in buttons(at) if (what := pressed(one)) and (what.remedy, what.whom) == (remedy, whom)]
    place = at.place
    click = place.wire.click(by or place.owner, place.mods, raid_card(at).id, found[0])

    def told() -> str:
        return str(place.wire.backend.get_message(place.mods, click.message_id).content) if click.message_id else ""

    await until(told)
    return told()


def bans(place: Cafe) -> dict[int, Any]:
    return dict(place.wire.backend.guilds[place.guild].bans)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("many", NUMBERS)
def test_a_raid_is_one_card_and_one_press(tmp_path: Path, many: int) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.wire.buckets = BUCKETS
            for who in [place.join(f"회원 {number}") for number in range(many)]:  # they are here for long
                place.write("나쁜 말", by=who)
                await asyncio.sleep(0)
            await until(lambda: not at.in_general(), 60)
            await at.settled(many)
            await until(lambda: len(at.cards()) == 1 and f"{many}명" in str(raid_card(at).embeds), 60)
            assert str(place.owner) in raid_card(at).content
            assert f"{many} are being banned" in await press(at, Remedy.BAN, Whom.OFFENDERS)
            await until(lambda: len(bans(place)) == many, 300)
            bulk = [len(call.body["user_ids"]) for call in place.wire.made("POST", "/bulk-ban")]
            assert sum(bulk) > many / 2 and len(bulk) <= many / 2
            await until(lambda: "차단함" in str(raid_card(at).embeds), 60)
            assert not place.wire.made("POST", "/users/@me/channels"), "nobody is written to"

    asyncio.run(scenario())


def test_without_manage_server_each_is_banned_alone_and_all_is_taken_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        many = 12
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.wire.trouble("POST", f"/guilds/{place.guild}/bulk-ban", 403, times=99, code=50013)
            for who in [place.join(f"회원 {number}") for number in range(many)]:
                place.write("나쁜 말", by=who)
            await at.settled(many)
            await until(lambda: len(at.cards()) == 1 and f"{many}명" in str(raid_card(at).embeds), 60)
            assert "moderators only" in await press(at, Remedy.BAN, Whom.OFFENDERS, by=place.minji)
            assert "Ban Members" in await press(at, Remedy.BAN, Whom.OFFENDERS, by=place.dal) and not bans(place)
            await press(at, Remedy.BAN, Whom.OFFENDERS)
            await until(lambda: len(bans(place)) == many, 60)
            await until(lambda: any("undo" in one for one in buttons(at)), 60)
            await press(at, Remedy.UNDO, Whom.ALL)
            await until(lambda: not bans(place), 60)

    asyncio.run(scenario())


def test_the_doors_are_shut_for_a_while_and_opened_again(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        guild, wire = office.place.guild, office.wire
        needs = say("discord.needs_right", permissions=say["permission.manage_guild"])
        assert await office.told("jikimi raid on", office.place.dal) == needs
        told = await office.told("jikimi raid on", office.place.owner, lasting="2h")
        assert "case #1" in told and "by itself" in told
        end = datetime.fromisoformat(wire.incident_actions[guild]["invites_disabled_until"])
        assert timedelta(minutes=110) < end - datetime.now(UTC) <= timedelta(hours=2)
        assert await office.told("jikimi raid on", office.place.owner) == say("lock.stands", case=1)
        assert await office.told("jikimi raid off", office.place.owner) == say("lock.over", case=1)
        await until(lambda: not any(wire.incident_actions[guild].values()))
        assert await office.told("jikimi raid off", office.place.owner) == say["lock.none"]
        await office.told("jikimi raid on", office.place.owner)
        mine = {"invites_disabled_until": (datetime.now(UTC) + timedelta(hours=9)).isoformat()}
        wire.incident_actions[guild], asked = mine, len(wire.made("GET", f"/guilds/{guild}"))
        await office.told("jikimi raid off", office.place.owner)
        await until(lambda: len(wire.made("GET", f"/guilds/{guild}")) > asked)
        assert wire.incident_actions[guild] == mine, "what somebody else has set meanwhile stands"

    in_office(tmp_path, scene)


def rate(place: Cafe, channel: int) -> int:
    return int(place.wire.backend.get_channel(channel).rate_limit_per_user)


def overwrites(place: Cafe, channel: int) -> dict[int, tuple[int, int]]:
    found = place.wire.backend.get_channel(channel).overwrites
    return {one.target_id: (one.allow, one.deny) for one in found}


def test_channels_are_slowed_and_silenced_and_given_back_where_that_still_stands(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, backend = office.place, office.wire.backend
        needs = say("discord.needs_right", permissions=say["permission.manage_roles"])
        manager = backend.create_role(place.guild, "관리", permissions=discord.Permissions(manage_guild=True).value).id
        assert await office.told("jikimi raid on", place.join("관리인", manager), means="writing") == needs
        slowed, noisy = backend.create_channel(place.guild, "느린").id, backend.create_channel(place.guild, "말").id
        backend.get_channel(slowed).rate_limit_per_user = 60
        regulars = backend.create_role(place.guild, "단골", permissions=0).id
        backend.set_overwrite(noisy, Overwrite(regulars, OverwriteType.ROLE, allow=WRITING.value | 1, deny=0))
        await until(lambda: office.at.chat.client.get_channel(noisy))
        assert "case #1" in await office.told("jikimi raid on", place.owner, means="slow")
        assert (rate(place, place.general), rate(place, slowed), rate(place, place.mods)) == (30, 60, 0)
        assert await office.told("jikimi raid on", place.owner, means="slow", channel=Picked("channel", noisy)) == say(
            "lock.stands", case=1
        )
        assert "case #2" in await office.told("jikimi raid on", place.owner, means="writing")
        assert overwrites(place, place.general) == {place.guild: (0, WRITING.value)}
        assert overwrites(place, noisy) == {place.guild: (0, WRITING.value), regulars: (1, WRITING.value)}
        assert not overwrites(place, place.mods), "moderators go on talking"
        backend.get_channel(noisy).rate_limit_per_user = 5
        told = await office.told("jikimi raid off", place.owner)
        assert told == "\n".join(say("lock.over", case=case) for case in (2, 1))
        await until(lambda: not overwrites(place, place.general) and not rate(place, place.general))
        await until(lambda: overwrites(place, noisy) == {regulars: (WRITING.value | 1, 0)})
        assert rate(place, noisy) == 5, "what somebody else has set meanwhile stands"
        told = await office.told("jikimi raid on", place.owner, means="writing", channel=Picked("channel", noisy))
        assert "case #3" in told and not overwrites(place, place.general) and overwrites(place, noisy)[place.guild]

    in_office(tmp_path, scene)


def test_half_a_lock_is_taken_back_whole(tmp_path: Path) -> None:
    """Discord stumbles in the middle, and moderators do not wait for it."""

    async def scene(office: Office) -> None:
        place, backend = office.place, office.wire.backend
        more = backend.create_channel(place.guild, "둘").id
        await until(lambda: office.at.chat.client.get_channel(more))
        office.wire.trouble("PUT", f"/channels/{more}/permissions", 0, times=999)
        record = office.ask("jikimi raid on", place.owner, means="writing")
        await until(lambda: overwrites(place, place.general))
        await office.told("jikimi raid off", place.owner)
        await until(lambda: not overwrites(place, place.general), 30)
        while any(outcome is None for _, outcome in (await office.cases())[0].outcomes):
            await asyncio.sleep(0.05)  # until nobody tries any more
        assert not overwrites(place, place.general) and not overwrites(place, more)
        await office.answer(record)

    in_office(tmp_path, scene)


def test_verification_and_onboarding_are_raised_and_given_back(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, guild = office.place, office.wire.backend.guilds[office.place.guild]
        guild.verification_level = 2
        assert "case #1" in await office.told("jikimi raid on", place.owner, means="verifying")
        assert guild.verification_level == 4
        told = await office.told("jikimi raid on", place.owner, means="onboarding")
        assert texts("en")["discord.refusals.350000"] in told, "there must be something to ask"
        office.wire.onboarding[place.guild]["default_channel_ids"] = [*range(7)]
        await office.told("jikimi raid on", place.owner, means="onboarding")
        assert office.wire.onboarding[place.guild]["enabled"]
        await office.told("jikimi raid off", place.owner)
        await until(lambda: guild.verification_level == 2 and not office.wire.onboarding[place.guild]["enabled"])

    in_office(tmp_path, scene)


def test_who_has_just_come_and_whose_account_is_young_write_words_alone(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, backend = office.place, office.wire.backend
        now, long = datetime.fromisoformat(backend.now_iso()), timedelta(days=30)

        def member(account: timedelta, membership: timedelta) -> int:
            """Somebody who made their account, and joined, so long ago."""
            id_ = discord.utils.time_snowflake(now - account) + len(backend.users)
            backend.users[id_] = replace(backend.users[place.minji], id=id_, name=str(id_))
            backend.add_member(place.guild, id_)
            office.member(id_).joined_at = (now - membership).isoformat()
            return id_

        people = (member(long, long), member(long, timedelta()), member(timedelta(minutes=5), long))
        told = await office.told("jikimi raid newcomers", place.owner, lasting="1h")
        assert told == say("newcomers.by_rule", lasting=span(timedelta(hours=1), say))
        for who in people:
            place.write("여기요 https://example.com/1", by=who)
            place.write("안녕하세요", by=who)
        await until(lambda: sum("example" in one for one in office.at.in_general()) == 1)
        assert len(await office.at.incidents()) == 2 and office.at.in_general().count("안녕하세요") == 3
        settings = office.at.desk.community(office.community)
        assert settings.newcomers == timedelta(hours=1) and settings.rules.keys() == WORDS_ALONE.keys()
        await office.told("jikimi raid newcomers", place.owner, lasting="off")
        settings = office.at.desk.community(office.community)
        assert not settings.newcomers and settings.rules == {}

    in_office(tmp_path, scene)
