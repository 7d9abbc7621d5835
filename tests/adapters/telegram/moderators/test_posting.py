"""Reports on Telegram, over TCP: a captioned picture and an album of files."""

import asyncio
from dataclasses import replace

import pytest

from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import Unavailable
from bot.core.chat.post import Attachment, Post
from bot.core.communities.community import Community
from bot.core.rules.actions import Done, Gone, Refused, Unconfirmed
from tests.adapters.telegram.stage import GROUP, Stage, played
from tests.builders import TELEGRAM, put_settings
from tests.servers.telegram import BOT_ID, Refusal, Upload, kinds, member

EVERYTHING = {"pdf": 2000, "html": 2000, "csv": 2000}


def file(name: str, size: int = 10) -> Attachment:
    return Attachment(name=name, content=b"x" * size, description=name)


def post(**sizes: int) -> Post:
    files = tuple(file(f"w.{kind}", sizes.get(kind, 10)) for kind in ("html", "pdf", "csv"))
    return Post(text="세 문장.", picture=file("w.png", sizes.get("png", 10)), files=files)


@played
async def test_a_picture_with_the_text_and_an_album_of_files(here: Stage) -> None:
    assert await here.chat.publish(str(GROUP), post(), mark="1") == Done(f"{GROUP}/1")
    photo, *files = here.group.messages.values()
    assert photo["caption"] == "세 문장."
    assert [one["document"]["file_name"] for one in files] == ["w.html", "w.pdf", "w.csv"]
    assert len({one["media_group_id"] for one in files}) == 1
    assert kinds(here.server.of("sendPhoto", "sendMediaGroup")) == {"sendPhoto": 1, "sendMediaGroup": 1}
    (call,) = here.server.of("sendPhoto")
    assert call.arguments["photo"] == Upload("w.png", b"x" * 10)


@played
async def test_a_text_too_long_for_a_caption_follows_the_picture(here: Stage) -> None:
    await here.chat.publish(str(GROUP), replace(post(), text="가" * 1024), mark="1")
    await here.chat.publish(str(GROUP), replace(post(), text="가" * 1025), mark="1")
    first, *_, second, text, _, _, _ = here.group.messages.values()
    assert first["caption"] == "가" * 1024 and "caption" not in second and text["text"] == "가" * 1025


@played
async def test_a_picture_that_is_no_photo_goes_as_a_file(here: Stage) -> None:
    here.server.fail("sendPhoto", Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
    assert isinstance(await here.chat.publish(str(GROUP), post(), mark="1"), Done)
    here.server.photo_limit = 1000
    assert isinstance(await here.chat.publish(str(GROUP), post(png=2000), mark="1"), Done)
    documents = here.server.of("sendDocument")
    assert [call.arguments["caption"] for call in documents] == ["세 문장."] * 2
    here.server.file_limit = 1000
    assert isinstance(await here.chat.publish(str(GROUP), post(png=2000), mark="1"), Done)
    (said,) = here.server.of("sendMessage")
    assert "세 문장." in said.arguments["text"] and "w.png" in said.arguments["text"]


@played
async def test_what_is_too_large_is_left_out_and_said(here: Stage) -> None:
    here.server.file_limit = 1000
    rooms = [here.server.group(-2000 - number) for number in range(3)]
    for room, sizes in zip(rooms, ({"pdf": 2000}, {"pdf": 2000, "html": 2000}, EVERYTHING), strict=True):
        assert isinstance(await here.chat.publish(str(room.id), post(**sizes), mark="1"), Done)
    photo, html, csv, told = rooms[0].messages.values()
    assert [one["document"]["file_name"] for one in (html, csv)] == ["w.html", "w.csv"]
    assert "w.pdf" in told["text"] and "/report" in told["text"] and "caption" in photo
    _, csv, told = rooms[1].messages.values()
    assert "w.html" in told["text"] and "document" in csv
    _, told = rooms[2].messages.values()
    assert "w.csv" in told["text"]


def test_a_file_that_is_known_to_be_too_large_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.chat.telegram.moderators.posting.LARGEST_FILE", 1000)

    @played
    async def scene(here: Stage) -> None:
        await here.chat.publish(str(GROUP), post(pdf=2000), mark="1")
        photo, *files = here.group.messages.values()
        assert "w.pdf" in photo["caption"] and len(files) == 2

    scene()


@played
async def test_an_answer_that_was_lost_is_unconfirmed_and_the_report_is_there_once(here: Stage) -> None:
    here.server.lose_answers.append("sendPhoto")
    assert await here.chat.publish(str(GROUP), post(), mark="1") == Unconfirmed()
    assert len(here.group.messages) == 1
    here.server.lose_answers.append("sendMediaGroup")
    assert isinstance(await here.chat.publish(str(GROUP), post(), mark="1"), Done)
    assert len(here.group.messages) == 1 + 4


@played
async def test_what_telegram_answers_becomes_an_outcome(here: Stage) -> None:
    assert await here.chat.publish("-100777", post(), mark="1") == Gone()
    here.server.fail("sendPhoto", Refusal(400, "Bad Request: not enough rights to send photos to the chat"))
    refused = await here.chat.publish(str(GROUP), post(), mark="1")
    assert isinstance(refused, Refused) and "photos" in refused.reason
    for code in (429, 500, 502):
        more = {"retry_after": 1} if code == 429 else {}
        here.server.fail("sendPhoto", Refusal(code, "trouble", **more))
        with pytest.raises(Unavailable):
            await here.chat.publish(str(GROUP), post(), mark="1")
        await asyncio.sleep(1.1 if code == 429 else 0)
    here.group.members[BOT_ID] = member(here.server.me, "left")
    assert isinstance(await here.chat.publish(str(GROUP), post(), mark="1"), Refused)


@played
async def test_a_group_that_became_a_supergroup_is_followed(here: Stage) -> None:
    old = here.server.group(-5, "group")
    await put_settings(here.policies, Community(platform=TELEGRAM, id="-5", report_channel="-5"))
    new = here.server.migrate(old, -1005, service="none")
    assert await here.chat.publish("-5", post(), mark="1") == Done("-1005/1")
    assert len(new.messages) == 4
    moved = here.policies.community(group_ref("-1005"))
    assert moved.report_channel == "-1005"
    assert await here.chat.publish("-5", post(), mark="1") == Done("-1005/5")


@played
async def test_reports_keep_to_the_limits_of_telegram(here: Stage) -> None:
    here.server.global_limit, here.server.group_limit = 30, 20
    for number in range(20):
        here.server.group(-2000 - number)
    outcomes = await asyncio.gather(*(here.chat.publish(str(-2000 - number), post(), mark="1") for number in range(20)))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert [call for call in here.server.calls if call.error] == []
