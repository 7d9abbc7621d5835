"""Incidents -> cards in the moderators' channel, and what becomes of their buttons, over TCP."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import discord
import pytest

from adapters.chat.discord.moderators.cards import board
from adapters.chat.discord.moderators.cards.board import CROWD
from adapters.chat.discord.moderators.cards.drawing import drawn
from adapters.chat.discord.refs import guild_ref
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef, Message
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call
from bot.core.rules.actions import NO_ROOM, Delete, Done, Escalate, Flag, Outcome, Refused
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening, play
from tests.builders import DISCORD, code_of, decision, put_settings
from tests.servers.waiting import until
from tests.unit.incidents.test_card import NOBODY, incident, quarrel


async def opened(place: Cafe, heard: Heard, number: int = 1, text: str = "나쁜 말", **more: Any) -> Message:
    """An incident about a message that was just written, its deletion done."""
    count = len(heard.messages)
    place.write(text, **more)
    message = (await heard.until(count + 1))[count]
    place.desk.incidents[number] = Incident(
        id=number,
        case=number,
        code=code_of(number),
        decision=replace(
            decision(message, Delete(), Flag()),
            findings=(Finding("insult", matched=True, why=Explanation("by_person")),),
        ),
        decided_at=datetime.now(UTC),
        outcomes=((Delete(), Done()), (Flag(), None)),
    )
    return message


async def shown(place: Cafe, heard: Heard, number: int = 1, **more: Any) -> Any:
    """The card of an incident, as it stands in the moderators' channel."""
    message = await opened(place, heard, number, **more)
    outcome = await heard.chat.perform(place.planned(Flag(), message, incident=number))
    assert isinstance(outcome, Done)
    return place.wire.backend.messages[place.mods][int(outcome.receipt.split("/")[1])]


def answers(place: Cafe) -> list[str]:
    """What the presser alone was told."""
    told = place.wire.backend.messages[place.mods].values()
    return [message.content for message in told if message.flags & 1 << 6]


def labels(card: Any) -> list[str]:
    return [button["label"] for row in card.components for button in row["components"]]


def test_a_card_has_its_buttons_and_every_button_its_incident() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard, 7)
        assert labels(card) == [
            "맞음",
            "틀림 (되돌리기)",
            "타임아웃 10분",
            "타임아웃 1시간",
            "타임아웃 1일",
            "차단",
            "긴급 호출",
            "맡기",
            "내용 보기",
            "이력",
        ]
        ids = [button["custom_id"] for row in card.components for button in row["components"]]
        assert ids[0] == "jikimi:right:7" and len(set(ids)) == len(ids)
        assert all(len(carried) <= 64 for carried in ids)

    play(scene)


def test_d61_who_is_no_moderator_is_turned_away_at_the_press() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)
        record = place.wire.click(place.minji, place.mods, card.id, press_id(Button.BAN, 1))
        await until(lambda: record.responded)
        await until(lambda: answers(place) == [texts("en")["card.not_allowed"]])
        assert not place.desk.calls

    play(scene)


def test_d56_a_press_is_answered_before_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)
        gate = asyncio.Event()
        look_up = place.desk.look_up

        async def slow(*which: Any) -> Any:
            await gate.wait()
            return await look_up(*which)

        monkeypatch.setattr(place.desk, "look_up", slow)
        record = place.wire.click(place.dal, place.mods, card.id, press_id(Button.RIGHT, 1))
        await until(lambda: record.responded)
        assert not place.desk.calls
        gate.set()
        await until(lambda: place.desk.calls == [(1, Call.RIGHT, str(place.dal))])
        await until(lambda: "긴급 호출" not in labels(place.wire.backend.get_message(place.mods, card.id)))

    play(scene)


def test_d60_who_presses_second_is_told_who_was_first() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)
        other = place.join("별", place.staff_role)
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.RIGHT, 1))
        place.wire.click(other, place.mods, card.id, press_id(Button.TIMEOUT, 1))
        await until(lambda: len(place.desk.calls) == 2)
        first = place.desk.incidents[1].review
        assert first is not None
        await until(lambda: [first.moderator_name in told for told in answers(place)] == [True])

    play(scene)


def test_the_text_is_shown_to_the_one_who_asks_and_to_nobody_else() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)
        assert "나쁜 말" not in str(card.embeds)
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.REVEAL, 1))
        await until(lambda: any("나쁜 말" in told for told in answers(place)))
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.HISTORY, 1))
        await until(lambda: any("2 incidents" in told for told in answers(place)))

    play(scene)


