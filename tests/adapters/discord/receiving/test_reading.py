"""What an unmodified discord.py hears over TCP -> messages: every place where text hides, and nothing of our own."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import discord
import pytest
from simcord.backend import serializers
from simcord.backend.models import MessageSticker, Poll, PollAnswer
from simcord.enums import MessageType

from adapters.chat.discord.receiving.reading import revision
from bot.core.chat.links import Link, LinkKind
from bot.core.chat.message import Kind, Media, Message, Origin, OriginKind
from tests.adapters.discord.cafe import Cafe, cafe, listening
from tests.servers.waiting import until

COMPONENTS_V2 = 1 << 15


def read(write: Any, *, count: int = 1) -> list[Message]:
    """What is heard when `write(cafe)` has happened in front of a connected bot."""

    async def scenario() -> list[Message]:
        async with cafe() as place, listening(place) as heard:
            write(place)
            await heard.until(count)
            return await heard.nothing_more()

    return asyncio.run(scenario())


def by_bot(place: Cafe) -> int:
    return place.join("도우미봇", bot=True)


def test_a_message_comes_with_everything_that_rules_and_actions_need() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            text = f"안녕 <@{place.dal}> <@&{place.staff_role}> 모두"
            written = place.write(text)
            (message,) = await heard.until()
            assert message.ref.channel_id == str(place.general)
            assert message.ref.message_id == str(written.id)
            assert (message.ref.revision, message.kind) == (0, Kind.NEW)
            assert message.community_id == str(place.guild)
            assert message.channel_name == "잡담"
            assert (message.author.id, message.author.name) == (str(place.minji), "민지")
            assert (message.author.roles, message.author.bot, message.author.is_staff) == (frozenset(), False, False)
            assert message.text == text
            assert message.mentions == 2
            assert abs(message.sent_at - datetime.now(UTC)) < timedelta(seconds=10)
            assert message.author.since is not None
            assert message.reply_to is None and message.prompt is None

    asyncio.run(scenario())


def test_d1_d5_only_the_intents_that_are_used_are_asked_for() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place):
            asked = discord.Intents._from_value(place.wire.intents)
            assert asked == discord.Intents(
                guilds=True, moderation=True, guild_messages=True, message_content=True, auto_moderation_execution=True
            )

    asyncio.run(scenario())


def test_d16_the_client_is_an_auto_sharded_one() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            assert isinstance(heard.chat.client, discord.AutoShardedClient)

    asyncio.run(scenario())


def test_d38_d39_a_forward_is_read_from_its_snapshot() -> None:
    def write(place: Cafe) -> None:
        source = place.write("원래 글", attachments=[_file("비밀.png", "대체 글")])
        reference = {"type": 1, "message_id": str(source.id), "channel_id": str(place.general)}
        place.write("", reference=reference, by=place.dal)

    _, forwarded = read(write, count=2)
    assert forwarded.text.split("\n") == ["원래 글", "비밀.png", "대체 글"]
    assert forwarded.reply_to is None


def test_d40_components_v2_are_read_with_all_that_they_hold() -> None:
    def words(place: Cafe) -> None:
        section = {
            "type": 9,
            "components": [{"type": 10, "content": "구획의 글"}],
            "accessory": {"type": 2, "style": 5, "label": "단추의 글", "url": "https://example.com"},
        }
        menu = {
            "type": 3,
            "custom_id": "m",
            "placeholder": "고르세요",
            "options": [{"label": "가", "value": "숨은 값", "description": "가의 설명"}],
        }
        container = {
            "type": 17,
            "components": [{"type": 10, "content": "상자 속 글"}, section, {"type": 1, "components": [menu]}],
        }
        components = [{"type": 10, "content": "첫 글"}, container]
        place.write("", by=by_bot(place), components=components, flags=COMPONENTS_V2)

    (message,) = read(words)
    assert message.text.split("\n") == ["첫 글", "상자 속 글", "구획의 글", "단추의 글", "고르세요", "가", "가의 설명"]


def test_d41_components_that_cannot_be_read_raise_an_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    def write(place: Cafe) -> None:
        known = {"type": 10, "content": "글"}
        written = place.write("", by=by_bot(place), components=[known], flags=COMPONENTS_V2)
        payload = dict(serializers.message_payload(place.wire.backend, written))
        payload |= {"id": str(written.id + 1), "components": [{"type": 99, "content": "모르는 것"}]}
        place.wire.backend.emit("MESSAGE_CREATE", payload)

    assert [message.text for message in read(write, count=2)] == ["글", ""]
    assert "".join(capsys.readouterr()).count("components that we cannot read") == 1


def test_d42_a_poll_is_its_question_and_its_answers() -> None:
    answers = [PollAnswer(1, "국밥"), PollAnswer(2, "냉면")]
    poll = Poll(question="점심?", answers=answers, expiry="2030-01-01T00:00:00+00:00")
    (message,) = read(lambda place: place.write("", poll=poll))
    assert message.text == "점심?\n국밥\n냉면"


def test_d43_the_embeds_of_bots_are_read_whole() -> None:
    embed = {
        "type": "rich",
        "author": {"name": "글쓴이"},
        "title": "제목",
        "description": "설명",
        "fields": [{"name": "항목", "value": "값"}],
        "footer": {"text": "끝"},
    }
    (message,) = read(lambda place: place.write("", by=by_bot(place), embeds=[embed]))
    assert message.text == "글쓴이\n제목\n설명\n항목\n값\n끝"
    assert message.author.bot


def test_d46_file_names_stickers_and_the_beginning_of_text_files_are_read() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            place.wire.files["글.txt"] = ("나" * 40_000).encode()
            text_file = _file("글.txt") | {
                "url": f"http://127.0.0.1:{place.wire.port}/files/글.txt",
                "content_type": "text/plain",
            }
            sticker = MessageSticker(id=5, name="메롱", format_type=1, guild_id=place.guild)
            place.write("", attachments=[_file("욕설.png"), text_file], stickers=[sticker])
            (message,) = await heard.until()
            *names, attached = message.text.split("\n")
            assert names == ["욕설.png", "글.txt", "메롱"]
            assert attached.startswith("나" * 21_845) and len(attached.encode()) <= 64 * 1024 + 2

    asyncio.run(scenario())


def test_d46_the_title_of_a_file_is_read_before_its_name() -> None:
    """Discord keeps only ASCII of a file's name and what people see as its title, in forwards, too."""

    def write(place: Cafe) -> None:
        source = place.write("", attachments=[_file("_.png") | {"title": "개새끼 죽어라"}])
        reference = {"type": 1, "message_id": str(source.id), "channel_id": str(place.general)}
        place.write("", reference=reference)

    assert [message.text for message in read(write, count=2)] == ["개새끼 죽어라"] * 2


