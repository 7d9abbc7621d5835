"""What moderators do by hand on Discord, over TCP: done, answered, on record, taken back; and what must not be done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord

from adapters.chat.discord.refs import guild_ref
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.rules.actions import Done, Refused, Unsanction
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import as_posted_before, cafe
from tests.adapters.discord.test_flow import At, at_work
from tests.servers.discord import Picked
from tests.servers.waiting import until

say = texts("en")
ALL = discord.Permissions(
    manage_messages=True, moderate_members=True, kick_members=True, ban_members=True, manage_guild=True
)


class Office:
    """A café with moderators who may do everything, and the product at work in it."""

    def __init__(self, at: At) -> None:
        self.at, self.place, self.wire = at, at.place, at.place.wire
        # Discord puts new roles below those that there are.
        above = self.wire.backend.create_role(self.place.guild, "높음", permissions=0).id
        role = self.wire.backend.create_role(self.place.guild, "부장", permissions=ALL.value).id
        self.higher = self.place.join("높은 회원", above)
        self.jisu, self.haneul = self.place.join("지수", role), self.place.join("하늘", role)
        self.community = guild_ref(self.place.guild)

    def ask(self, name: str, by: int | None = None, **given: Any) -> Any:
        if isinstance(member := given.get("member"), int):
            given["member"] = Picked("user", member)
        return self.wire.command(by or self.jisu, self.place.general, name, **given)

    async def told(self, name: str, by: int | None = None, **given: Any) -> str:
        return await self.answer(self.ask(name, by, **given))

    async def answer(self, record: Any) -> str:
        await until(lambda: (record.message_id and not record.loading) or record.followup_ids)
        id_ = record.message_id or record.followup_ids[0]
        return str(self.wire.backend.get_message(self.place.general, id_).content)

    async def cases(self) -> list[Case]:
        return list(await self.at.desk.deeds.cases.find(self.community, Search(), most=100))[::-1]

    def silenced_until(self, member: int) -> datetime | None:
        until_: str | None = self.member(member).timed_out_until
        return discord.utils.parse_time(until_)

    def member(self, member: int) -> Any:
        return self.wire.backend.guilds[self.place.guild].members[member]

    @property
    def bans(self) -> dict[int, str | None]:
        banned: dict[int, str | None] = self.wire.backend.guilds[self.place.guild].bans
        return banned

    def in_private(self, member: int) -> list[str]:
        channel = self.wire.backend.get_dm_channel(member).id
        return [message.content for message in self.wire.backend.messages[channel].values()]


def in_office(folder: Path, scene: Callable[[Office], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, folder) as at:
            place.wire.locale = "en-US"
            await until(lambda: place.wire.backend.commands.get(None))
            await scene(Office(at))

    asyncio.run(scenario())


def test_what_is_ordered_is_done_answered_and_on_record(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, minji = office.place, office.place.minji
        whom = f"<@{minji}>"
        assert await office.told("warn", member=minji, reason="도배") == say("deed.warn", whom=whom, case=1)
        await until(lambda: office.in_private(minji))
        (told,) = office.in_private(minji)
        assert "도배" in told and "카페" in told and "지수" not in told
        assert "case #2" in await office.told("mute", member=minji, lasting="2h", reason="또 도배")
        ends = office.silenced_until(minji)
        assert ends and timedelta(minutes=110) < ends - datetime.now(UTC) < timedelta(minutes=130)
        assert whom in await office.told("jikimi sanctions")
        assert await office.told("jikimi undo", case=2) and office.silenced_until(minji) is None
        assert "no sanctions" in (await office.told("jikimi sanctions")).lower()
        assert "case #3" in await office.told("note", member=minji, text="지켜보기")
        assert "case #4" in await office.told("kick", member=minji, reason="나가요")
        assert minji not in office.wire.backend.guilds[place.guild].members
        assert "case #5" in await office.told("ban", member=minji, lasting="1d", reason="사기")
        assert (office.bans[minji] or "").startswith(texts("ko")("discord.audit_case", case=5))
        assert "case #6" in await office.told("unban", member=minji) and minji not in office.bans
        kinds = [one.kind for one in await office.cases()]
        assert kinds == ["warn", "mute", "note", "kick", "ban", "unban"]
        assert {one.moderator.id for one in await office.cases()} == {str(office.jisu)}
        shown = await office.told("jikimi case", case=5)
        assert "사기" in shown and f"<@{office.jisu}>" in shown
        history = await office.told("jikimi history", member=minji)
        assert all(f"#{number}" in history for number in range(1, 7))
        assert "#3" in await office.told("jikimi search", moderator=Picked("user", office.jisu))
        lost = await office.told("jikimi undo", case=4)
        assert say["case.lost"] in lost
        assert (await office.cases())[3].state is CaseState.UNDONE

    in_office(tmp_path, scene)


def test_what_a_moderator_must_not_do_leaves_no_trace(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, backend = office.place, office.wire.backend
        for member, key in (
            (office.jisu, "yourself"), (place.me, "bot"), (place.owner, "staff"), (office.haneul, "staff"),
            (place.dal, "staff"), (office.higher, "above"), (backend.make_user("지나간 사람").id, "nobody"),
        ):  # fmt: skip
            assert await office.told("mute", member=member, lasting="10m") == say[f"deed.{key}"], key
        for name in ("warn", "mute", "kick", "ban", "purge", "note"):
            refused = await office.told(name, place.minji, **({"count": 2} if name == "purge" else
                {"member": place.minji, **({"text": "말"} if name == "note" else {})}))  # fmt: skip
            assert refused == say["card.not_allowed"], name
        needs = say("discord.needs_right", permissions=say["permission.ban_members"])
        assert await office.told("ban", place.dal, member=place.minji) == needs
        assert await office.cases() == [] and office.bans == {}

    in_office(tmp_path, scene)


def test_who_was_silenced_by_hand_appeals_in_private_and_is_answered(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place, wire, ko = office.place, office.wire, texts("ko")
        mods = wire.backend.messages[place.mods]

        async def objects(case: int, words: str, deed: str, **given: Any) -> None:
            await office.told(deed, member=place.minji, reason="도배", **given)
            dm = wire.backend.get_dm_channel(place.minji).id
            code = (await office.cases())[case - 1].code
            custom_id = f"jikimi:object:{code}:{place.minji}"

            def notices() -> list[Any]:
                return [one for one in wire.backend.messages[dm].values() if custom_id in str(one.components)]

            await until(notices)
            (notice,) = notices()
            assert code in notice.content
            if case == 2:
                as_posted_before(notice, f"{code}:", f"{place.guild}:2:")
                custom_id = f"jikimi:object:{place.guild}:2:{place.minji}"
            press = wire.click(place.minji, dm, notice.id, custom_id)
            await until(lambda: press.modal)
            sent = wire.submit(place.minji, dm, press.modal, words)
            await until(lambda: sent.message_id and not sent.loading)
            assert wire.backend.get_message(dm, sent.message_id).content == say["appeal.heard"]
            await until(lambda: any(f"`/기각` {case}" in one.content for one in mods.values()))
            assert not any(words in one.content for one in mods.values()), "what nobody empties says nothing"

        await objects(1, "제가 아닙니다 @everyone", "mute", lasting="2h")
        assert "#1" in await office.told("uphold", case=1)
        (one,) = await office.cases()
        shown = await office.told("appeal", place.minji, code=one.code.lower())
        assert one.code in shown and "도배" in shown
        assert await office.told("appeal", place.dal, code=one.code) == say["discord.appeal_not_yours"]
        await until(lambda: office.in_private(place.minji)[-1] == ko("answer.case_upheld", code=one.code))
        assert office.silenced_until(place.minji) and "#1" in await office.told("uphold", case=1)
        await objects(2, "정말 억울해요", "warn")
        _, two = await office.cases()
        await office.told("jikimi undo", by=office.haneul, case=2)
        await until(lambda: office.in_private(place.minji)[-1] == ko("answer.case_accepted", code=two.code))
        assert "정말 억울해요" in await office.told("jikimi case", case=2)

    in_office(tmp_path, scene)


def test_two_who_do_the_same_at_once_do_it_once(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        asked = [office.ask("ban", by, member=office.place.minji) for by in (office.jisu, office.haneul)]
        answers = [await office.answer(one) for one in asked]
        assert sum("just done the same" in one for one in answers) == 1
        assert len(await office.cases()) == 1 and len(office.wire.made("PUT", "/bans/")) == 1

    in_office(tmp_path, scene)


def test_what_somebody_else_imposed_is_neither_shortened_nor_lifted(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        minji = office.place.minji
        member = office.member(minji)
        member.timed_out_until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        refused = await office.told("mute", member=minji, lasting="10m")
        assert say["discord.longer_stands"] in refused, "in the language of whoever asks"
        member.timed_out_until = None
        await office.told("mute", member=minji, lasting="1h")
        theirs = datetime.now(UTC) + timedelta(days=1)
        member.timed_out_until = theirs.isoformat()
        await office.told("jikimi undo", case=2)
        assert office.silenced_until(minji) == theirs
        assert isinstance((await office.cases())[1].outcomes[-1][1], Refused)
        await office.told("unmute", member=minji)
        assert office.silenced_until(minji) is None, "somebody who may has said so"
        await office.told("ban", member=minji)
        office.bans[minji] = "사람이 새로 차단함"
        await office.told("jikimi undo", case=4)
        assert office.bans[minji] == "사람이 새로 차단함"

    in_office(tmp_path, scene)


def test_messages_are_deleted_by_number_and_by_member(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        place = office.place
        other = place.join("다른 회원")
        for number in range(6):
            place.write(f"말 {number}", by=place.minji if number % 2 else other)
        assert "case #1" in await office.told("purge", count=2)
        assert "case #2" in await office.told("purge", count=100, member=place.minji)
        there = [one.content for one in office.wire.backend.messages[place.general].values()]
        assert [one for one in there if one.startswith("말")] == ["말 0", "말 2"]
        assert [one.kind for one in await office.cases()] == [CaseKind.PURGE] * 2

    in_office(tmp_path, scene)


def test_a_long_reason_is_cut_and_nobody_is_pinged(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        answer = await office.told("ban", member=office.place.minji, reason="@everyone " + "가" * 3900)
        assert "case #1" in answer
        (case,) = await office.cases()
        assert len(case.words) == 1000 and len(office.bans[office.place.minji] or "") <= 512
        for call in office.wire.made("POST", "/messages"):
            assert (call.body.get("allowed_mentions") or {}).get("parse", []) == []

    in_office(tmp_path, scene)


def test_a_ban_ends_by_itself(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        await office.told("ban", member=office.place.minji, lasting="1h")
        await office.at.desk.deeds.cases.end(datetime.now(UTC) + timedelta(hours=2), 10)
        await until(lambda: office.place.minji not in office.bans)
        async with asyncio.timeout(30):
            while (await office.cases())[0].outcomes[-1] != (Unsanction(), Done()):
                await asyncio.sleep(0.05)

    in_office(tmp_path, scene)


def test_a_platform_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def scene(office: Office) -> None:
        office.wire.trouble("PUT", f"/guilds/{office.place.guild}/bans", 500, times=99)
        assert await office.told("ban", member=office.place.minji) == say("deed.waits", case=1)

    in_office(tmp_path, scene)


def test_d65_d66_what_is_done_with_discords_own_tools_is_taken_in_once(tmp_path: Path) -> None:
    """And not what we have done ourselves, which comes back as the same events."""

    async def scene(office: Office) -> None:
        place, minji = office.place, office.place.minji
        by: dict[str, Any] = {"user_id": office.jisu}
        log = office.wire.backend.record_audit_log
        assert "case #1" in await office.told("kick", member=minji)
        until_ = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        muted = [{"key": "communication_disabled_until", "new_value": until_}]
        for _ in range(2):
            log(place.guild, discord.AuditLogAction.ban.value, target_id=minji, reason="사람이 차단", **by)
        log(place.guild, discord.AuditLogAction.member_update.value, target_id=place.dal, changes=muted, **by)
        log(place.guild, discord.AuditLogAction.member_update.value, target_id=place.dal, changes=[], **by)
        log(place.guild, discord.AuditLogAction.channel_create.value, target_id=place.general, **by)
        async with asyncio.timeout(30):
            while len(await office.cases()) < 3:
                await asyncio.sleep(0.05)
        _, ban, mute = await office.cases()
        assert (ban.kind, ban.words, ban.moderator.id) == (CaseKind.BAN, "사람이 차단", str(office.jisu))
        assert (mute.kind, mute.member.id) == (CaseKind.MUTE, str(place.dal))
        runs = await office.told("jikimi sanctions")
        assert "case #2" in runs and "case #3" in runs and not office.wire.made("PUT", "/bans/")
        log(place.guild, discord.AuditLogAction.unban.value, target_id=minji, **by)
        async with asyncio.timeout(30):
            while "case #2" in await office.told("jikimi sanctions"):
                await asyncio.sleep(0.05)

    in_office(tmp_path, scene)
