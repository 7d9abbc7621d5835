"""What the journal makes of changes and outages."""

import asyncio
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.core.base.errors import Unavailable
from bot.core.communities.community import Community, Listing, Tidied
from bot.core.communities.hours import Hours, Night
from bot.core.communities.journal import Outage, amendments, downtime
from bot.core.communities.overrides import Override
from bot.core.communities.policies import Policies
from bot.core.communities.sharing import Consent
from bot.core.operations.alarm import GUARD, Alarm
from bot.core.reporting.delivery.schedule import DAYS
from bot.core.rules.lists import Lists
from bot.core.rules.policy import Policy, Watch
from bot.core.text.catalogue import LANGUAGES, texts, texts_on
from bot.wording.changes import change_line
from tests.builders import DISCORD, NOW, TELEGRAM, later, put_settings
from tests.fakes.communities import MemoryJournal
from tests.fakes.store import MemoryStore

CAFE = Community(platform=DISCORD, id="1")
HOURS = Hours(start=23, end=7)
APART = Override(mode=Watch.LIVE, preset="strict", thresholds=(("slur", 0.9),), until=NOW)


def test_a_change_is_told_setting_by_setting() -> None:
    before = replace(CAFE, thresholds={"abuse": 0.8, "slur": 0.5}, urgent=("7", "9"))
    after = replace(CAFE, name="새 이름", welcomed=True, thresholds={"abuse": 0.85}, paused_until=NOW, mode=Watch.WATCH)
    told = [(one.setting, one.before, one.after) for one in amendments(before, after, by="하늘", at=NOW)]
    assert told == [
        ("mode", "", "watch"),
        ("paused_until", "", NOW.isoformat(timespec="seconds")),
        ("thresholds.abuse", "0.8", "0.85"),
        ("thresholds.slur", "0.5", ""),
        ("urgent", "7, 9", ""),
    ]
    assert amendments(after, replace(after, name="또"), by="", at=NOW) == ()


@pytest.mark.parametrize(
    ("setting", "value", "korean", "english"),
    [
        ("newcomers", timedelta(days=1), "1일", "1 day"),
        ("newcomers", timedelta(hours=2), "2시간", "2 hours"),
        ("paused_until", later(0), "05-15 12:00", "05-15 12:00"),
        ("paused_until", later(31536000), "2027-05-15 12:00", "2027-05-15 12:00"),
        ("tidied", frozenset(Tidied), "명령, 입퇴장", "commands, joins"),
        ("ladder", "timeout", "채팅 금지까지", "up to mutes"),
        ("night", Night(hours=HOURS, preset="strict"), "23시~7시 엄격하게", "23:00–7:00 strict"),
        ("quiet", HOURS, "23시~7시", "23:00–7:00"),
        ("shadow", frozenset({"slur", "mine"}), "mine, 욕설·비하 (slur)", "mine, slurs (slur)"),
        ("blocklist", Listing.FLAG, "운영진에게 알림", "moderators are told"),
        ("overrides", {"10": APART}, "조치하기 엄격하게 욕설·비하 (slur) 0.9 05-15 12:00",
         "live strict slurs (slur) 0.9 05-15 12:00"),
        ("kinds", {"fraud": "off"}, "찾지 않음", "not looked for"),
        ("gate", True, "켬", "on"),
    ],
)  # fmt: skip
def test_what_was_set_is_told_in_words(setting: str, value: Any, korean: str, english: str) -> None:
    (made,) = amendments(CAFE, replace(CAFE, **{setting: value}), by="", at=NOW)
    for language, after in (("ko", korean), ("en", english)):
        say = texts_on("telegram", language)
        assert change_line(made, say, "UTC", NOW).endswith(f" → {after}")
    unset = "없음" if setting in ("shadow", "tidied") else "정하지 않음"
    assert f": {unset} → " in change_line(replace(made, before=""), texts("ko"), "UTC", NOW)


