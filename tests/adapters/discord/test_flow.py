"""The whole product on Discord: an unmodified discord.py over TCP, the application as it is wired, a SQLite file."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.chat.discord import connection as chat
from adapters.chat.discord.connection import DiscordChat
from adapters.chat.discord.moderators.cards import board
from adapters.chat.discord.receiving import catching_up
from adapters.chat.discord.refs import guild_ref
from bot.app.application import Jikimi, application
from bot.app.parts import Core
from bot.config import Config, preset
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Kind
from bot.core.communities.community import Community
from bot.core.guarding.verdict import Exchange, Screening, Task, Verdict
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.raids import noticing
from bot.core.incidents.raids.raid import Sign
from bot.core.incidents.review import Call
from bot.core.rules.actions import Delete, Done, Flag
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, cafe
from tests.builders import DISCORD, put_settings
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import sqlite_in
from tests.servers.discord import BUCKETS
from tests.servers.postgres import Postgres
from tests.servers.waiting import until

RULE = {
    "name": "harm",
    "when": {"score": {"task": "prompt_harm", "at_least": 0.9}},
    "then": ["delete", "flag"],
    "reason": {"ko": "욕설", "en": "abuse"},
}


EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Ears(ScriptedGuard):
    """Whatever holds the word 나쁜 is harmful."""

    def _answer(self, exchange: Exchange) -> Screening:
        task = Task.PROMPT_HARM if exchange.response is None else Task.RESPONSE_HARM
        bad = "나쁜" in (exchange.response or exchange.prompt or "")
        return Verdict.of_scores({task: 0.99 if bad else 0.01}, guard=self.version)


class At:
    """The product at work in a place; `desk` is its core."""

    def __init__(self, place: Cafe, jikimi: Jikimi, desk: Any) -> None:
        self.place, self.jikimi, self.desk = place, jikimi, desk
        (chat,) = jikimi.platforms
        assert isinstance(chat, DiscordChat)
        self.chat, self.client, self.platform = chat, chat.client, chat.platform

    async def incidents(self) -> list[Incident]:
        return list(await self.jikimi.incidents.between(*EVER))

    async def settled(self, count: int) -> list[Incident]:
        """So many incidents, once everything that was to be done is done and on record."""
        async with asyncio.timeout(120):
            while True:
                found = await self.incidents()
                if len(found) == count and all(outcome for one in found for _, outcome in one.outcomes):
                    return found
                await asyncio.sleep(0.02)

    def in_general(self) -> list[str]:
        return [message.content for message in self.place.wire.backend.messages[self.place.general].values()]

    def cards(self) -> list[Any]:
        """Not what else is said there: alarms, and that incidents come thick and fast."""
        return [message for message in self.place.wire.backend.messages[self.place.mods].values() if message.embeds]


@asynccontextmanager
async def at_work(
    place: Cafe,
    database: Path | str,
    guard: ScriptedGuard | None = None,
    mode: str = "live",
    rules: Sequence[dict[str, Any]] = (RULE,),
    member_names: bool = False,
) -> AsyncIterator[At]:
    config = Config.model_validate(
        {
            "storage": {"url": database if isinstance(database, str) else sqlite_in(database)},
            "defaults": {"mode": mode, "disabled_rules": [rule.name for rule in preset("balanced")]},
            "rules": list(rules),
        }
    )
    cores: list[Core] = []

    def connect(core: Core) -> list[DiscordChat]:
        cores.append(core)
        return place.connect(core, member_names=member_names)

    async with application(config, guard or Ears(), connect) as jikimi:
        desk = cores[0].desk
        server, mods = str(place.guild), str(place.mods)
        await put_settings(desk, Community(platform=DISCORD, id=server, moderators_channel=mods, mode=Watch(mode)))
        work = asyncio.create_task(jikimi.run())
        at = At(place, jikimi, desk)
        try:
            await until(lambda: work.done() or at.client.is_ready())
            yield at
        finally:
            if work.done():
                work.result()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


def test_from_message_to_delete_and_card(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.write("좋은 말")
            place.write("아주 나쁜 말")
            await until(lambda: at.in_general() == ["좋은 말"] and at.cards())
            (incident,) = await at.incidents()
            assert [action for action, _ in incident.outcomes] == [Delete(), Flag()]
            await until(lambda: "삭제 완료" in str(at.cards()[0].embeds))
            (card,) = at.cards()
            (embed,) = card.embeds
            fields = {field["name"]: field["value"] for field in embed["fields"]}
            assert embed["title"] == f"사건 #{incident.case}"
            assert "나쁜" not in str(embed) and embed["description"] == "아○ 나○ 말"
            assert fields["조치"] == "삭제 완료" and fields["점수"] == "0.99" and fields["이유"] == "욕설"
            assert f"<#{place.general}>" in fields["위치"] and fields["회원"] == f"<@{place.minji}>"
            (posted,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
            assert posted.body["nonce"] == f"{incident.id}-flag" and posted.body["enforce_nonce"]

    asyncio.run(scenario())


def test_an_edit_into_something_harmful_is_caught(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            written = place.write("좋은 말")
            await asyncio.sleep(0.05)
            place.wire.backend.edit_message(place.general, written.id, {"content": "나쁜 말"})
            await until(lambda: at.in_general() == [])
            await until(at.cards)
            (incident,) = await at.incidents()
            assert incident.decision.message.kind is Kind.EDIT

    asyncio.run(scenario())


def test_watching_shows_what_would_have_been_done(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, mode="watch") as at:
            place.write("나쁜 말")
            await until(at.cards)
            assert at.in_general() == ["나쁜 말"]
            fields = {field["name"]: field["value"] for field in at.cards()[0].embeds[0]["fields"]}
            assert "삭제" in fields["하지 않은 조치"] and "지켜보기" in fields["하지 않은 이유"]
            assert not place.wire.made("DELETE", "/messages/")

    asyncio.run(scenario())


def test_staff_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.write("나쁜 말", by=place.dal)
            place.write("나쁜 말", by=place.owner)
            place.write("끝", by=place.minji)
            await until(lambda: len(at.in_general()) == 3)
            await asyncio.sleep(0.3)
            assert len(at.in_general()) == 3 and not await at.incidents()

    asyncio.run(scenario())


def test_60_harmful_messages_in_one_channel_go_in_bulk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "BURST", float("inf"))  # seconds; a busy machine may take longer than a minute

    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.wire.buckets = BUCKETS
            written = {str(place.write(f"나쁜 말 {number}").id) for number in range(60)}
            place.write("좋은 말")
            await until(lambda: at.in_general() == ["좋은 말"], 60)
            singles = [call.path.rpartition("/")[2] for call in place.wire.made("DELETE", "/messages/")]
            in_bulk = [str(id_) for call in place.wire.made("POST", "bulk-delete") for id_ in call.body["messages"]]
            assert {*singles, *in_bulk} == written
            assert len(singles) < len(written) / 2
            await until(lambda: len(_named(at)) >= 60, 60)
            assert sorted(_named(at)) == sorted(incident.case for incident in await at.incidents())
            assert len(at.cards()) == 1  # the burst is folded into one card
            assert len(place.wire.made("PATCH", f"/channels/{place.mods}/messages/")) < 30

    asyncio.run(scenario())


def test_d60_two_moderators_press_at_once_and_one_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.write("나쁜 말이 아니었던 말")
            await until(lambda: at.cards() and not at.in_general())
            (incident,) = await at.settled(1)
            other = place.join("별", place.staff_role)
            card = at.cards()[0].id
            place.wire.click(place.dal, place.mods, card, press_id(Button.WRONG, incident.id))
            place.wire.click(other, place.mods, card, press_id(Button.BAN, incident.id))
            await until(lambda: at.in_general() or place.wire.backend.guilds[place.guild].bans)
            await asyncio.sleep(0.5)
            (reviewed,) = await at.incidents()
            assert reviewed.review
            wrong = reviewed.review.call is Call.WRONG
            assert bool(at.in_general()) is wrong
            assert bool(place.wire.backend.guilds[place.guild].bans) is not wrong

    asyncio.run(scenario())


def test_d57_d58_d59_a_button_serves_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place:
            async with at_work(place, tmp_path) as at:
                place.write("나쁜 말이 아니었던 말")
                await until(lambda: at.cards() and not at.in_general())
                (incident,) = await at.settled(1)
                card = at.cards()[0].id
            async with at_work(place, tmp_path) as at:
                place.wire.click(place.dal, place.mods, card, press_id(Button.WRONG, incident.id))
                await until(at.in_general)
                assert at.in_general()[0].startswith("나쁜 말이 아니었던 말")
                (reviewed,) = await at.incidents()
                assert reviewed.review and reviewed.review.call is Call.WRONG
                await until(lambda: "틀림, 되돌림 · 달" in str(at.cards()[0].embeds))
                undone = f"{texts('ko')['action.restore']} {texts('ko')['outcome.done']}"
                await until(lambda: undone in str(at.cards()[0].embeds))  # and it follows what comes of the press

    asyncio.run(scenario())


@pytest.mark.course
def test_a_killed_process_leaves_no_message_unjudged_and_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "EVERY", 0.05)
    monkeypatch.setattr(catching_up, "MARGIN", timedelta(seconds=0.2))
    monkeypatch.setattr(chat, "NOTICES_EACH", 16)  # so many cards at once would take Discord a minute
    monkeypatch.setattr(board, "CROWD", 1000)
    monkeypatch.setattr(noticing, "BARS", dict.fromkeys(Sign, ()))  # and would be taken for a raid

    async def scenario() -> None:
        async with cafe() as place:
            sent = 0
            for _ in range(3):
                async with at_work(place, tmp_path) as at:
                    for _ in range(10):
                        place.write(f"나쁜 말 {sent}", by=place.join(f"회원 {sent}"))
                        sent += 1
                        await asyncio.sleep(0.01)
                for _ in range(5):  # nobody is there
                    place.write(f"나쁜 말 {sent}", by=place.join(f"회원 {sent}"))
                    sent += 1
            async with at_work(place, tmp_path) as at:
                await until(lambda: not at.in_general(), 20)
                incidents = await at.incidents()
                assert len(incidents) == sent
                await until(lambda: len(at.cards()) == sent, 20)

    asyncio.run(scenario())


@pytest.mark.course
@pytest.mark.timeout(600)
def test_in_a_storm_of_faults_nothing_is_missed_and_nothing_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "EVERY", 0.05)
    monkeypatch.setattr(catching_up, "MARGIN", timedelta(seconds=0.5))

    async def scenario() -> None:
        guard = Ears()
        async with cafe() as place, at_work(place, tmp_path, guard) as at:
            wire = place.wire
            for number in range(300):
                place.write(f"{'나쁜' if number % 3 == 0 else '좋은'} 말 {number}")
                match number:
                    case 40:
                        await wire.drop_gateway()
                    case 80:
                        guard.trouble = Unavailable("away")
                    case 120:
                        wire.trouble("*", "/channels/", 429, times=5, retry_after=0.1)
                    case 160:
                        guard.trouble = None
                        wire.trouble("*", "/channels/", 500, times=5)
                    case 200:
                        await wire.drop_gateway(invalidate=True)
                await asyncio.sleep(0.01)
            await until(lambda: len(at.in_general()) == 200, 240)
            assert not any("나쁜" in text for text in at.in_general())
            async with asyncio.timeout(120):
                while not await _on_record(at):
                    await asyncio.sleep(0.02)
            incidents = await at.incidents()
            assert len(incidents) == 100
            assert all(outcome == Done() for i in incidents for action, outcome in i.outcomes if action == Delete())

    asyncio.run(scenario())


async def _on_record(at: At) -> bool:
    """Whether every message is settled and every deletion has come to its end."""
    tally = await at.jikimi.inbox.tally(*EVER)
    deleted = [outcome for one in await at.incidents() for action, outcome in one.outcomes if action == Delete()]
    return tally.kept == tally.settled and all(deleted)


@pytest.mark.course
@pytest.mark.timeout(600)
def test_while_the_database_is_away_nothing_is_lost(postgres: Postgres) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, postgres.create()) as at:
            for number in range(400):  # a hundred a second
                place.write(f"{'나쁜' if number % 4 == 0 else '좋은'} 말 {number}")
                if number == 100:
                    postgres.kill()
                if number == 300:
                    await asyncio.to_thread(postgres.start)
                await asyncio.sleep(0.01)
            await until(lambda: len(at.in_general()) == 300, 240)
            assert not any("나쁜" in text for text in at.in_general())
            assert len(await at.incidents()) == 100
            await until(lambda: len(_named(at)) >= 100, 240)  # each on one card, whatever was away when it was written
            assert sorted(_named(at)) == sorted(incident.case for incident in await at.incidents())

    asyncio.run(scenario())


def _named(at: At) -> list[int]:
    """The incidents that the cards in the moderators' channel name."""
    footers = (card.embeds[0]["footer"]["text"] for card in at.cards() if card.embeds)  # an alarm has none
    return [int(word.removeprefix("#")) for footer in footers for word in footer.split(" · ")]


