"""The buttons below /privacy on Discord, in a server and in private, over TCP."""

import asyncio
from dataclasses import replace
from typing import Any

from adapters.chat.discord.refs import guild_ref
from bot.core.base.errors import Unavailable
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.case import Look, Person
from bot.core.operations.privacy import Dossier
from bot.core.rules.actions import Done, Flag
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening, play
from tests.adapters.discord.moderators.test_cards import answers, shown
from tests.fakes.cases import ScriptedCases
from tests.servers.waiting import until

SAY = texts("en")


async def answered(place: Cafe, channel: int, record: Any) -> Any:
    await until(lambda: record.message_id and not record.loading)
    assert record.ephemeral
    return place.wire.backend.get_message(channel, record.message_id)


def carried(shown: Any) -> list[str]:
    return [button["custom_id"] for row in shown.components for button in row["components"]]


async def more_answers(place: Cafe, than: int) -> None:
    await until(lambda: len([one for one in answers(place) if one]) > than)


def known(place: Cafe, *members: int) -> None:
    cafe = guild_ref(place.guild)
    place.desk.people.dossiers = {(cafe, str(one)): Dossier(community=cafe) for one in members}


async def asked(place: Cafe, who: int, channel: int) -> Any:
    return await answered(place, channel, place.wire.command(who, channel, "privacy"))


async def pressed(place: Cafe, who: int, channel: int, on: Any, button: str) -> Any:
    return await answered(place, channel, place.wire.click(who, channel, on.id, button))


def test_a_member_has_their_records_and_has_them_erased() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        known(place, place.minji, place.dal)
        notice = await asked(place, place.minji, place.general)
        data, erase = carried(notice)
        given = await pressed(place, place.minji, place.general, notice, data)
        assert given.content == SAY["privacy.data"]
        (file,) = given.attachments
        assert file["filename"] == "jikimi-my-data.json"
        sure = await pressed(place, place.minji, place.general, notice, erase)
        assert sure.content == SAY["privacy.sure"] and len(place.desk.people.dossiers) == 2
        (surely,) = carried(sure)
        done = await pressed(place, place.minji, place.general, sure, surely)
        assert "RECEIPT" in done.content
        assert [who for _, who in place.desk.people.dossiers] == [str(place.dal)]
        again = await pressed(place, place.minji, place.general, sure, surely)
        assert again.content == SAY["privacy.today"]

    play(scene, commands=True)


def test_whoever_presses_asks_for_themselves() -> None:
    """Also under what somebody else was shown."""

    async def scene(place: Cafe, heard: Heard) -> None:
        known(place, place.minji, place.dal)
        notice = await asked(place, place.minji, place.general)
        _, erase = carried(notice)
        sure = await pressed(place, place.minji, place.general, notice, erase)
        await pressed(place, place.dal, place.general, sure, *carried(sure))
        assert [who for _, who in place.desk.people.dossiers] == [str(place.minji)]

    play(scene, commands=True)


def test_who_is_banned_does_so_in_private() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        known(place, place.minji)
        place.wire.backend.remove_member(place.guild, place.minji)
        dm = place.wire.backend.get_dm_channel(place.minji).id
        notice = await asked(place, place.minji, dm)
        data, erase = carried(notice)
        assert (await pressed(place, place.minji, dm, notice, data)).attachments
        sure = await pressed(place, place.minji, dm, notice, erase)
        await pressed(place, place.minji, dm, sure, *carried(sure))
        assert not place.desk.people.dossiers

    play(scene, commands=True)


def test_where_the_record_is_away_they_may_try_again() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        known(place, place.minji)
        place.desk.people.trouble = Unavailable("away")
        notice = await asked(place, place.minji, place.general)
        data, _ = carried(notice)
        assert (await pressed(place, place.minji, place.general, notice, data)).content == SAY["card.try_again"]
        place.desk.people.trouble = None
        assert (await pressed(place, place.minji, place.general, notice, data)).content == SAY["privacy.data"]

    play(scene, commands=True)


def test_what_is_looked_at_is_on_record_before_it_is_shown() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card, cases = await shown(place, heard), place.desk.deeds.cases
        assert isinstance(cases, ScriptedCases)
        for button, look in ((Button.REVEAL, Look.REVEAL), (Button.HISTORY, Look.HISTORY)):
            cases.trouble = Unavailable("away")
            before = len(answers(place))
            place.wire.click(place.dal, place.mods, card.id, press_id(button, 1))
            await more_answers(place, before)
            assert answers(place)[-1] == SAY["card.try_again"], "what cannot be written down is not shown"
            cases.trouble = None
            place.wire.click(place.dal, place.mods, card.id, press_id(button, 1))
            await more_answers(place, before + 1)
            _, seen = cases.seen[-1]
            assert (seen.by, seen.what, seen.case) == (Person(str(place.dal), "달"), look, 1)
        assert len(cases.seen) == 2
        told = await answered(place, place.mods, place.wire.command(place.owner, place.mods, "looks"))
        assert f"<@{place.dal}>" in told.content and SAY["look.reveal"] in told.content

    play(scene, commands=True)


def test_what_is_forgotten_goes_from_a_card_however_old_it_is() -> None:
    """Another process has posted it long ago, among more than anybody looks through."""

    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                card = await shown(place, heard)
            before = place.desk.incidents[1]
            receipt = Done(f"{place.mods}/{card.id}")
            message = before.decision.message
            gone = replace(message, text="", author=replace(message.author, id="", name=""))
            decision = replace(before.decision, message=gone)
            place.desk.incidents[1] = replace(before, decision=decision, outcomes=((Flag(), receipt),))
            assert card.embeds[0]["description"]
            async with listening(place) as heard:
                done = asyncio.get_running_loop().create_future()
                done.set_result(None)
                heard.chat._posted._recalled[str(place.mods)] = done  # type: ignore[assignment]
                heard.chat.incident_changed(guild_ref(place.guild), 1, emptied=True)
                await until(lambda: not card.embeds[0].get("description"))
                assert str(place.minji) not in str(card.embeds) and "민지" not in str(card.embeds)

    asyncio.run(scenario())
