"""Reports on Discord, over TCP: one message, whatever is too large and whatever answer is lost."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.chat.discord.errors import lacking
from bot.core.base.errors import Unavailable
from bot.core.chat.post import Attachment, Post
from bot.core.rules.actions import Done, Gone, Refused, Unconfirmed
from tests.adapters.discord.cafe import Cafe, Heard, play


def file(name: str, size: int = 10) -> Attachment:
    return Attachment(name=name, content=b"x" * size, description=f"what {name} shows")


def post(**sizes: int) -> Post:
    files = tuple(file(f"w.{kind}", sizes.get(kind, 10)) for kind in ("html", "pdf", "csv"))
    return Post(text="세 문장.", picture=file("w.png", sizes.get("png", 10)), files=files)


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.chat.discord.moderators.posting.AGAIN", (0.01, 0.01, 0.01))


def posted(place: Cafe) -> list[Any]:
    return list(place.wire.backend.messages[place.mods].values())


def test_one_message_holds_text_picture_files_and_their_descriptions() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        outcome = await heard.chat.publish(str(place.mods), post(), mark="report-1")
        (message,) = posted(place)
        assert outcome == Done(f"{place.mods}/{message.id}")
        assert message.content == "세 문장."
        assert [one["filename"] for one in message.attachments] == ["w.png", "w.html", "w.pdf", "w.csv"]
        (call,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        assert next(one["description"] for one in call.body["attachments"]) == "what w.png shows"
        assert (call.body["nonce"], call.body["enforce_nonce"]) == ("report-1", True)

    play(scene)


def test_the_same_mark_is_not_posted_twice() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        first, second, other = [
            await heard.chat.publish(str(place.mods), post(), mark=mark) for mark in ("a", "a", "b")
        ]
        assert first == second != other and len(posted(place)) == 2

    play(scene)


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.lost = 2
        outcome = await heard.chat.publish(str(place.mods), post(), mark="report-1")
        (message,) = posted(place)
        assert outcome == Done(f"{place.mods}/{message.id}")

    play(scene)


def test_an_answer_that_stays_lost_is_unconfirmed() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.trouble("POST", f"/channels/{place.mods}/messages", 0, times=100)
        assert await heard.chat.publish(str(place.mods), post(), mark="report-1") == Unconfirmed()

    play(scene)


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ({"pdf": 11}, ["w.png", "w.html", "w.csv"]),
        ({"html": 11, "pdf": 11}, ["w.png", "w.csv"]),
        ({"html": 11, "pdf": 11, "csv": 11}, ["w.png"]),
        ({"png": 11, "html": 11, "pdf": 11, "csv": 11}, []),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_is_too_large_is_left_out_and_the_text_says_how_to_get_it(
    sizes: dict[str, int], left: list[str], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`known`: discord.py knows the server's limit; else Discord says so."""

    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.file_limit = 1000
        if known:
            monkeypatch.setattr("discord.Guild.filesize_limit", 1000)
        large = {kind: 100 * size for kind, size in sizes.items()}
        assert isinstance(await heard.chat.publish(str(place.mods), post(**large), mark="1"), Done)
        (message,) = posted(place)
        assert [one["filename"] for one in message.attachments] == left
        assert all(f"w.{kind}" in message.content for kind in sizes) and "/지킴이 보고" in message.content

    play(scene)


def test_a_long_text_is_cut() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        long = replace(post(), text="가" * 5000)
        assert isinstance(await heard.chat.publish(str(place.mods), long, mark="1"), Done)
        assert len(posted(place)[0].content) == 2000

    play(scene)


def test_what_discord_answers_becomes_an_outcome() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        assert await heard.chat.publish("1", post(), mark="1") == Gone()
        path = f"/channels/{place.mods}/messages"
        place.wire.trouble("POST", path, 403)
        refused = await heard.chat.publish(str(place.mods), post(), mark="2")
        assert refused == Refused(lacking(["attach_files"]))
        place.wire.trouble("POST", path, 505)
        with pytest.raises(Unavailable):
            await heard.chat.publish(str(place.mods), post(), mark="3")
        assert posted(place) == []

    play(scene)