def test_d48_what_webhooks_say_is_judged_however_often(tmp_path: Path) -> None:
    """Those of applications, too, which are known as bots that answer nobody after some messages."""

    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            backend = place.wire.backend
            hook, bridge = (backend.create_webhook(place.general, name, place.owner).id for name in ("창구", "다리"))
            place.wire.applications[bridge] = 42
            for number in range(7):
                for one in (hook, bridge):
                    backend.create_message(place.general, one, f"나쁜 말 {number}", webhook_id=one, author_name="탈")
            await at.settled(14)
            assert at.in_general() == []

    asyncio.run(scenario())


def test_a_webhook_is_never_sanctioned(tmp_path: Path) -> None:
    async def scenario() -> None:
        harsh = {**RULE, "then": ["delete", "timeout 10m", "warn"]}
        async with cafe() as place, at_work(place, tmp_path, rules=(harsh,)) as at:
            hook = place.wire.backend.create_webhook(place.general, "창구", place.owner).id
            place.wire.backend.create_message(place.general, hook, "나쁜 말", webhook_id=hook, author_name="탈")
            (incident,) = await at.settled(1)
            assert [action.kind for action, _ in incident.outcomes] == ["delete", "flag"]
            assert [why.code for why in incident.decision.restraints] == ["no_account"]

    asyncio.run(scenario())


