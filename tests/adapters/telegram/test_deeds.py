"""What moderators do by hand on Telegram, over TCP: done, answered, on record, taken back; and what must not be."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.chat.telegram.refs import group_ref
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.rules.actions import CalledOff, Refused, Warn
from bot.core.text.catalogue import texts_on
from bot.wording.times import moment
from storage.database import Database
from storage.records.deeds import SqlCases
from storage.records.people import SqlPeople
from tests.adapters.telegram.test_flow import GROUP, MODERATORS, running, set_up, url_in
from tests.fakes.clock import ManualClock
from tests.servers.telegram import BOT_ID, Chat, Refusal, TelegramServer

say = texts_on("telegram", "ko")
OWNER, JISU, MINJI = 1, 2, 7


class Office:
    """A group with its moderators' room; Jisu may restrict and delete."""

    def __init__(self, server: TelegramServer, url: str) -> None:
        self.server, self.url = server, url
        self.group, self.room = server.group(GROUP), server.group(MODERATORS)
        for chat in (self.group, self.room):
            server.admin(chat, JISU, "지수")
        self.said = server.post(self.group, MINJI, "말")

    async def told(self, text: str, *, by: int = JISU, chat: Chat | None = None, **more: Any) -> str:
        chat = chat or self.group
        before = max(chat.messages, default=0)
        self.server.post(chat, by, text, **more)

        def answers() -> list[str]:
            return [m["text"] for id_, m in chat.messages.items() if id_ > before and m["from"]["id"] == BOT_ID]

        def last() -> str:
            return next((one for one in reversed(answers()) if "기록 #" in one or "님에 대한" not in one), "")

        await self.server.until(last)
        return last()

    async def cases(self) -> list[Case]:
        async with Database.visit(self.url, ManualClock(datetime.now(UTC))) as database:
            return list(await SqlCases(database).find(group_ref(GROUP), Search(), most=100))[::-1]

    def status(self, id_: int = MINJI) -> str:
        return str(self.group.members[id_]["status"])


def in_office(folder: Path, scene: Callable[[Office], Awaitable[None]]) -> None:
    async def scenario() -> None:
        await set_up(url_in(folder))
        async with TelegramServer() as server:
            office = Office(server, url_in(folder))
            async with running(url_in(folder), server.url):
                await server.until(lambda: server.polls)  # Telegram keeps nothing for who has not asked for it
                await scene(office)

    asyncio.run(scenario())