def test_every_setting_has_a_name_in_reports() -> None:
    changed = Community(
        platform=TELEGRAM, id="2", name="고양이", language="en", timezone="UTC", preset="strict",
        mode=Watch.LIVE, moderators_channel="3", report_channel="4", urgent=("5",), exempt_roles=frozenset({"6"}),
        exempt_channels=frozenset({"7"}), thresholds={"abuse": 0.5}, bots={"8": True}, bot_owners={"8": "9"},
        paused_until=NOW, welcomed=True, staff_explained=True,
        care=True, native_filter=True, report_day="sunday", report_hour=9,
        daily_digest=True, alert_at=5, left_at=NOW, ladder="timeout",
        overrides={"10": Override(off=True)},
        lists=Lists(forbidden_words=("a",), allowed_words=("b",), forbidden_links=("c",), allowed_links=("d",),
                    tried_words=("e",)),
        house_rules="1. 서로 존중합니다.",
        kinds={"abuse": "strict"}, shadow=frozenset({"slur"}), rules={"mine": 'then = ["flag"]'},
        night=Night(hours=Hours(start=23, end=7), preset="strict"), quiet=Hours(start=22, end=8),
        gate=True, newcomers=timedelta(hours=1), tidied=frozenset(Tidied), blocklist=Listing.FLAG,
        shares={"bans telegram:3": Consent("1", NOW)},
    )  # fmt: skip
    names = {field.name for field in fields(Community)} - {"version"}
    assert {name for name in names if getattr(changed, name) == getattr(CAFE, name)} == set(), "set them here, too"
    told = {one.setting.partition(".")[0]: one.after for one in amendments(CAFE, changed, by="", at=NOW)}
    lists = {name for name, _ in changed.lists}
    assert told.keys() == (names | lists) - {
        "platform",
        "id",
        "name",
        "welcomed",
        "staff_explained",
        "left_at",
        "lists",
    }
    for language in LANGUAGES:
        say = texts(language)
        for setting, after in told.items():
            assert f"report.setting.{setting}" in say, (language, setting)
            assert after not in ("True", "False") or f"report.value.{setting}.{after}" in say, (language, setting)
        assert all(f"report.value.report_day.{day}" in say for day in (*DAYS, "off"))


def test_outages_that_overlap_count_once() -> None:
    assert downtime([]) == timedelta(0)
    some = [Outage(later(100), later(200)), Outage(NOW, later(60)), Outage(later(150), later(160))]
    assert downtime([*some, Outage(later(190), later(230))]) == timedelta(seconds=190)


def test_who_changed_it_reaches_the_journal() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        policies = Policies(store=store.communities, build=lambda _: Policy(version="1", rules=()), clock=store.clock)
        await put_settings(policies, replace(CAFE, mode=Watch.LIVE), by="하늘")
        (made,) = await store.journal.amendments(CAFE.ref, NOW, later(1))
        assert (made.by, made.setting, made.after) == ("하늘", "mode", "live")

    asyncio.run(scenario())


def test_a_return_is_written_down_however_long_the_database_is_away() -> None:
    class Flaky(MemoryJournal):
        failures = 2

        async def guard_came_back(self, at: datetime) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise Unavailable("restarting")
            await super().guard_came_back(at)

    async def scenario() -> None:
        store, journal = MemoryStore(), Flaky()
        policies = Policies(store=store.communities, build=lambda _: Policy(version="1", rules=()), clock=store.clock)
        is_there = False

        async def answers() -> bool:
            return is_there

        alarm = Alarm(
            answers={GUARD: answers},
            policies=policies,
            platforms={},
            journal=journal,
            inbox=store.inbox,
            clock=store.clock,
            language="ko",
        )
        running = asyncio.create_task(alarm.run())
        await store.clock.advance(60)
        assert await journal.guard_is_away()
        is_there = True
        await store.clock.advance(30)
        (outage,) = journal.away
        assert outage.begin == NOW and outage.end and later(60) <= outage.end <= later(61)
        running.cancel()

    asyncio.run(scenario())