def test_an_exemption_covers_threads_and_the_channels_of_a_category(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            backend = place.wire.backend
            category = backend.create_channel(place.guild, "장터", type=4).id
            channel = backend.create_channel(place.guild, "거래", parent_id=category).id
            thread = backend.create_thread(place.general, "공지", place.minji).id
            await until(lambda: at.client.get_channel(channel) and at.client.get_channel(thread))
            for exempt in (category, place.general):
                settings = at.desk.community(guild_ref(place.guild))
                await put_settings(at.desk, replace(settings, exempt_channels=settings.exempt_channels | {str(exempt)}))
            for where in (channel, thread, place.general, place.mods):
                place.write("나쁜 말", channel=where)
            (incident,) = await at.settled(1)
            assert incident.decision.message.ref.channel_id == str(place.mods)

    asyncio.run(scenario())


def test_a_rule_names_a_channel_as_people_call_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        there = {**RULE, "when": {"channels": ["거래"], "text": {"any_of": ["팔아요"]}}}
        async with cafe() as place, at_work(place, tmp_path, rules=(there,)) as at:
            channel = place.wire.backend.create_channel(place.guild, "거래").id
            await until(lambda: at.client.get_channel(channel))
            place.write("팔아요")
            place.write("팔아요", channel=channel)
            (incident,) = await at.settled(1)
            assert incident.decision.message.ref.channel_id == str(channel)

    asyncio.run(scenario())


def test_pasted_pictures_are_no_flood(tmp_path: Path) -> None:
    """Discord calls every pasted picture image.png; what was typed with it counts as before."""

    async def scenario() -> None:
        flood = {**RULE, "name": "flood", "when": {"repeats": {"times": 3, "within": "1m"}}}
        async with cafe() as place, at_work(place, tmp_path, rules=(flood,)) as at:
            url = "http://127.0.0.1:9/x"
            picture = {"id": "7", "filename": "image.png", "size": 10, "url": url, "proxy_url": url}
            for _ in range(4):
                place.write("", attachments=[picture])
            for _ in range(3):
                place.write("같은 말", attachments=[picture])
            (incident,) = await at.settled(1)
            assert incident.decision.message.text.startswith("같은 말")

    asyncio.run(scenario())


def notices(place: Cafe) -> list[Any]:
    """What Minji was told in private."""
    dm = place.wire.backend.dm_channels.get(place.minji, 0)
    return list(place.wire.backend.messages.get(dm, {}).values())


async def pressed(at: At, who: int, button: Button, incident: Incident) -> None:
    """On its card, once that offers the button."""
    custom_id, (card, *_) = press_id(button, incident.id), at.cards()
    await until(lambda: custom_id in str(card.components))
    at.place.wire.click(who, at.place.mods, card.id, custom_id)


def test_an_appeal_after_the_review_is_closed_is_accepted_and_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        ko, warns = texts("ko"), {**RULE, "then": ["delete", "warn", "flag"]}
        async with cafe() as place, at_work(place, tmp_path, rules=(warns,)) as at:
            place.wire.locale = "ko"
            place.write("나쁜 말")
            (incident,) = await at.settled(1)
            (notice,) = notices(place)
            assert ko["done.delete"] in notice.content and f"`/이의 {incident.code}`" in notice.content
            await pressed(at, place.dal, Button.RIGHT, incident)
            await until(lambda: press_id(Button.RIGHT, incident.id) not in str(at.cards()[0].components))
            dm, appeal = place.wire.backend.dm_channels[place.minji], notice.components[0]["components"][0]
            press = place.wire.click(place.minji, dm, notice.id, appeal["custom_id"])
            await until(lambda: press.modal)
            place.wire.submit(place.minji, dm, press.modal, "친구끼리 한 말이에요")
            await pressed(at, place.dal, Button.ACCEPT, incident)
            await until(lambda: len(notices(place)) == 3)  # the notice, that the appeal was passed on, what came of it
            assert notices(place)[-1].content == ko("answer.accepted", code=incident.code)
            await until(lambda: at.in_general() == ["나쁜 말\n" + ko["discord.restored"]])

    asyncio.run(scenario())


def test_a_sanction_by_button_is_told_to_the_member_and_not_by_whom(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            place.write("나쁜 말")
            (incident,) = await at.settled(1)
            await pressed(at, place.dal, Button.TIMEOUT, incident)
            await until(lambda: notices(place))
            (notice,) = notices(place)
            assert "타임아웃 (<t:" in notice.content and "욕설" in notice.content and "달" not in notice.content
            await at.settled(1)
            assert place.wire.backend.guilds[place.guild].members[place.minji].timed_out_until

    asyncio.run(scenario())


SIGNS = (
    {"name": "newcomer", "when": {"first_messages": 2, "link": {"kinds": ["invite"]}}, "then": ["delete"]},
    {"name": "campaign", "when": {"same_text_by": {"members": 3, "within": "10m"}}, "then": ["delete"]},
    {"name": "pieces", "when": {"pieces": {"any_of": ["너진짜죽어"], "within": "2m"}}, "then": ["flag"]},
)


def test_signs_beside_the_text_are_seen(tmp_path: Path) -> None:
    advertisement = "무료 체험방 열렸어요 지금 들어오시는 분께만 알려 드리는 {}번째 소식 확인하세요"

    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=SIGNS) as at:
            for piece in ("너", "진짜", "죽", "어"):
                place.write(piece)
            await at.settled(1)
            people = [place.join(f"회원{nth}", announce=True) for nth in range(3)]
            place.write("처음이에요 d i s c o r d . g g / a b c 놀러 오세요", by=people[0])
            for nth, who in enumerate(people):
                place.write(advertisement.format(nth), by=who)
            found = await at.settled(3)
            assert sorted(one.decision.rule or "" for one in found) == ["campaign", "newcomer", "pieces"]
            assert len(at.in_general()) == 6 and not [text for text in at.in_general() if "d i s" in text]

    asyncio.run(scenario())