def test_the_names_of_files_are_kept_apart_from_what_was_typed() -> None:
    (message,) = read(lambda place: place.write("봐", attachments=[_file("image.png", "대체 글"), _file("b.png")]))
    assert message.text == "봐\nimage.png\n대체 글\nb.png"
    assert message.typed == "봐\n대체 글"
    assert (message.extra["content"], message.extra["files"]) == ("봐", "image.png\nb.png")


def test_links_forwards_and_media_come_as_data() -> None:
    def write(place: Cafe) -> None:
        picture = _file("a.png") | {"content_type": "image/png"}
        clip = _file("b.gif") | {"content_type": "image/gif"}
        text = "[여기\n보세요](https://evil.example/a) (https://youtube.com) <https://x.kr/b>, discord.gg/abc"
        source = place.write(text, attachments=[picture, clip, _file("c.zip")])
        place.write("", reference={"type": 1, "message_id": str(source.id), "channel_id": str(place.general)})
        button = {"type": 2, "style": 5, "label": "열기", "url": "https://discord.com/invite/abc"}
        place.write("글", by=by_bot(place), components=[{"type": 1, "components": [button]}])

    said, forwarded, bots = read(write, count=3)
    assert (
        said.links
        == forwarded.links
        == (
            Link(LinkKind.WEB, "https://evil.example/a", "여기\n보세요"),
            Link(LinkKind.WEB, "https://youtube.com"),
            Link(LinkKind.WEB, "https://x.kr/b"),
            Link(LinkKind.INVITE, "https://discord.gg/abc"),
        )
    )
    assert said.media == forwarded.media == {Media.PHOTO, Media.ANIMATION, Media.FILE}
    assert (said.forwarded, forwarded.forwarded) == (None, Origin(OriginKind.CHANNEL, "잡담"))
    assert bots.links == (Link(LinkKind.INVITE, "https://discord.com/invite/abc", "열기"),)
    assert bots.media == {Media.BUTTONS}


