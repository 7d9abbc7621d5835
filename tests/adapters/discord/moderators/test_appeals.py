"""The button under a member's notice -> a window -> an appeal that the moderators read, over TCP."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest

from bot.core.base.errors import Unavailable
from bot.core.chat.message import Message
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call, Review
from bot.core.rules.actions import Answer, Ban, Delete, Done, Flag, Kick, Refused, Timeout, Warn
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, as_posted_before, cafe, listening, play
from tests.builders import code_of, decision
from tests.servers.waiting import until


async def warned(place: Cafe, heard: Heard, number: int = 1) -> tuple[Message, int, Any]:
    """A message of Minji's that she was told about: it, and where the notice stands."""
    count = len(heard.messages)
    place.write("나쁜 말")
    message = (await heard.until(count + 1))[count]
    place.desk.incidents[number] = Incident(
        id=number,
        case=number,
        code=code_of(number),
        decision=decision(message, Flag(), Warn()),
        decided_at=datetime.now(UTC),
        outcomes=((Flag(), Done()),),
    )
    outcome = await heard.chat.perform(place.planned(Warn(), message, incident=number))
    assert isinstance(outcome, Done)
    channel, notice = map(int, outcome.receipt.split("/"))
    return message, channel, place.wire.backend.messages[channel][notice]


def carried(notice: Any, label: str = "이의 제기") -> str:
    ((appeal, mine),) = (row["components"] for row in notice.components)
    assert (appeal["label"], mine["label"]) == ("이의 제기", "결과 보기")
    return str((appeal if label == appeal["label"] else mine)["custom_id"])


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
        assert sent == texts("ko")["appeal.heard"]
        appeal = place.desk.incidents[1].appeal
        assert appeal and appeal.words == "친구끼리 한 말이에요"
        assert await write(place, dm, notice, "다시") == texts("ko")["appeal.heard_before"]
        assert place.desk.incidents[1].appeal == appeal

    play(scene, locale="ko")


def test_after_a_restart_the_button_still_serves() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            place.wire.locale = "ko"
            async with listening(place) as heard:
                _, dm, notice = await warned(place, heard)
                assert not heard.chat.client.persistent_views
            async with listening(place):
                assert await write(place, dm, notice, "억울해요") == texts("ko")["appeal.heard"]
                assert place.desk.incidents[1].appeal

    asyncio.run(scenario())


def test_the_button_of_an_earlier_version_serves_whose_it_is_and_nobody_else() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        assert code_of(1) in notice.content and carried(notice) == f"jikimi:appeal:{code_of(1)}:{place.minji}"
        as_posted_before(notice, code_of(1), "1")
        stranger = place.wire.click(place.dal, dm, notice.id, carried(notice, "결과 보기"))
        assert await told(place, dm, stranger) == texts("ko")["discord.appeal_not_yours"]
        shown = place.wire.click(place.minji, dm, notice.id, carried(notice, "결과 보기"))
        assert code_of(1) in await told(place, dm, shown)
        assert await write(place, dm, notice, "억울해요") == texts("ko")["appeal.heard"]

    play(scene, locale="ko")


def test_the_short_reply_in_the_channel_has_a_button_for_that_member_alone() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.trouble("POST", "/users/@me/channels", 403)
        _, channel, notice = await warned(place, heard)
        assert channel == place.general
        for stranger in (place.dal, place.owner):
            press = place.wire.click(stranger, channel, notice.id, carried(notice))
            assert await told(place, channel, press) == texts("ko")["discord.appeal_not_yours"]
            assert not press.modal
        assert await write(place, channel, notice, "억울해요") == texts("ko")["appeal.heard"]

    play(scene, locale="ko")


def test_a_button_that_names_somebody_elses_incident_appeals_nothing() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        incident = place.desk.incidents[1]
        other = replace(incident.decision.message, author=replace(incident.decision.message.author, id="1"))
        place.desk.incidents[1] = replace(incident, decision=replace(incident.decision, message=other))
        assert await write(place, dm, notice, "억울해요") == texts("ko")["discord.appeal_not_yours"]
        assert not place.desk.incidents[1].appeal

    play(scene, locale="ko")


def test_what_is_written_is_answered_before_the_records_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        gate, mine = asyncio.Event(), place.desk.mine

        async def slow(*which: Any) -> Any:
            await gate.wait()
            return await mine(*which)

        monkeypatch.setattr(place.desk, "mine", slow)
        press = place.wire.click(place.minji, dm, notice.id, carried(notice))
        await until(lambda: press.modal)  # opened without a look into the records
        record = place.wire.submit(place.minji, dm, press.modal, "억울해요")
        await until(lambda: record.responded)
        assert not place.desk.incidents[1].appeal
        gate.set()
        assert await told(place, dm, record) == texts("ko")["appeal.heard"]

    play(scene, locale="ko")


