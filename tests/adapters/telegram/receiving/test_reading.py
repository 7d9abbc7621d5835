"""What is read of Telegram's messages: every place where text hides, and who really speaks; over TCP."""

import asyncio
import time
from typing import Any

import pytest

from adapters.chat.telegram.receiving.pairing import Pairs
from bot.core.chat.links import Link, LinkKind
from bot.core.chat.message import Kind, Media, Message, Origin, OriginKind
from tests.adapters.telegram.stage import GROUP, Stage, played, stage
from tests.servers.telegram import ANONYMOUS_ADMIN, BOT_ID, RIGHTS, Chat, member, user

FILE = {"file_id": "f", "file_unique_id": "u"}
OPTION = {"persistent_id": "1", "voter_count": 0}
POLL = {
    "id": "1", "question": "질문거리", "options": [{"text": "보기하나"} | OPTION, {"text": "보기둘"} | OPTION],
    "total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "quiz", "allows_multiple_answers": False,
    "allows_revoting": False, "members_only": False, "correct_option_ids": [0], "explanation": "풀이말",
    "description": "설명말",
    "explanation_entities": [{"type": "text_link", "offset": 0, "length": 3, "url": "https://evil.example/p"}],
}  # fmt: skip
CHANNEL = {"id": -1009, "type": "channel", "title": "먼 채널", "username": "far_channel"}
FORWARDED = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 3}
TASK = {"id": 1, "text": "할일말"}
CONTACT = {"phone_number": "010", "first_name": "이름말", "last_name": "성말", "vcard": "카드말"}
VENUE = {"location": {"latitude": 1, "longitude": 1}, "title": "장소말", "address": "주소말"}