def test_who_is_named_twice_counts_once() -> None:
    (message,) = read(lambda place: place.write(f"<@{place.dal}> <@!{place.dal}> <@{place.dal}> <@{place.owner}>"))
    assert message.mentions == 2


def test_a_thread_lies_in_its_channel_and_that_in_its_category() -> None:
    """By id and by the name that staff gave; a thread's title and a voice channel's name are members' words."""

    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            backend = place.wire.backend
            category = backend.create_channel(place.guild, "장터", type=4).id
            channel = backend.create_channel(place.guild, "거래", parent_id=category).id
            voice = backend.create_channel(place.guild, "내 방", type=2, parent_id=category).id
            thread = backend.create_thread(channel, "공지", place.dal).id
            for where in (channel, thread, voice):
                await until(partial(heard.chat.client.get_channel, where))
                place.write("글", channel=where)
            said = {m.ref.channel_id: m.within for m in await heard.until(4) if m.text == "글"}
            assert said[str(channel)] == {"거래", "장터", str(category)}
            assert said[str(thread)] == {"거래", "장터", str(channel), str(category)}
            assert said[str(voice)] == {"장터", str(category)}

    asyncio.run(scenario())


def test_a_text_file_that_cannot_be_had_leaves_its_name() -> None:
    lost = _file("글.txt") | {"url": "http://127.0.0.1:9/글.txt", "content_type": "text/plain"}
    (message,) = read(lambda place: place.write("봐", attachments=[lost]))
    assert message.text == "봐\n글.txt"


def test_d44_the_title_of_a_new_thread_is_read_with_its_owner() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            thread = place.wire.backend.create_thread(place.general, "제목에 쓴 글", place.dal)
            (title,) = await heard.until()
            assert title.text == "제목에 쓴 글"
            assert title.ref.channel_id == str(thread.id)
            owner = await heard.chat.meet(title)
            assert title.author.unmet and owner.id == title.author.id == str(place.dal) and owner.is_staff
            place.write("스레드 안", channel=thread.id)
            assert (await heard.until(2))[1].extra["parent"] == str(place.general)

    asyncio.run(scenario())


def test_d45_a_new_title_is_read_from_the_message_that_announces_it() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            thread = place.wire.backend.create_thread(place.general, "처음", place.minji)
            await heard.until()
            place.write("바꾼 제목", channel=thread.id, message_type=MessageType.CHANNEL_NAME_CHANGE)
            _, renamed = await heard.until(2)
            assert (renamed.text, renamed.extra["title"]) == ("바꾼 제목", str(thread.id))

    asyncio.run(scenario())


def test_d47_own_messages_and_automods_are_not_heard() -> None:
    def write(place: Cafe) -> None:
        place.write("우리가 쓴 글", by=place.me)
        place.write("자동 차단", message_type=MessageType.AUTO_MODERATION_ACTION)
        hook = place.wire.backend.create_webhook(place.general, "지킴이", place.me)
        place.write("되살린 글", by=place.me, webhook_id=hook.id)
        place.write("남이 쓴 글")

    assert [message.text for message in read(write)] == ["남이 쓴 글"]


def test_d48_a_webhook_writes_under_a_name_and_is_no_member() -> None:
    def write(place: Cafe) -> None:
        hook = place.wire.backend.create_webhook(place.general, "다른 훅", place.minji)
        user = place.wire.backend.make_user("훅", bot=True)
        place.write("훅이 쓴 글", by=user.id, webhook_id=hook.id, author_name="가짜 민지")

    (message,) = read(write)
    assert message.author.name == "가짜 민지"
    assert message.extra["webhook"] == message.author.id
    assert message.author.no_account and not message.author.bot and not message.author.is_staff


def test_d49_d50_an_edit_is_heard_though_nothing_is_cached() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            before = place.write("예전에 쓴 글")
            async with listening(place) as heard:
                place.wire.backend.edit_message(place.general, before.id, {"content": "고친 글"})
                (edit,) = await heard.until()
                assert (edit.kind, edit.text) == (Kind.EDIT, "고친 글")
                assert edit.ref.revision > 0 and edit.sent_at > datetime.now(UTC) - timedelta(seconds=10)
                assert edit.author.id == str(place.minji)
                assert not heard.chat.client.cached_messages

    asyncio.run(scenario())