def test_what_is_ordered_is_done_answered_and_on_record(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        answer: dict[str, Any] = {"reply_to_message": office.said}
        assert await office.told("/warn 도배 @jisu_admin", **answer) == say("deed.warn", whom="민지", case=1)
        notices = [
            m["text"] for m in office.group.messages.values() if "도배" in m["text"] and m["from"]["id"] == BOT_ID
        ]
        assert notices and all("@jisu" not in one and "지수" not in one for one in notices)
        assert "#2" in await office.told("/타임아웃 2시간 또 도배", **answer) and office.status() == "restricted"
        runs = await office.told("/sanctions", chat=office.room)
        assert "기록 #2" in runs and "채팅 금지" in runs
        assert "#2" in await office.told("/undo 2", chat=office.room)
        assert office.status() != "restricted" or office.group.members[MINJI].get("can_send_messages")
        assert "#3" in await office.told(f"/note {MINJI}0000 지켜보기")
        assert "#4" in await office.told("/ban 1일 사기", **answer) and office.status() == "kicked"
        assert "#5" in await office.told("/unban", **answer) and office.status() == "left"
        shown = await office.told("/case 4", chat=office.room)
        assert "사기" in shown and "지수" in shown and "민지" in shown
        assert "#4" in await office.told("/search 차단", chat=office.room)

    in_office(tmp_path, scene)


def test_what_a_moderator_must_not_do_leaves_no_trace(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        server, group = office.server, office.group
        server.admin(group, 3, "하늘")
        server.admin(group, 4, "삭제만", rights=["can_delete_messages"])
        theirs = {id_: server.post(group, id_, "말") for id_ in (OWNER, JISU, 3)}
        assert await office.told("/mute 10m", reply_to_message=theirs[OWNER]) == say["deed.staff"]
        assert await office.told("/mute 10m", reply_to_message=theirs[3]) == say["deed.staff"]
        assert await office.told("/mute 10m", reply_to_message=theirs[JISU]) == say["deed.yourself"]
        assert await office.told("/mute 99999999 10m") == say["deed.nobody"]
        assert await office.told("/ban", by=4, reply_to_message=office.said) == say["telegram.lacking"]
        before = len(group.messages)
        server.post(group, MINJI, "/ban 99999", reply_to_message=theirs[3])
        server.post(group, 8, "/warn 99999")
        assert "#1" in await office.told("/note 77777 표시")
        assert len(group.messages) == before + 4, "members are not answered"
        assert [one.kind for one in await office.cases()] == [CaseKind.NOTE]
        assert server.of("restrictChatMember", "banChatMember") == []

    in_office(tmp_path, scene)


def test_who_was_silenced_by_hand_appeals_in_private_and_is_answered(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        server, private, other = office.server, office.server.private(MINJI), office.server.private(8)
        assert "#1" in await office.told("/mute 2h 도배", reply_to_message=office.said)

        def said(chat: Chat) -> list[str]:
            return [one["text"] for one in chat.messages.values() if one["from"]["id"] == BOT_ID]

        (code,) = [one.code for one in await office.cases()]
        link = f"start=appeal_{code}"
        await server.until(lambda: any(link in str(one) for one in private.messages.values()))
        told, (case,) = said(private)[-1], await office.cases()
        assert code in told and "번호" not in told and "사유: 도배" in told
        assert case.ends_at and told.startswith(
            f"‘{office.group.title}’ 운영진이 {moment(case.ends_at, 'Asia/Seoul', case.opened_at)}까지"
        )
        asks = (f"/start appeal_{code}", f"/start object_{GROUP}_1", f"/appeal {code} 제가요", f"/why {code}")
        for ask in asks:
            server.post(other, 8, ask)
        await server.until(lambda: len(said(other)) == len(asks))
        refused = [*[say["telegram.usage.appeal"]] * 3, say["card.not_found"]]
        assert sorted(said(other)) == sorted(refused), "it is somebody else's, by the link of an earlier version, too"
        server.post(private, MINJI, f"/start appeal_{code}")
        asked = say("telegram.say_why", code=code)
        await server.until(lambda: asked in said(private)[-1])
        server.post(private, MINJI, "제가 아닙니다 @jisu_admin")
        await server.until(lambda: say["appeal.heard"] in said(private))
        await server.until(
            lambda: any("/기록 1" in one and "/기각 1" in one and "(채팅 금지)" in one for one in said(office.room))
        )
        assert not any("제가 아닙니다" in one for one in said(office.room)), "what nobody empties says nothing"
        assert "제가 아닙니다" in await office.told("/case 1", chat=office.room)
        assert "#1" in await office.told("/uphold 1", chat=office.room)
        await server.until(lambda: said(private)[-1] == say("answer.case_upheld", code=code))
        assert "#1" in await office.told("/undo 1", chat=office.room)
        await server.until(lambda: said(private)[-1] == say("answer.case_accepted", code=code))
        server.post(private, MINJI, f"/start object_{GROUP}_1")
        await server.until(lambda: sum(asked in one for one in said(private)) == 2)
        server.post(private, MINJI, "또")
        await server.until(lambda: said(private)[-1] == say["telegram.usage.appeal"])

    in_office(tmp_path, scene)


def test_a_command_that_is_delivered_again_is_carried_out_once(tmp_path: Path) -> None:
    """Also by a process that knows nothing of the first."""

    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            office = Office(server, url_in(tmp_path))
            asked = server.message(office.group, JISU, "/ban", reply_to_message=office.said)
            for _ in range(2):
                async with running(url_in(tmp_path), server.url):
                    before = len(server.of("sendMessage"))
                    server.update("message", asked | {"message_id": asked["message_id"] + 1000 * _})
                    await server.until(lambda: len(server.of("sendMessage")) > before)  # noqa: B023
            assert len(await office.cases()) == 1

    asyncio.run(scenario())


def test_messages_are_deleted_from_one_on_and_by_number(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        said = [office.server.post(office.group, MINJI, f"말 {number}") for number in range(6)]
        assert "#1" in await office.told("/purge 2")
        assert "#2" in await office.told("/purge", reply_to_message=said[2])
        there = [m.get("text") for m in office.group.messages.values() if m["from"]["id"] == MINJI]
        assert there == ["말", "말 0", "말 1"]
        assert await office.told("/purge 2", chat=office.room) == say["deed.not_here"]

    in_office(tmp_path, scene)


def test_messages_of_one_member_are_deleted_by_what_is_known_of_whose_they_are(tmp_path: Path) -> None:
    """Telegram does not tell: a hash of two days does."""
    flooder = 7_000_123

    async def scene(office: Office) -> None:
        async def known() -> int:
            async with Database.visit(office.url, ManualClock(datetime.now(UTC))) as database:
                return len(await SqlPeople(database).sent(group_ref(GROUP), str(flooder), str(GROUP), most=9))

        assert await office.told(f"/purge 2 {flooder}") == say["deed.no_messages"]
        for number in range(3):
            office.server.post(office.group, flooder, f"도배 {number}")
            office.server.post(office.group, MINJI, f"딴 말 {number}")
        while await known() < 3:
            await asyncio.sleep(0.02)
        assert "#1" in await office.told(f"/purge 2 {flooder}")
        there = [m.get("text") for m in office.group.messages.values() if m["from"]["id"] in (flooder, MINJI)]
        assert there == ["말", "도배 0", "딴 말 0", "딴 말 1", "딴 말 2"]

    in_office(tmp_path, scene)


def test_what_somebody_else_imposed_is_not_lifted(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        await office.told("/mute 1h", reply_to_message=office.said)
        office.group.members[MINJI]["until_date"] = int((datetime.now(UTC) + timedelta(days=9)).timestamp())
        await office.told("/undo 1", chat=office.room)
        assert office.status() == "restricted"
        (case,) = await office.cases()
        assert case.state is CaseState.UNDONE and isinstance(case.outcomes[-1][1], Refused)

    in_office(tmp_path, scene)


def test_a_ban_ends_by_itself_and_a_refusal_is_said(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        await office.told("/ban 1h", reply_to_message=office.said)
        async with Database.visit(office.url, ManualClock(datetime.now(UTC))) as database:
            assert await SqlCases(database).end(datetime.now(UTC) + timedelta(hours=2), 9) == 1
        await office.server.until(lambda: office.status() == "left")
        office.server.fail(
            "banChatMember", Refusal(400, "Bad Request: not enough rights to restrict/unrestrict chat member")
        )
        refused = await office.told("/ban 77777")
        assert say["telegram.missing.can_restrict_members"] in refused
        async with asyncio.timeout(60):
            while (told := (await office.cases())[-1].outcomes[0]) == (Warn(), None):
                await asyncio.sleep(0.1)
        assert told == (Warn(), CalledOff()), "nobody hears of what was not done"
        assert not any(one.get("text", "").startswith("○ 님에 대한") for one in office.group.messages.values())

    in_office(tmp_path, scene)


def test_what_is_done_with_telegrams_own_tools_is_taken_in_once(tmp_path: Path) -> None:
    """And not what we have done ourselves, nor who comes and goes."""

    async def scene(office: Office) -> None:
        server, group = office.server, office.group
        server.set_member(group, MINJI, "kicked", by=BOT_ID)
        server.set_member(group, MINJI, "member", by=BOT_ID)
        server.set_member(group, 8, "member", by=8)
        server.set_member(group, 8, "left", by=8)
        server.set_member(group, MINJI, "restricted", by=JISU)
        server.set_member(group, MINJI, "member", by=JISU)
        server.set_member(group, MINJI, "kicked", by=OWNER)
        async with asyncio.timeout(30):
            while len(await office.cases()) < 3:
                await asyncio.sleep(0.3)
        found = [(one.kind, one.member.id, one.moderator.id) for one in await office.cases()]
        assert found == [(CaseKind.MUTE, "7", "2"), (CaseKind.UNMUTE, "7", "2"), (CaseKind.BAN, "7", "1")]
        assert "기록 #3" in await office.told("/sanctions", chat=office.room)

    in_office(tmp_path, scene)
