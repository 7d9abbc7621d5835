"""ChatPlatform: what every chat network must do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.chat.message import Kind, Message
from bot.core.chat.post import Attachment, Post
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import ChatPlatform
from bot.core.rules.actions import Action, Ban, Delete, Done, Gone, Timeout, Unsanction, Weight
from bot.core.rules.policy import Reason
from tests.builders import DISCORD, REHEARSAL
from tests.contracts.chats import PLACES, Place

Play = Callable[[Callable[[Place], Awaitable[None]]], None]


@pytest.fixture(params=PLACES)
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene in a fresh place of each network."""

    def run(scene: Callable[[Place], Awaitable[None]]) -> None:
        async def scenario() -> None:
            async with PLACES[request.param](tmp_path) as place:
                await scene(place)

        asyncio.run(scenario())

    return run


Act = Callable[[list[Message]], Awaitable[None]]


async def hear(chat: ChatPlatform, count: int, *, act: Act | None = None) -> list[Message]:
    """The first `count` messages; `act` happens while the chat is still connected."""
    heard: list[Message] = []
    async with asyncio.timeout(60), aclosing(chat.messages()) as batches:
        async for batch in batches:
            heard += batch
            if len(heard) >= count:
                if act:
                    await act(heard)
                break
    return heard


def planned(action: Action, message: Message) -> PlannedAction:
    reason = Reason(ko="욕설", en="Insult")
    return PlannedAction(
        id=1, incident_id=1, action=action, message=message, rule="insult", reason=reason, language="ko"
    )


def test_it_is_known_whether_it_hears(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect(["안녕"])
        assert chat.connection.is_up is (chat.platform == REHEARSAL), "a transcript is always there"

        async def look(heard: list[Message]) -> None:
            assert chat.connection.is_up

        await hear(chat, 1, act=look)

    play(scene)


def test_who_wrote_a_message_can_be_met(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect(["안녕"])

        async def meet(heard: list[Message]) -> None:
            unmet = replace(heard[0], author=replace(heard[0].author, roles=frozenset(), unmet=True))
            if heard[0].ref.platform == DISCORD:  # the others say with every message who wrote it
                heard[0] = unmet
            met = await chat.meet(heard[0])
            assert (met.id, met.unmet, met.is_staff) == (heard[0].author.id, False, False)

        await hear(chat, 1, act=meet)

    play(scene)


def test_what_is_said_arrives_once_in_order_and_complete(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect(["하나", "둘", "셋"])
        messages = await hear(chat, 3)
        assert [message.text for message in messages] == ["하나", "둘", "셋"]
        assert len({message.ref for message in messages}) == 3
        for message in messages:
            assert message.ref.platform == chat.platform
            assert message.kind is Kind.NEW
            assert message.sent_at.utcoffset() == timedelta(0)
            assert message.community_id and message.ref.channel_id and message.author.id
            assert not (message.author.bot or message.author.myself or message.author.is_staff)

    play(scene)


def test_an_edit_is_a_higher_revision_of_the_same_message(play: Play) -> None:
    async def scene(place: Place) -> None:
        before, after = await hear(place.connect(["하나"], edited="둘"), 2)
        assert (after.text, after.kind) == ("둘", Kind.EDIT)
        assert after.ref.revision > before.ref.revision
        assert replace(after.ref, revision=0) == replace(before.ref, revision=0)

    play(scene)


def test_what_was_not_confirmed_is_delivered_again_as_the_same(play: Play) -> None:
    async def scene(place: Place) -> None:
        (first,) = await hear(place.connect(["하나"]), 1)  # the process dies before it asks for the next batch
        again = await hear(place.connect(["둘"]), 2)
        assert {message.ref for message in again} > {first.ref}

    play(scene)


def test_repeating_what_is_repeatable_is_harmless(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect(["나쁜 말"])

        async def act(heard: list[Message]) -> None:
            for action in (Delete(), Timeout(timedelta(minutes=5)), Unsanction(), Ban(), Unsanction()):
                assert action.repeatable and action.weight >= Weight.MESSAGE
                assert isinstance(await chat.perform(planned(action, heard[0])), Done | Gone)
                assert isinstance(await chat.perform(planned(action, heard[0])), Done | Gone)

        await hear(chat, 1, act=act)

    play(scene)


def test_actions_at_once_are_all_done(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect([f"나쁜 말 {number}" for number in range(20)])

        async def act(heard: list[Message]) -> None:
            deletes = (planned(Delete(), message) for message in heard[:20])
            assert await asyncio.gather(*map(chat.perform, deletes)) == [Done()] * 20

        await hear(chat, 20, act=act)

    play(scene)


def test_an_announcement_is_made_or_passed_over(play: Play) -> None:
    async def scene(place: Place) -> None:
        chat = place.connect(["하나"])

        async def act(heard: list[Message]) -> None:
            for channel_id in (heard[0].ref.channel_id, "-100999999"):
                await chat.announce(channel_id, "판정기가 돌아왔습니다.")

        await hear(chat, 1, act=act)

    play(scene)


def test_a_report_is_posted_or_it_is_said_why_not(play: Play) -> None:
    report = Post(
        text="세 문장.",
        picture=Attachment(name="w.png", content=b"png", description="한 주의 그림"),
        files=tuple(Attachment(name=f"w.{kind}", content=b"-", description="보고") for kind in ("html", "pdf", "csv")),
    )

    async def scene(place: Place) -> None:
        chat = place.connect(["하나"])

        async def act(heard: list[Message]) -> None:
            here = heard[0].ref.channel_id
            outcomes = [await chat.publish(here, post, mark=str(n)) for n, post in enumerate(lighter(report))]
            assert all(isinstance(outcome, Done) for outcome in outcomes)
            if chat.platform != REHEARSAL:
                assert all(isinstance(outcome, Done) and outcome.receipt.startswith(here) for outcome in outcomes)
                assert await chat.publish("-100999999", report, mark="9") == Gone()

        await hear(chat, 1, act=act)

    play(scene)


def lighter(post: Post) -> list[Post]:
    """A post with all its files, with one less, and so on."""
    less = post.lighter()
    return [post, *(lighter(less) if less else ())]
