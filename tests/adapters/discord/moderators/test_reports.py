"""/jikimi report and /jikimi report-schedule, over TCP."""

from dataclasses import replace
from typing import Any

import pytest

from bot.core.chat.message import CommunityRef
from bot.core.chat.post import Attachment, Post
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, play
from tests.servers.waiting import until

say = texts("en")


async def shown(place: Cafe, who: int, name: str = "report", **options: Any) -> Any:
    """What the asker alone is shown in the end."""
    record = place.wire.command(who, place.general, f"jikimi {name}", **options)
    await until(lambda: record.message_id and not record.loading)
    assert record.ephemeral
    return place.wire.backend.get_message(place.general, record.message_id)


def test_a_moderator_gets_a_report_that_nobody_else_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        asked: list[tuple[str, str | None, bool]] = []
        report = place.desk.report

        async def desk(community: CommunityRef, period: str | None = None, *, unmasked: bool = False) -> Any:
            asked.append((community.id, period, unmasked))
            return await report(community, period, unmasked=unmasked)

        monkeypatch.setattr(place.desk, "report", desk)
        message = await shown(place, place.dal, first="2026-05-01", last="2026-05-14")
        assert "2026-05-01..2026-05-14" in message.content
        assert next(iter(message.attachments))["filename"] == "report.png"
        assert (await shown(place, place.dal, period="day", names=True)).content.endswith("unmasked")
        for period in ("week", "month", "today", "this_week", "this_month"):
            assert await shown(place, place.dal, period=period)
        assert "2026-02-30" in (await shown(place, place.dal, first="2026-02-30")).content
        assert (await shown(place, place.minji)).content == say["card.not_allowed"]
        ids, periods, unmasked = zip(*asked, strict=True)
        assert set(ids) == {str(place.guild)} and unmasked == (False, True, *[False] * 6)
        assert [len(period or "") for period in periods] == [22, 10, 8, 7, 10, 8, 7, 10]
        yesterday, week, month, *current = (period or "" for period in periods[1:-1])
        assert all(map(str.__lt__, (yesterday, week, month), current))
        assert not place.wire.backend.messages.get(place.mods)

    play(scene, commands=True)


def test_a_report_too_large_for_an_answer_gets_lighter(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        async def desk(*_: Any, **__: Any) -> Post:
            def file(name: str, size: int) -> Attachment:
                return Attachment(name=name, content=b"x" * size, description=name)

            return Post(text="t", picture=file("p.png", 9), files=(file("w.html", 9), file("w.pdf", 99)))

        monkeypatch.setattr(place.desk, "report", desk)
        place.wire.trouble("*", "/webhooks/", 413)
        message = await shown(place, place.dal)
        assert [one["filename"] for one in message.attachments] == ["p.png", "w.html"]
        assert "w.pdf" in message.content

    play(scene, commands=True)


def test_who_manages_the_server_says_when_reports_come() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        told = await shown(place, place.owner, "report-schedule", day="friday", hour=18, daily=True, alert=50)
        now = place.desk.settings[str(place.guild)]
        assert (now.report_day, now.report_hour, now.daily_digest, now.alert_at) == ("friday", 18, True, 50)
        assert "Friday 18:00" in told.content and "50 incidents" in told.content
        told = await shown(place, place.owner, "report-schedule", day="off")
        assert place.desk.settings[str(place.guild)] == replace(now, report_day="off")
        assert (await shown(place, place.owner, "report-schedule")).content == told.content
        assert place.desk.changed_by == [place.wire.backend.users[place.owner].name] * 2
        manage = say("discord.needs_right", permissions=say["permission.manage_guild"])
        assert (await shown(place, place.dal, "report-schedule", day="off")).content == manage

    play(scene, commands=True)
