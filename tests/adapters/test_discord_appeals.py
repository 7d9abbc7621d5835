"""The button under a member's notice -> a window -> an appeal that the moderators read, over TCP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.actions import Done, Flag, Warn
from bot.domain.incident import Incident
from bot.domain.message import Message
from bot.errors import Unavailable
from bot.texts import texts
from tests.adapters.discord_cafe import Cafe, Heard, cafe, listening, until
from tests.builders import decision

Scene = Callable[[Cafe, Heard], Awaitable[None]]


def play(scene: Scene) -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            place.wire.locale = "ko"
            await scene(place, heard)

    asyncio.run(scenario())


async def warned(place: Cafe, heard: Heard, number: int = 1) -> tuple[Message, int, Any]:
    """A message of Minji's that she was told about: it, and where the notice stands."""
    count = len(heard.messages)
    place.write("나쁜 말")
    message = (await heard.until(count + 1))[count]
    place.desk.incidents[number] = Incident(
        id=number,
        decision=decision(message, Flag(), Warn()),
        decided_at=datetime.now(UTC),
        outcomes=((Flag(), Done()),),
    )
    outcome = await heard.chat.perform(place.planned(Warn(), message, incident=number))
    assert isinstance(outcome, Done)
    channel, notice = map(int, outcome.receipt.split("/"))
    return message, channel, place.wire.backend.messages[channel][notice]


def carried(notice: Any) -> str:
    ((button,),) = (row["components"] for row in notice.components)
    assert button["label"] == "이의 제기"
    return str(button["custom_id"])


async def write(place: Cafe, channel: int, notice: Any, words: str) -> str:
    """What Minji is told who opens the window and sends it off."""
    press = place.wire.click(place.minji, channel, notice.id, carried(notice))
    await until(lambda: press.modal)
    return await told(place, channel, place.wire.submit(place.minji, channel, press.modal, words))


async def told(place: Cafe, channel: int, record: Any) -> str:
    await until(lambda: record.message_id and not record.loading)
    assert record.ephemeral
    return str(place.wire.backend.get_message(channel, record.message_id).content)


def test_a_member_appeals_once_under_their_notice() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        assert dm == place.wire.backend.dm_channels[place.minji]
        press = place.wire.click(place.minji, dm, notice.id, carried(notice))
        await until(lambda: press.modal)
        ((label),) = press.modal["components"]
        assert (label["component"]["style"], label["component"]["max_length"]) == (2, 500)
        sent = await told(place, dm, place.wire.submit(place.minji, dm, press.modal, "친구끼리 한 말이에요"))
        assert sent == texts("ko")["discord.appeal_sent"]
        appeal = place.desk.incidents[1].appeal
        assert appeal and appeal.words == "친구끼리 한 말이에요"
        assert await write(place, dm, notice, "다시") == texts("ko")["discord.appeal_already"]
        assert place.desk.incidents[1].appeal == appeal

    play(scene)


def test_after_a_restart_the_button_still_serves() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            place.wire.locale = "ko"
            async with listening(place) as heard:
                _, dm, notice = await warned(place, heard)
                assert not heard.chat.client.persistent_views
            async with listening(place):
                assert await write(place, dm, notice, "억울해요") == texts("ko")["discord.appeal_sent"]
                assert place.desk.incidents[1].appeal

    asyncio.run(scenario())


def test_the_short_reply_in_the_channel_has_a_button_for_that_member_alone() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.trouble("POST", "/users/@me/channels", 403)
        _, channel, notice = await warned(place, heard)
        assert channel == place.general
        for stranger in (place.dal, place.owner):
            press = place.wire.click(stranger, channel, notice.id, carried(notice))
            assert await told(place, channel, press) == texts("ko")["discord.appeal_not_yours"]
            assert not press.modal
        assert await write(place, channel, notice, "억울해요") == texts("ko")["discord.appeal_sent"]

    play(scene)


def test_a_button_that_names_somebody_elses_incident_appeals_nothing() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        incident = place.desk.incidents[1]
        other = replace(incident.decision.message, author=replace(incident.decision.message.author, id="1"))
        place.desk.incidents[1] = replace(incident, decision=replace(incident.decision, message=other))
        assert await write(place, dm, notice, "억울해요") == texts("ko")["discord.appeal_not_yours"]
        assert not place.desk.incidents[1].appeal

    play(scene)


def test_what_is_written_is_answered_before_the_records_are() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        gate, mine = asyncio.Event(), place.desk.mine

        async def slow(*which: Any) -> Any:
            await gate.wait()
            return await mine(*which)

        place.desk.mine = slow  # type: ignore[method-assign]
        press = place.wire.click(place.minji, dm, notice.id, carried(notice))
        await until(lambda: press.modal)  # opened without a look into the records
        record = place.wire.submit(place.minji, dm, press.modal, "억울해요")
        await until(lambda: record.responded)
        assert not place.desk.incidents[1].appeal
        gate.set()
        assert await told(place, dm, record) == texts("ko")["discord.appeal_sent"]

    play(scene)


def test_who_cannot_be_heard_is_told_so() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        settings = place.desk.settings.pop(str(place.guild))
        assert await write(place, dm, notice, "억울해요") == texts("ko")["discord.nobody_to_tell"]
        place.desk.settings[str(place.guild)] = settings

        async def away(*which: Any) -> bool:
            raise Unavailable("database")

        place.desk.appeal = away  # type: ignore[method-assign]
        assert await write(place, dm, notice, "억울해요") == texts("ko")["card.try_again"]

    play(scene)


def test_an_appeal_is_on_the_card_and_the_moderators_are_told_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, dm, notice = await warned(place, heard)
        flag = place.planned(Flag(), message)
        shown = await heard.chat.perform(flag)
        assert isinstance(shown, Done)
        card = place.wire.backend.messages[place.mods][int(shown.receipt.split("/")[1])]
        assert "억울해요" not in str(card.embeds)
        await write(place, dm, notice, "억울해요 *정말*")
        for _ in range(2):  # the second is a process that died before it could say so
            assert await heard.chat.perform(flag) == shown
        await until(lambda: "억울해요" in str(place.wire.backend.get_message(place.mods, card.id).embeds))
        (answer,) = [said for said in place.wire.backend.messages[place.mods].values() if said.id != card.id]
        assert answer.content == texts("ko")("discord.appealed", id=1, by="민지", words=r"억울해요 \*정말\*")
        (reply, *_) = place.wire.made("POST", f"/channels/{place.mods}/messages")[1:]
        assert reply.body["message_reference"]["message_id"] == card.id
        assert reply.body["allowed_mentions"]["parse"] == []

    play(scene)


def test_an_appeal_against_what_was_never_shown_brings_a_card() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, dm, notice = await warned(place, heard)
        await write(place, dm, notice, "억울해요")
        assert isinstance(await heard.chat.perform(place.planned(Flag(), message)), Done)
        (card,) = place.wire.backend.messages[place.mods].values()
        assert "억울해요" in str(card.embeds)

    play(scene)