#: What a message carries -> what must be read of it.
CARRIED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "t35_text_link": (
        {"text": "여기를 누르세요",
         "entities": [{"type": "text_link", "offset": 0, "length": 3, "url": "https://evil.example/"}]},
        ["여기를 누르세요", "https://evil.example/"],
    ),
    "t35_caption": (
        {"photo": [FILE | {"width": 9, "height": 9}], "caption": "설명글",
         "caption_entities": [{"type": "text_link", "offset": 0, "length": 3, "url": "https://evil.example/c"}]},
        ["설명글", "https://evil.example/c"],
    ),
    "t36_poll": ({"poll": POLL}, ["질문거리", "설명말", "보기하나", "보기둘", "풀이말", "https://evil.example/p"]),
    "t36_poll_option_added_later": (
        {"poll_option_added": {"option_persistent_id": "2", "option_text": "뒤늦은보기"}}, ["뒤늦은보기"],
    ),
    "t37_checklist": ({"checklist": {"title": "목록말", "tasks": [TASK]}}, ["목록말", "할일말"]),
    "t37_checklist_tasks_added_later": (
        {"checklist_tasks_added": {"tasks": [TASK | {"text": "뒤늦은일"}]}}, ["뒤늦은일"],
    ),
    "t38_external_quote": (
        {"text": "답", "quote": {"text": "인용말", "position": 0}, "external_reply": {"origin": FORWARDED}},
        ["답", "인용말", "먼 채널", "far_channel"],
    ),
    "t38_external_reply": (
        {"text": "답", "external_reply": {"origin": FORWARDED, "poll": POLL}}, ["답", "질문거리", "보기둘"],
    ),
    "t38_external_reply_with_a_contact": (
        {"text": "답", "external_reply": {"origin": FORWARDED, "contact": CONTACT}}, ["답", "이름말", "카드말"],
    ),
    "t38_external_reply_with_a_venue": (
        {"text": "답", "external_reply": {"origin": FORWARDED, "venue": VENUE}}, ["답", "장소말", "주소말"],
    ),
    "t38_external_reply_with_a_checklist": (
        {"text": "답", "external_reply": {"origin": FORWARDED, "checklist": {"title": "목록말", "tasks": [TASK]}}},
        ["답", "목록말", "할일말"],
    ),
    "t38_external_reply_with_a_file": (
        {"text": "답", "external_reply": {"origin": FORWARDED, "document": FILE | {"file_name": "먼파일.txt"}}},
        ["답", "먼파일.txt"],
    ),
    "t39_forward": ({"text": "옮긴말", "forward_origin": FORWARDED}, ["옮긴말", "먼 채널", "far_channel"]),
    "t39_forward_without_a_word": (
        {"photo": [FILE | {"width": 9, "height": 9}], "forward_origin": FORWARDED}, ["먼 채널", "far_channel"],
    ),
    "t39_story": ({"story": {"chat": CHANNEL, "id": 3}}, ["먼 채널", "far_channel"]),
    "t40_contact": (
        {"contact": CONTACT},
        ["이름말", "성말", "카드말"],
    ),
    "t40_venue": (
        {"location": {"latitude": 1, "longitude": 1}, "venue": VENUE},
        ["장소말", "주소말"],
    ),
    "t40_game": (
        {"game": {"title": "놀이말", "description": "놀이설명", "text": "놀이글",
                  "photo": [FILE | {"width": 9, "height": 9}]}},
        ["놀이말", "놀이설명", "놀이글"],
    ),
    "t40_giveaway": (
        {"giveaway": {"chats": [CHANNEL], "winners_selection_date": 1, "winner_count": 1,
                      "prize_description": "상품말"}},
        ["상품말"],
    ),
    "t40_document": ({"document": FILE | {"file_name": "나쁜파일.txt"}}, ["나쁜파일.txt"]),
    "t40_audio": (
        {"audio": FILE | {"duration": 1, "title": "노래말", "performer": "가수말", "file_name": "소리.mp3"}},
        ["노래말", "가수말", "소리.mp3"],
    ),
    "t40_video": ({"video": FILE | {"width": 1, "height": 1, "duration": 1, "file_name": "영상.mp4"}}, ["영상.mp4"]),
    "t40_sticker": (
        {"sticker": FILE | {"type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False,
                            "emoji": "😡", "set_name": "bad_words_by_bot"}},
        ["😡", "bad_words_by_bot"],
    ),
    "t40_animation": (
        {"animation": FILE | {"width": 1, "height": 1, "duration": 1, "file_name": "움짤.gif"}}, ["움짤.gif"],
    ),
    "t40_invoice": (
        {"invoice": {"title": "물건말", "description": "물건설명", "start_parameter": "x", "currency": "KRW",
                     "total_amount": 1}},
        ["물건말", "물건설명"],
    ),
    "t40_link_preview": (
        {"text": "보세요", "link_preview_options": {"url": "https://evil.example/l"}},
        ["보세요", "https://evil.example/l"],
    ),
    "t40_buttons": (
        {"text": "고르세요", "reply_markup": {"inline_keyboard": [[{"text": "단추말", "url": "https://evil.example/b"}]]}},
        ["고르세요", "단추말", "https://evil.example/b"],
    ),
    "t40_buttons_of_every_kind": (
        {"text": "고르세요", "reply_markup": {"inline_keyboard": [
            [{"text": "로그인말", "login_url": {"url": "https://evil.example/login"}},
             {"text": "앱말", "web_app": {"url": "https://evil.example/app"}}],
            [{"text": "복사말", "copy_text": {"text": "가입코드7777"}},
             {"text": "찾기말", "switch_inline_query": "토토문의"},
             {"text": "여기찾기", "switch_inline_query_current_chat": "여기문의"}],
        ]}},
        ["로그인말", "https://evil.example/login", "앱말", "https://evil.example/app", "복사말", "가입코드7777",
         "찾기말", "토토문의", "여기찾기", "여기문의"],
    ),
    "t40_topic_created": ({"forum_topic_created": {"name": "주제말", "icon_color": 1}}, ["주제말"]),
    "t40_topic_renamed": ({"forum_topic_edited": {"name": "새주제말"}}, ["새주제말"]),
    "t40_group_title": ({"new_chat_title": "새이름말"}, ["새이름말"]),
    "t41_rich_message": (
        {"rich_message": {"blocks": [
            {"type": "paragraph", "text": ["굵은 ", {"type": "bold", "text": "글씨말"}]},
            {"type": "list", "items": [{"label": "1", "blocks": [{"type": "paragraph", "text": "목록속말"}]}]},
            {"type": "details", "summary": "펼치기말", "blocks": [{"type": "paragraph", "text": "숨긴말"}]},
            {"type": "paragraph", "text": {"type": "url", "text": "겉말", "url": "https://evil.example/r"}},
        ]}},
        ["글씨말", "목록속말", "펼치기말", "숨긴말", "겉말", "https://evil.example/r"],
    ),
}  # fmt: skip