def test_with_the_text_come_the_messages_around_it_for_who_may_read_there() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        heading = texts("en")["discord.around"]
        place.write("어제 일 때문에", by=place.dal)
        await heard.until(1)
        card = await shown(place, heard)
        place.write("왜 그러세요", by=place.dal)
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.REVEAL, 1))
        await until(lambda: any(told.startswith(heading) for told in answers(place)))
        (near,) = [told for told in answers(place) if told.startswith(heading)]
        assert near.index("어제 일 때문에") < near.index("왜 그러세요") and "나쁜 말" not in near

    play(scene)


def test_a_press_on_a_card_of_another_server_finds_nothing() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)
        incident = place.desk.incidents[1]
        elsewhere = replace(incident.decision.message, community_id="1")
        place.desk.incidents[1] = replace(incident, decision=replace(incident.decision, message=elsewhere))
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.TIMEOUT, 1))
        await until(lambda: answers(place) == [texts("en")["card.not_found"]])
        assert not place.desk.calls

    play(scene)


def test_when_the_records_are_away_the_presser_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard)

        async def away(*which: Any) -> Any:
            raise Unavailable("database")

        monkeypatch.setattr(place.desk, "look_up", away)
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.RIGHT, 1))
        await until(lambda: answers(place) == [texts("en")["card.try_again"]])

    play(scene)


def test_a_burst_shares_a_card_and_a_call_on_it_counts_for_all() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard, 1)
        for number in (2, 3):
            assert (await shown(place, heard, number)).id == card.id
        stranger = await shown(place, heard, 4, by=place.join("새봄"))
        assert stranger.id != card.id
        await until(lambda: card.embeds[0]["footer"]["text"] == "#1 · #2 · #3")
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.WRONG, 1))
        await until(lambda: [number for number, _, _ in place.desk.calls] == [1, 2, 3])
        place.desk.in_force = place.desk.in_force.in_mode(Watch.WATCH)
        assert (await shown(place, heard, 5)).id != card.id, "what is done, is not told as what was only watched"

    play(scene)