def test_who_cannot_be_heard_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        _, dm, notice = await warned(place, heard)
        settings = place.desk.settings.pop(str(place.guild))
        assert await write(place, dm, notice, "억울해요") == texts("ko")["discord.nobody_to_tell"]
        place.desk.settings[str(place.guild)] = settings

        async def away(*which: Any) -> bool:
            raise Unavailable("database")

        monkeypatch.setattr(place.desk, "appeal", away)
        assert await write(place, dm, notice, "억울해요") == texts("ko")["card.try_again"]

    play(scene, locale="ko")


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
        assert answer.content == texts("ko")("discord.appealed", case=1), "what nobody empties says nothing"
        (reply, *_) = place.wire.made("POST", f"/channels/{place.mods}/messages")[1:]
        assert reply.body["message_reference"]["message_id"] == card.id
        assert reply.body["allowed_mentions"]["parse"] == []

    play(scene, locale="ko")


def test_an_appeal_against_what_was_never_shown_brings_a_card() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, dm, notice = await warned(place, heard)
        await write(place, dm, notice, "억울해요")
        assert isinstance(await heard.chat.perform(place.planned(Flag(), message)), Done)
        (card,) = place.wire.backend.messages[place.mods].values()
        assert "억울해요" in str(card.embeds)

    play(scene, locale="ko")


def test_a_member_sees_how_their_incident_stands_wherever_they_ask() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        say = texts("ko")
        _, dm, notice = await warned(place, heard)
        press = place.wire.click(place.minji, dm, notice.id, carried(notice, "결과 보기"))
        assert (await told(place, dm, press)).endswith(say["discord.standing.open"])
        await write(place, dm, notice, "억울해요")

        async def asked() -> str:
            return await told(
                place, place.general, place.wire.command(place.minji, place.general, "appeal", code=code_of(1).lower())
            )

        assert (await asked()).endswith(say["discord.standing.waiting"])
        incident = place.desk.incidents[1]
        assert incident.appeal
        for call, key in ((Call.UPHOLD, "upheld"), (Call.WRONG, "accepted")):
            at = incident.appeal.at + timedelta(minutes=1)
            review = Review(incident_id=1, call=call, moderator_id="7", moderator_name="달", at=at)
            answer = (Answer(accepted=call is Call.WRONG), None)
            place.desk.incidents[1] = replace(incident, review=review, outcomes=(*incident.outcomes, answer))
            standing = await asked()
            assert standing.endswith(say[f"discord.standing.{key}"]) and "달" not in standing
            assert "잘못된 판단이라면" not in standing, "what is answered is not objected to"
        for code in (code_of(1), "1", "없는 코드"):
            stranger = place.wire.command(place.dal, place.general, "appeal", code=code)
            assert await told(place, place.general, stranger) == say["discord.appeal_not_yours"]

    play(scene, locale="ko")


@pytest.mark.parametrize(
    ("decided", "lasts"),
    [(timedelta(minutes=10), timedelta(minutes=10)), (timedelta(days=90), timedelta(days=27, hours=23))],
)
def test_the_notice_says_what_was_done_and_until_when(decided: timedelta, lasts: timedelta) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, _, _ = await warned(place, heard)
        incident = place.desk.incidents[1]
        outcomes = ((Delete(), Done()), (Timeout(decided), None), (Warn(), None), (Ban(), Refused("")))
        place.desk.incidents[2] = replace(incident, id=2, outcomes=outcomes)
        outcome = await heard.chat.perform(place.planned(Warn(), message, incident=2))
        assert isinstance(outcome, Done)
        channel, notice = map(int, outcome.receipt.split("/"))
        content = place.wire.backend.messages[channel][notice].content
        until_when = discord.utils.format_dt(incident.decided_at + lasts, "f")
        assert f"조치: 삭제 · 타임아웃 ({until_when}까지)\n이유: 욕설" in content
        assert f"`/이의 {code_of(1)}`" in content and "차단" not in content

    play(scene, locale="ko")


def test_who_was_silenced_or_banned_is_not_called_out_in_public() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, *_ = await warned(place, heard)
        for sanction in (Ban(), Timeout(timedelta(minutes=10)), Kick()):
            place.desk.incidents[1] = replace(place.desk.incidents[1], outcomes=((Warn(), None), (sanction, None)))
            place.wire.trouble("POST", "/users/@me/channels", 403)
            closed = Refused("discord.closed_dm")
            assert await heard.chat.perform(place.planned(Warn(), message)) == closed
        assert not place.wire.made("POST", f"/channels/{place.general}/messages")

    play(scene, locale="ko")


def test_the_words_of_a_name_are_not_repeated() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message, *_ = await warned(place, heard)
        named = replace(message, text="나쁜 이름", extra={"name": "own"})
        incident = place.desk.incidents[1]
        place.desk.incidents[2] = replace(incident, id=2, decision=replace(incident.decision, message=named))
        outcome = await heard.chat.perform(place.planned(Warn(), named, incident=2))
        assert isinstance(outcome, Done)
        channel, notice = map(int, outcome.receipt.split("/"))
        content = place.wire.backend.messages[channel][notice].content
        assert texts("ko")["discord.your_name"] in content and "나쁜" not in content

    play(scene, locale="ko")