def _carries(content: dict[str, Any], expected: list[str]) -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.server.post(here.group, 7, **content)
            (message,) = await here.hear(1)
            assert [word for word in expected if word not in message.text] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t35")])
def test_t35_text_caption_and_hidden_links(kind: str) -> None:
    _carries(*CARRIED[kind])


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t36")])
def test_t36_polls_and_options_added_later(kind: str) -> None:
    _carries(*CARRIED[kind])


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t37")])
def test_t37_checklists_and_tasks_added_later(kind: str) -> None:
    _carries(*CARRIED[kind])


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t38")])
def test_t38_quotes_and_external_replies(kind: str) -> None:
    _carries(*CARRIED[kind])


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t39")])
def test_t39_forwards_and_stories_name_where_they_come_from(kind: str) -> None:
    _carries(*CARRIED[kind])


@played
async def test_t38_what_is_quoted_of_the_same_chat_is_not_the_repliers(here: Stage) -> None:
    said = here.server.post(here.group, 8, "씨발년아 꺼져")
    here.server.post(here.group, 7, "그런 말 하지 마세요", reply_to_message=said,
                     quote={"text": "씨발년아 꺼져", "position": 0})  # fmt: skip
    _, answer = await here.hear(2)
    assert answer.text == "그런 말 하지 마세요"


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t40")])
def test_t40_other_carriers(kind: str) -> None:
    _carries(*CARRIED[kind])


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if kind.startswith("t41")])
def test_t41_t51_rich_messages(kind: str) -> None:
    _carries(*CARRIED[kind])


def test_t41_unknown_blocks_of_a_rich_message_are_read() -> None:
    from adapters.chat.telegram.receiving.pieces import _strings

    later = {"blocks": [{"type": "hologram", "panes": [{"inscription": "새말", "file_id": "AgAD"}]}]}
    assert list(_strings(later)) == ["새말"]


# ---- what else rules may ask ---------------------------------------------------------------------------------------


@played
async def test_t39_a_forward_says_where_it_comes_from(here: Stage) -> None:
    people = {"id": 9, "is_bot": False, "first_name": "무료리딩방"}
    group = {"id": -1008, "type": "supergroup", "title": "먼 방"}
    for origin in (
        FORWARDED,
        {"type": "chat", "date": 1, "sender_chat": group},
        {"type": "user", "date": 1, "sender_user": people},
        {"type": "user", "date": 1, "sender_user": people | {"is_bot": True, "username": "ad_bot"}},
        {"type": "hidden_user", "date": 1, "sender_user_name": "누군가"},
    ):
        here.server.post(here.group, 7, "옮긴말", forward_origin=origin)
    heard = await here.hear(5)
    assert [message.forwarded for message in heard] == [
        Origin(OriginKind.CHANNEL, "먼 채널", "far_channel"),
        Origin(OriginKind.GROUP, "먼 방"),
        Origin(OriginKind.PERSON, "무료리딩방"),
        Origin(OriginKind.BOT, "무료리딩방", "ad_bot"),
        Origin(OriginKind.HIDDEN, "누군가"),
    ]
    assert "무료리딩방" not in heard[2].text, "the name of a person is not what somebody says"
    assert "무료리딩방" in heard[3].text


@played
async def test_t38_an_answer_to_another_chat_says_to_which(here: Stage) -> None:
    here.server.post(here.group, 7, "안녕하세요", external_reply={"origin": FORWARDED, "chat": CHANNEL})
    (message,) = await here.hear(1)
    assert (message.quoted, message.forwarded) == (Origin(OriginKind.CHANNEL, "먼 채널", "far_channel"), None)


