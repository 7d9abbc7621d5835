"""What chat programs export is rehearsed as it is, in the encodings that Korean computers write."""

import asyncio
import json
from pathlib import Path

import pytest

from adapters.chat.rehearsal import RehearsalChat
from bot.core.base.errors import Broken
from bot.core.chat.message import Message
from bot.core.text.catalogue import texts
from tests.fakes.clock import ManualClock

DESK = """달빛길드 님과 카카오톡 대화
저장한 날짜 : 2026-05-16 10:00:00

--------------- 2026년 5월 15일 금요일 ---------------
[밤톨] [오후 9:18] 안녕하세요
둘째 줄
영희님이 나갔습니다.
[콩이] [0:05] [사진] : 보세요
달님이 들어왔습니다.운영정책을 위반한 메시지로 신고 접수 시 카카오톡 이용에 제한이 있을 수 있습니다.
밤톨님이 영희님을 내보냈습니다.
"""
PHONE = """달빛길드 4 카카오톡 대화
저장한 날짜 : 2026년 5월 16일 오전 10:00

2026년 5월 15일 오후 9:18
2026년 5월 15일 오후 9:18, 밤톨 : 안녕하세요
둘째 줄
2026년 5월 15일 오후 9:19, 영희님이 나갔습니다.
2026년 5월 16일 금요일
2026년 5월 15일 오전 12:04
2026. 5. 15. 0:05, 콩이 : [사진] : 보세요
2026. 5. 15. 0:06, 밤톨님이 영희님을 내보냈습니다.
"""
TABLE = (
    'Date,User,Message\n2026-05-15 21:18:07,"밤톨","안녕하세요\n둘째 줄"\n'
    '2026-05-15 00:05:00,"콩이","[사진] : 보세요"\n'
)
EXPORTER = json.dumps(
    {
        "guild": {"id": "1", "name": "달빛길드"},
        "channel": {"id": "2", "name": "자유수다"},
        "messages": [
            {
                "id": "77",
                "timestamp": "2026-05-15T21:18:07.123+09:00",
                "content": "안녕하세요\n둘째 줄",
                "author": {"name": "chestnut", "nickname": "밤톨", "isBot": False, "roles": [{"name": "moderator"}]},
            },
            {
                "id": "78",
                "timestamp": "2026-05-15T00:05:00+09:00",
                "content": "[사진] : 보세요",
                "author": {"name": "콩이", "isBot": True},
                "reference": {"messageId": "77"},
            },
        ],
    },
    ensure_ascii=False,
    indent=2,
)
EXPORTER_TABLE = (
    "AuthorID,Author,Date,Content,Attachments,Reactions\r\n"
    '"1","밤톨","2026-05-15T21:18:07.0000000+09:00","안녕하세요\n둘째 줄","",""\r\n'
    '"2","콩이","2026-05-15T00:05:00.0000000+09:00","[사진] : 보세요","",""\r\n'
)
TELEGRAM = json.dumps(
    {
        "name": "달빛길드",
        "type": "private_supergroup",
        "messages": [
            {"id": 1, "type": "service", "action": "invite_members"},
            {
                "id": 2,
                "type": "message",
                "date_unixtime": "1778847487",
                "from": "밤톨",
                "text": ["안녕하세요\n", {"type": "bold", "text": "둘째 줄"}],
            },
            {"id": 3, "type": "message", "date_unixtime": "1778771100", "from": "콩이", "text": "[사진] : 보세요"},
        ],
    },
    ensure_ascii=False,
)


def told(path: Path) -> list[Message]:
    async def heard() -> list[Message]:
        chat = RehearsalChat(str(path), texts("en"), ManualClock())
        return [message async for batch in chat.messages() for message in batch]

    return asyncio.run(heard())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("content", [DESK, PHONE, TABLE, EXPORTER, EXPORTER_TABLE, TELEGRAM])
def test_an_export_is_read_as_it_is(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "달빛길드.txt"
    path.write_text(content, encoding, newline="")
    first, second = told(path)
    assert (first.author.name, first.text) == ("밤톨", "안녕하세요\n둘째 줄")
    assert f"{first.sent_at:%d %H:%M}" == "15 12:18" and f"{second.sent_at:%d %H:%M}" == "14 15:05"
    assert second.author.name == "콩이" and second.text == "[사진] : 보세요"
    assert {first.community_id, second.community_id} == {"달빛길드"} and first.ref != second.ref


def test_staff_bots_and_replies_are_known_where_the_export_says_so(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(EXPORTER, "utf-8")
    first, second = told(path)
    assert first.author.is_staff and second.author.bot
    assert second.prompt == first.text


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_a_transcript_may_be_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    row = {"at": "2026-05-15T21:18:07+09:00", "community": "길드", "channel": "방", "author": "밤톨", "message": "1"}
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(row | {"text": "안녕"}, ensure_ascii=False) + "\n", encoding)
    (message,) = told(path)
    assert message.text == "안녕"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x80\xff\xfe", "text file"),
        (b"hello", "jikimi rehearse - <"),
        (b'{"guild": {}, "messages": [{"id": "1"}]}', "exports"),
        (b"Date,User,Message\nyesterday,a,b\n", "exports"),
        (b"Date,User,Message\n2026-05-15,a," + b"b" * 200_000, "exports"),
        (b'{"messages": [7]}', "exports"),
        (b'{"messages": [' + b"7" * 5_000 + b"]}", "line 1"),
        (b'{"guild": {}, "messages": [', "cut off"),
        (EXPORTER[:300].encode(), "cut off"),
        (TELEGRAM[:200].encode(), "cut off"),
        (
            b'{"messages": [{"type": "message", "id": 1, "date_unixtime": "99999999999999999999", "text": 5}]}',
            "exports",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told_in_a_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(Broken, match=why):
        told(path)