def test_every_edit_is_a_higher_revision_and_the_same_in_every_delivery() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            written = place.write("하나")
            for number, text in enumerate(("둘", "셋"), 2):
                await asyncio.sleep(0.01)
                place.wire.backend.edit_message(place.general, written.id, {"content": text})
                await heard.until(number)
            revisions = [message.ref.revision for message in heard.messages]
            assert revisions == sorted(set(revisions))
            last = heard.messages[-1].ref
            again = [message async for message in heard.chat.client.get_partial_messageable(place.general).history()]
            assert revision(again[0]) == last.revision

    asyncio.run(scenario())


def test_d51_link_previews_and_pins_are_no_edits() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            written = place.write("https://example.com 보세요")
            await heard.until()
            preview = {"type": "link", "title": "남의 제목", "url": "https://example.com"}
            place.wire.backend.edit_message(place.general, written.id, {"embeds": [preview]})
            place.wire.backend.set_pinned(place.general, written.id, True)
            assert len(await heard.nothing_more()) == 1

    asyncio.run(scenario())


def test_d52_deletions_carry_ids_only() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            ids = [place.write(str(number)).id for number in range(3)]
            await heard.until(3)
            place.wire.backend.delete_message(place.general, ids[0])
            place.wire.backend.bulk_delete_messages(place.general, ids[1:])
            gone = (await heard.until(6))[3:]
            assert [message.kind for message in gone] == [Kind.DELETE] * 3
            assert [message.ref.message_id for message in gone] == list(map(str, ids))
            assert all(message.ref.revision > 10**15 and message.text == "" for message in gone)

    asyncio.run(scenario())


def test_who_may_moderate_is_staff_and_who_only_says_so_is_not() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            backend = place.wire.backend
            pretender = backend.create_role(place.guild, "admin").id
            everything = discord.Permissions(administrator=True).value
            boss = backend.create_role(place.guild, "대장", permissions=everything).id
            for who in (place.owner, place.dal, place.join("새봄", boss), place.join("가짜", pretender)):
                place.write("글", by=who)
            owner, moderator, admin, fake = await heard.until(4)
            assert "owner" in owner.author.roles
            assert {"moderator", "운영진", str(place.staff_role)} <= moderator.author.roles
            assert "admin" in admin.author.roles
            assert not fake.author.is_staff and str(pretender) in fake.author.roles

    asyncio.run(scenario())


def test_c1_the_prompt_of_a_bots_answer_is_the_message_it_replies_to() -> None:
    def write(place: Cafe) -> None:
        asked = place.write("폭탄 만드는 법?")
        reference = {"type": 0, "message_id": str(asked.id), "channel_id": str(place.general)}
        place.write("알려 드릴 수 없습니다", by=by_bot(place), reference=reference)
        place.write("나도 궁금", reference=reference)

    asked, answer, person = read(write, count=3)
    assert (answer.prompt, answer.reply_to) == (asked.text, asked.ref.message_id)
    assert (person.prompt, person.reply_to) == (None, asked.ref.message_id)


def test_c2_a_slash_answer_says_who_asked_and_not_what() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            bot = by_bot(place)
            metadata = {
                "id": "1",
                "type": 2,
                "user": {"id": str(place.minji), "username": "민지", "discriminator": "0", "avatar": None},
                "authorizing_integration_owners": {},
            }
            place.write("대답", by=bot, message_type=MessageType.CHAT_INPUT_COMMAND, interaction_metadata=metadata)
            (answer,) = await heard.until()
            assert answer.prompt is None
            assert answer.extra["asked_by"] == str(place.minji)

    asyncio.run(scenario())


def test_a_bot_that_still_thinks_has_said_nothing() -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            metadata = {
                "id": "1",
                "type": 2,
                "user": {"id": str(place.minji), "username": "민지", "discriminator": "0", "avatar": None},
                "authorizing_integration_owners": {},
            }
            thinking = place.write("", by=by_bot(place), flags=1 << 7, interaction_metadata=metadata)
            assert await heard.nothing_more() == []
            place.wire.backend.edit_message(place.general, thinking.id, {"content": "다 생각했다"})
            assert [message.text for message in await heard.until()] == ["다 생각했다"]

    asyncio.run(scenario())


def _file(name: str, description: str | None = None) -> dict[str, Any]:
    file = {"id": "7", "filename": name, "size": 10, "url": "http://127.0.0.1:9/x", "proxy_url": "http://127.0.0.1:9/x"}
    return file | ({"description": description} if description else {})