@played
async def test_media_without_a_word_are_messages_with_facts(here: Stage) -> None:
    file = FILE | {"width": 9, "height": 9, "duration": 1}
    carried: dict[Media, dict[str, Any]] = {
        Media.PHOTO: {"photo": [FILE | {"width": 9, "height": 9}]},
        Media.VIDEO: {"video": file},
        Media.VOICE: {"voice": FILE | {"duration": 1}},
        Media.VIDEO_NOTE: {"video_note": FILE | {"length": 9, "duration": 1}},
        Media.ANIMATION: {"animation": file, "document": FILE},
        Media.FILE: {"document": FILE},
        Media.DICE: {"dice": {"emoji": "🎲", "value": 3}},
        Media.PLACE: {"location": {"latitude": 1, "longitude": 1}},
        Media.STORY: {"story": {"chat": {"id": -1008, "type": "channel"}, "id": 3}},
    }
    for content in carried.values():
        here.server.post(here.group, 7, **content)
    here.server.post(here.group, 7, pinned_message={"message_id": 1, "date": 0, "chat": here.group.as_object()})
    here.server.post(here.server.private(7), 7, "그룹이 아님")
    here.server.post(here.group, 7, "끝")
    heard = await here.hear(len(carried) + 1)
    assert [(message.media, message.text) for message in heard] == [
        *((frozenset({kind}), "") for kind in carried), (frozenset(), "끝")
    ]  # fmt: skip