def test_an_incident_stays_with_the_card_that_it_was_put_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that could not be written anew at once, and would take nothing more when it can."""

    async def scene(place: Cafe, heard: Heard) -> None:
        card, message = await shown(place, heard, 1), await opened(place, heard, 2)

        async def away(*which: Any) -> Any:
            raise Unavailable("database")

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(place.desk, "look_up", away)
            with pytest.raises(Unavailable):
                await heard.chat.perform(place.planned(Flag(), message, incident=2))
        monkeypatch.setattr(board, "BURST", 0.0)
        outcome = await heard.chat.perform(place.planned(Flag(), message, incident=2))
        assert outcome == Done(f"{place.mods}/{card.id}")
        footers = [one.embeds[0]["footer"]["text"] for one in place.wire.backend.messages[place.mods].values()]
        assert footers == ["#1 · #2"]

    play(scene)


def test_an_incident_stays_on_its_card_whichever_process_goes_on_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard, listening(place) as other:
            apart = await opened(place, other, 9)
            await other.chat.perform(place.planned(Flag(), apart, incident=9))  # knows the cards of that channel by now
            card, message = await shown(place, heard, 1), await opened(place, heard, 2)

            async def away(*which: Any) -> Any:
                raise Unavailable("database")

            with monkeypatch.context() as meanwhile, pytest.raises(Unavailable) as later:
                meanwhile.setattr(place.desk, "look_up", away)
                await heard.chat.perform(place.planned(Flag(), message, incident=2))
            again = replace(place.planned(Flag(), message, incident=2), begun=later.value.begun)
            assert await other.chat.perform(again) == Done(f"{place.mods}/{card.id}")
            footers = [one.embeds[0]["footer"]["text"] for one in place.wire.backend.messages[place.mods].values()]
            assert footers == ["#9", "#1 · #2"]

    asyncio.run(scenario())


def test_in_a_raid_members_share_a_card_that_says_so() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        people = [place.join(f"회원 {number}") for number in range(CROWD + 5)]
        for number, who in enumerate(people, 1):
            message = await opened(place, heard, number, by=who)
            while True:
                try:
                    outcome = await heard.chat.perform(place.planned(Flag(), message, incident=number))
                except Unavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
            assert isinstance(outcome, Done)
        posted = list(place.wire.backend.messages[place.mods].values())
        assert len(posted) == CROWD + 1
        (embed,) = posted[-1].embeds
        fields = {field["name"]: field["value"] for field in embed["fields"]}
        assert fields["회원"].split() == [f"<@{who}>" for who in people[CROWD:]]
        assert "회원 5명" in fields["여러 회원"] and "모든 사건" in fields["여러 회원"]
        place.wire.click(place.dal, place.mods, posted[-1].id, press_id(Button.RIGHT, CROWD + 1))
        await until(lambda: len(place.desk.calls) == 5)

    play(scene)


def test_an_escalation_pings_who_is_named_for_it_and_nobody_else() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        settings = place.desk.settings[str(place.guild)]
        await put_settings(place.desk, replace(settings, urgent=(str(place.dal), str(place.staff_role))))
        message = await opened(place, heard)
        assert isinstance(await heard.chat.perform(place.planned(Escalate(), message)), Done)
        (posted,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        assert posted.body["content"] == f"<@{place.dal}> <@&{place.staff_role}>"
        assert posted.body["nonce"] == "10-escalate"
        assert "everyone" not in posted.body["allowed_mentions"]["parse"]

    play(scene)


def test_d23_a_card_is_posted_with_the_incident_as_its_nonce() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        await shown(place, heard, 5)
        (posted,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        assert (posted.body["nonce"], posted.body["enforce_nonce"]) == ("5-flag", True)
        assert len(posted.body["nonce"]) <= 25

    play(scene)


def test_without_a_moderators_channel_a_card_is_refused() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await opened(place, heard)
        place.desk.settings.clear()
        outcome = await heard.chat.perform(place.planned(Flag(), message))
        assert outcome == Refused(NO_ROOM)

    play(scene)


@pytest.mark.parametrize("status", [403, 500])
def test_a_card_that_cannot_be_posted_is_not_counted_as_shown(status: int) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await opened(place, heard)
        place.wire.trouble("POST", f"/channels/{place.mods}/messages", 503 if status == 500 else status)
        flag = place.planned(Flag(), message)
        if status == 403:
            assert isinstance(await heard.chat.perform(flag), Refused)
        else:
            with pytest.raises(Unavailable):
                await heard.chat.perform(flag)
        assert isinstance(await heard.chat.perform(flag), Done)

    play(scene)


def test_no_view_is_kept_for_a_card() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        for number in range(3):
            await shown(place, heard, number, by=place.join(str(number)))
        assert not heard.chat.client.persistent_views

    play(scene)


def test_after_a_restart_an_incident_that_was_shown_is_not_shown_again() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with listening(place) as heard:
                card = await shown(place, heard, 1)
                await shown(place, heard, 2)
                message = heard.messages[0]
            async with listening(place) as heard:
                again = [place.planned(Flag(), message, incident=number) for number in (1, 2, 1, 2)]
                outcomes = await asyncio.gather(*map(heard.chat.perform, again))
                assert outcomes == [Done(f"{place.mods}/{card.id}")] * 4
                assert len(place.wire.made("POST", f"/channels/{place.mods}/messages")) == 1
                looked = place.wire.made("GET", f"/channels/{place.mods}/messages")
                assert len(looked) <= 3  # once in each process, and once to catch up

    asyncio.run(scenario())


@pytest.mark.parametrize("changed", [1, 2])
def test_after_a_restart_a_card_catches_up_with_the_record(changed: int) -> None:
    """Its process was killed between recording and showing. Any change in that server will do, and after it the card
    follows its incident as ever."""

    async def scenario() -> None:
        async with cafe() as place:
            here = CommunityRef(DISCORD, str(place.guild))
            async with listening(place) as heard:
                card = await shown(place, heard, 1)
            place.desk.incidents[1] = with_outcome(place.desk.incidents[1], Refused("권한 없음"))
            async with listening(place) as heard:
                heard.chat.incident_changed(here, changed)
                await until(lambda: "권한 없음" in str(card.embeds))
                place.desk.incidents[1] = with_outcome(place.desk.incidents[1], Done())
                heard.chat.incident_changed(here, 1)
                await until(lambda: "권한 없음" not in str(card.embeds))
                heard.chat.incident_changed(here, 1)
                await heard.nothing_more()
                edited = place.wire.made("PATCH", f"/channels/{place.mods}/messages/{card.id}")
                assert len(edited) == 2, "what would look the same is not sent"

    asyncio.run(scenario())


def test_a_change_before_discord_is_there_does_no_harm() -> None:
    """An action that was put off because nobody is logged in yet is a change, too."""

    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat()
            chat.incident_changed(CommunityRef(DISCORD, str(place.guild)), 1)
            await asyncio.sleep(0.05)
            async with listening(place, chat) as heard:
                await shown(place, heard, 1)

    asyncio.run(scenario())


def with_outcome(incident: Incident, deleted: Outcome) -> Incident:
    return replace(incident, outcomes=((Delete(), deleted), *incident.outcomes[1:]))


@pytest.mark.parametrize(
    ("button", "right"),
    [
        (Button.RIGHT, "manage_messages"),
        (Button.REVEAL, "manage_messages"),
        (Button.TIMEOUT, "moderate_members"),
        (Button.BAN, "ban_members"),
    ],
)
def test_a_button_takes_the_right_that_discord_would_ask_for(button: Button, right: str) -> None:
    """The bot's own permissions are nobody else's: who may only delete bans nobody through it."""

    async def scene(place: Cafe, heard: Heard) -> None:
        say, card = texts("en"), await shown(place, heard)
        every = {"manage_messages", "moderate_members", "kick_members", "ban_members"}
        without = discord.Permissions(**dict.fromkeys(every - {right}, True))
        alone = discord.Permissions(**{right: True})
        roles = [
            place.wire.backend.create_role(place.guild, "역할", permissions=one.value).id for one in (without, alone)
        ]
        lacks, holds = (place.join(str(number), role) for number, role in enumerate(roles))
        place.wire.click(lacks, place.mods, card.id, press_id(button, 1))
        await until(lambda: answers(place) == [say("discord.needs_right", permissions=say[f"permission.{right}"])])
        assert not place.desk.calls
        place.wire.click(holds, place.mods, card.id, press_id(button, 1))
        await until(lambda: place.desk.calls or "나쁜 말" in answers(place)[-1])

    play(scene)


def test_nobody_sanctions_who_stands_as_high_as_they_do() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        backend = place.wire.backend
        powers = discord.Permissions(ban_members=True, moderate_members=True).value
        low = backend.create_role(place.guild, "아래", permissions=powers).id
        high = backend.create_role(place.guild, "위", position=5).id
        card = await shown(place, heard, by=place.join("높은 회원", high))
        weak = place.join("낮은 운영진", low)
        told: list[str] = []
        for button in (Button.BAN, Button.TIMEOUT):
            place.wire.click(weak, place.mods, card.id, press_id(button, 1))
            told.append(texts("en")["discord.not_above"])
            await until(lambda: answers(place) == told)
        assert not place.desk.calls
        place.wire.click(place.owner, place.mods, card.id, press_id(Button.BAN, 1))
        await until(lambda: place.desk.calls == [(1, Call.BAN, str(place.owner))])

    play(scene)


def test_what_a_call_on_a_whole_card_may_not_touch_is_left_out() -> None:
    """Every number in the footer is looked up in this server, and its author compared."""

    async def scene(place: Cafe, heard: Heard) -> None:
        card = await shown(place, heard, 1)
        await shown(place, heard, 2)
        await until(lambda: card.embeds[0]["footer"]["text"] == "#1 · #2")
        incident = place.desk.incidents[2]
        elsewhere = replace(incident.decision.message, community_id="1")
        place.desk.incidents[2] = replace(incident, decision=replace(incident.decision, message=elsewhere))
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.TIMEOUT, 1))
        await until(lambda: place.desk.calls)
        await heard.nothing_more()
        assert place.desk.calls == [(1, Call.TIMEOUT, str(place.dal))]

    play(scene)


def test_without_anybody_named_an_escalation_calls_the_owner() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        message = await opened(place, heard)
        await heard.chat.perform(place.planned(Escalate(), message))
        (posted,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        assert posted.body["content"] == f"<@{place.owner}>"

    play(scene)


def test_of_a_long_message_the_reasons_and_every_word_are_shown() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        text = "나쁜 말 " + "가나다라 " * 390 + "[끝 말](https://evil.example/x)"
        card = await shown(place, heard, text=text)
        place.wire.click(place.dal, place.mods, card.id, press_id(Button.REVEAL, 1))
        await until(lambda: len(answers(place)) == 2)
        first, second = answers(place)
        assert first.startswith(texts("en")["why.by_person"]) and max(len(first), len(second)) <= 2000
        assert "\\[끝 말](https://evil.example/x)" in first + second  # no link, whatever it looks like

    play(scene)


def test_cards_that_wait_to_be_written_anew_end_with_their_chat() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            chat = place.chat()
            async with listening(place, chat):
                chat.incident_changed(guild_ref(place.guild), 1, emptied=True)
                assert len(chat._posted.errands) == 1
            assert not chat._posted.errands

    asyncio.run(scenario())


def test_a_quarrels_card_mentions_the_other() -> None:
    found = replace(incident(), decision=replace(incident().decision, findings=(quarrel("8"),)))
    embed = drawn(found, NOBODY, "UTC", [12], ["7"]).embed
    assert [field.value for field in embed.fields if field.name == "상대"] == ["<@8>"]