@played
async def test_links_are_told_however_they_are_written(here: Stage) -> None:
    text = "🔥 토토777.한국 그리고 t.me/+AbCdEf12, 여기 @toto_channel 민지"
    marks: list[tuple[str, str, dict[str, object]]] = [
             ("url", "토토777.한국", {}), ("url", "t.me/+AbCdEf12", {}),
             ("text_link", "여기", {"url": "tg://resolve?domain=toto_vip"}), ("mention", "@toto_channel", {}),
             ("text_mention", "민지", {"user": user(9)})]  # fmt: skip
    entities = [
        {"type": kind, "offset": len(text[: text.index(part)].encode("utf-16-le")) // 2, "length": len(part)} | more
        for kind, part, more in marks
    ]
    button = {"text": "가입", "url": "https://toto.example/join"}
    here.server.post(here.group, 7, text, entities=entities, reply_markup={"inline_keyboard": [[button]]})
    (message,) = await here.hear(1)
    assert message.links == (
        Link(LinkKind.WEB, "https://토토777.한국", "토토777.한국"),
        Link(LinkKind.INVITE, "https://t.me/+AbCdEf12", "t.me/+AbCdEf12"),
        Link(LinkKind.NAME, "https://t.me/toto_vip", "여기"),
        Link(LinkKind.MENTION, "toto_channel", "@toto_channel"),
        Link(LinkKind.MENTION, "9", "민지"),
        Link(LinkKind.WEB, "https://toto.example/join", "가입"),
    )


@played
async def test_an_edit_that_changes_only_where_a_link_leads_is_one(here: Stage) -> None:
    mark = {"type": "text_link", "offset": 0, "length": 2, "url": "https://good.example/"}
    first = here.server.post(here.group, 7, "여기", entities=[mark])
    (before,) = await here.hear(1)
    here.server.edit(first, entities=[mark | {"url": "https://evil.example/"}])
    after = (await here.hear(2))[1]
    assert (before.links[0].target, after.links[0].target) == ("https://good.example/", "https://evil.example/")


@played
async def test_t69_comments_and_topics_are_told_apart(here: Stage) -> None:
    post = here.server.from_linked_channel(here.group, Chat(-1005, "channel", "우리 채널"), "오늘의 시황")
    topic = here.server.topic(here.group)
    here.server.post_in(post, 7, "댓글")
    here.server.post_in(topic, 7, "주제 글")
    _, comment, in_topic = await here.hear(3)
    assert (comment.extra.get("thread"), comment.extra.get("topic")) == (str(post["message_id"]), None)
    assert (in_topic.extra.get("thread"), in_topic.extra.get("topic")) == (None, str(topic["message_id"]))
    assert (comment.reply_to, in_topic.reply_to) == (str(post["message_id"]), None)


@played
async def test_what_stands_elsewhere_is_marked(here: Stage) -> None:
    here.server.post(here.group, 7, poll_option_added={"option_persistent_id": "2", "option_text": "뒤늦은보기"})
    (message,) = await here.hear(1)
    assert message.extra["stays"] == "poll_option_added"


def test_what_cannot_be_read_is_read_plainly() -> None:
    async def scenario() -> None:
        async with stage() as here:
            here.chat._hearing.pairs = _Defective(clock=here.store.clock, inbox=here.store.inbox)
            here.server.post(here.group, 7, "나쁜 말", message_thread_id=5)
            here.server.post(here.group, 8, caption="설명", photo=[FILE | {"width": 9, "height": 9}])
            heard = await here.hear(2)
            assert [(message.text, message.author.id, message.ref.revision) for message in heard] == [
                ("나쁜 말", "7", 0), ("설명", "8", 0)
            ]  # fmt: skip
            await here.server.until(lambda: not here.server.updates)

    asyncio.run(scenario())


class _Defective(Pairs):
    def complete(self, *_: object) -> Message:
        raise RuntimeError("a defect of ours")


# ---- who speaks -----------------------------------------------------------------------------------------------------


@played
async def test_t18_t19_stand_ins_are_never_the_author(here: Stage) -> None:
    linked, other = Chat(-1005, "channel", "우리 채널"), Chat(-1006, "channel", "광고 채널")
    here.group.linked_chat_id = -1005
    here.server.from_linked_channel(here.group, linked, "공지")
    here.server.as_anonymous_admin(here.group, "운영진 말")
    here.server.as_channel(here.group, other, "광고")
    here.server.as_channel(here.group, linked, "채널 이름으로")
    automatic, anonymous, channel, as_linked = await here.hear(4)
    assert (automatic.author.id, automatic.author.is_staff) == ("-1005", True)
    assert (anonymous.author.id, anonymous.author.is_staff) == (str(GROUP), True)
    assert (channel.author.id, channel.author.name, channel.author.is_staff) == ("-1006", "광고 채널", False)
    assert (as_linked.author.id, as_linked.author.is_staff) == ("-1005", True)


@played
async def test_t21_an_anonymous_admin_is_exempt_and_the_label_is_kept(here: Stage) -> None:
    here.server.post(here.group, ANONYMOUS_ADMIN, "말", sender_chat=here.group.as_object(), author_signature="총무")
    (message,) = await here.hear(1)
    assert message.author.name == "총무"
    assert message.author.is_staff


@played
async def test_t22_c13_what_comes_via_an_inline_bot_is_the_users(here: Stage) -> None:
    here.server.post(here.group, 7, "gif", via_bot={"id": 99, "is_bot": True, "first_name": "g", "username": "gif"})
    (message,) = await here.hear(1)
    assert (message.author.id, message.author.bot, message.via_bot) == ("7", False, "gif")


@played
async def test_t23_ids_of_64_bits(here: Stage) -> None:
    large = 2**52 - 1
    here.server.post(here.group, user(large, "큰수"), "말")
    (message,) = await here.hear(1)
    assert message.author.id == str(large)


@played
async def test_admins_are_named_by_what_they_may(here: Stage) -> None:
    here.server.admin(here.group, 2, "지수")
    here.server.admin(here.group, 3, "하늘", rights=["can_delete_messages"])
    for who in (1, 2, 3, 7):
        here.server.post(here.group, who, f"말{who}")
    heard = await here.hear(4)
    words = [message.author.roles & {"owner", "admin", "moderator"} for message in heard]
    assert words == [{"owner"}, {"admin"}, {"moderator"}, set()]


@played
async def test_a_new_admin_is_known_at_once(here: Stage) -> None:
    here.server.post(here.group, 7, "아직")
    await here.hear(1)
    here.server.set_member(here.group, 7, "administrator")
    here.server.post(here.group, 7, "이제")
    before, after = await here.hear(2)
    assert (before.author.is_staff, after.author.is_staff) == (False, True)


@played
async def test_names_of_newcomers_are_read_and_are_their_own(here: Stage) -> None:
    joined = [user(8, "무료대출", last_name="카톡abc"), user(9, "평범")]
    here.server.post(here.group, 1, new_chat_members=joined)
    first, second = await here.hear(2)
    assert (first.author.id, first.text, second.author.id, second.text) == ("8", "무료대출 카톡abc", "9", "평범")
    assert first.ref != second.ref


@played
async def test_t58_c11_another_bots_answer_carries_what_it_was_asked(here: Stage) -> None:
    asked = here.server.post(here.group, 7, "/ask 질문이 뭐야")
    robot = {"id": 500, "is_bot": True, "first_name": "LLM"}
    here.server.post(here.group, robot, "답이야", reply_to_message=asked)
    _, answer = await here.hear(2)
    assert (answer.author.bot, answer.prompt, answer.reply_to) == (True, "질문이 뭐야", str(asked["message_id"]))


@played
async def test_t52_c12_a_guest_bots_answer_carries_what_it_was_asked(here: Stage) -> None:
    asked = here.server.post(here.group, 7, "손님봇아")
    robot = {"id": 501, "is_bot": True, "first_name": "손님"}
    here.server.post(here.group, robot, "네", reply_to_message=asked, guest_bot_caller_user=user(7))
    _, answer = await here.hear(2)
    assert (answer.author.bot, answer.prompt) == (True, "손님봇아")


@played
async def test_c15_c16_another_bots_edit_is_read_like_a_persons(here: Stage) -> None:
    robot = {"id": 500, "is_bot": True, "first_name": "LLM"}
    answer = here.server.post(here.group, robot, "답")
    here.server.edit(answer, text="더 긴 답")
    _, edit = await here.hear(2)
    assert (edit.text, edit.kind, edit.author.bot) == ("더 긴 답", Kind.EDIT, True)


@played
async def test_t25_admin_bots_are_staff_too(here: Stage) -> None:
    robot = {"id": 500, "is_bot": True, "first_name": "도우미"}
    here.group.members[500] = member(robot, "administrator", RIGHTS)
    here.server.post(here.group, robot, "말")
    (message,) = await here.hear(1)
    assert message.author.is_staff


@played
async def test_t43_t66_the_topic_is_kept_and_is_no_reply(here: Stage) -> None:
    root = here.server.topic(here.group)
    here.server.post_in(root, 7, "말")
    (message,) = await here.hear(1)
    assert (message.extra["topic"], message.reply_to) == (str(root["message_id"]), None)


# ---- edits and albums -----------------------------------------------------------------------------------------------


@played
async def test_t15_an_edit_that_changes_nothing_is_no_revision(here: Stage) -> None:
    first = here.server.post(here.group, 7, "처음")
    await here.hear(1)
    here.server.edit(first, text="처음")
    here.server.edit(first, text="바뀜")
    here.server.edit(first, text="바뀜", at=time.time() + 5)
    here.server.post(here.group, 7, "끝")
    await here.hear(3)
    assert here.texts == ["처음", "바뀜", "끝"]
    assert [message.kind for message in here.heard] == [Kind.NEW, Kind.EDIT, Kind.NEW]


@played
async def test_revisions_rise_and_are_the_same_when_delivered_again(here: Stage) -> None:
    first = here.server.post(here.group, 7, "처음")
    now = time.time()
    here.server.edit(first, text="하나", at=now)
    here.server.edit(first, text="둘", at=now)  # within the same second
    here.server.edit(first, text="셋", at=now + 1)
    again = dict(here.server.updates)
    await here.hear(4)
    revisions = [message.ref.revision for message in here.heard]
    assert len(set(revisions)) == 4
    assert revisions[0] < min(revisions[1:3]) <= max(revisions[1:3]) < revisions[3]
    async with stage() as second:
        second.server.updates.update(again)
        await second.hear(4)
        assert [message.ref for message in second.heard] == [message.ref for message in here.heard]


@played
async def test_t41_t51_an_edit_of_a_rich_message_is_read(here: Stage) -> None:
    first = here.server.post(here.group, 7, rich_message={"blocks": [{"type": "paragraph", "text": "처음말"}]})
    here.server.edit(first, rich_message={"blocks": [{"type": "paragraph", "text": "바뀐말"}]})
    await here.hear(2)
    assert here.texts == ["처음말", "바뀐말"]


@played
async def test_t16_own_messages_are_ours(here: Stage) -> None:
    here.server.post(here.group, here.server.me, "내 말")
    (message,) = await here.hear(1)
    assert message.author.myself
    assert message.author.id == str(BOT_ID)


@played
async def test_mentions_are_counted(here: Stage) -> None:
    marks = [{"type": "mention", "offset": 0, "length": 2}, {"type": "text_mention", "offset": 3, "length": 2,
             "user": user(9)}, {"type": "hashtag", "offset": 6, "length": 2}]  # fmt: skip
    here.server.post(here.group, 7, "@a 민지 #b", entities=marks)
    (message,) = await here.hear(1)
    assert message.mentions == 2
