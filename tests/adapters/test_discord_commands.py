"""Slash commands, menus and the welcome, over TCP: what is asked, by whom, and what only they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import discord

from adapters.discord.commands import NEEDED
from bot.domain.actions import Delete
from bot.domain.bots import Bot
from bot.domain.community import Community
from bot.domain.conditions import Why
from bot.domain.incident import Incident
from bot.domain.message import Message
from bot.domain.rules import Decision, Finding, Policy, Reason, Rule, Watch
from bot.texts import texts
from tests.adapters.discord_cafe import Cafe, Heard, cafe, listening, until
from tests.builders import decision
from tests.discord_wire import Channel, User

Scene = Callable[[Cafe, Heard], Awaitable[None]]
say = texts("en")  # the language of whoever asks is the simulator's: English


def play(scene: Scene) -> None:
    async def scenario() -> None:
        async with cafe() as place, listening(place) as heard:
            await until(lambda: place.wire.backend.commands.get(None))
            await scene(place, heard)

    asyncio.run(scenario())


async def told(place: Cafe, record: Any) -> str:
    """What the asker alone is told in the end."""
    await until(lambda: record.responded)
    await until(lambda: record.message_id and not record.loading)
    assert record.ephemeral
    return str(place.wire.backend.get_message(place.general, record.message_id).content)


def settings(place: Cafe) -> Community:
    return place.desk.settings[str(place.guild)]


def test_commands_are_registered_in_both_languages() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        group, judge, report = sorted(place.wire.backend.commands[None].values(), key=lambda one: one["type"])
        assert (group["name"], group["name_localizations"]["ko"]) == ("jikimi", "지킴이")
        assert judge["name_localizations"]["ko"] == "지킴이로 판정해 보기"
        assert report["name_localizations"]["ko"] == "지킴이에게 신고"
        names = {option["name"]: option["name_localizations"]["ko"] for option in group["options"]}
        assert names["setup"] == "설정" and names["pause"] == "멈춤" and len(names) == 10

    play(scene)


def test_setting_up_is_five_menus_that_change_what_is_set() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        record = place.wire.command(place.owner, place.general, "jikimi setup")
        await until(lambda: record.responded)
        menu = place.wire.backend.get_message(place.general, record.message_id)
        selects = [row["components"][0] for row in menu.components]
        assert [select["type"] for select in selects] == [8, 8, 3, 3, 3]
        place.wire.select(place.owner, place.general, menu.id, selects[0]["custom_id"], [str(place.general)], kind=8)
        await until(lambda: settings(place).moderators_channel == str(place.general))
        for select, value in zip(selects[2:], ("strict", "live", "en"), strict=True):
            place.wire.select(place.owner, place.general, menu.id, select["custom_id"], [value], kind=3)
        await until(lambda: settings(place).language == "en" and settings(place).mode)
        assert (settings(place).preset, settings(place).mode) == ("strict", Watch.LIVE)
        assert settings(place).name == "카페"

    play(scene)


def test_only_who_manages_the_server_sets_it_up() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        before = settings(place)
        for who in (place.minji, place.dal):
            record = place.wire.command(who, place.general, "jikimi setup")
            assert await told(place, record) == say["card.not_allowed"]
            record = place.wire.command(who, place.general, "jikimi pause")
            assert await told(place, record) == say["card.not_allowed"]
        assert settings(place) == before

    play(scene)


def test_a_moderator_sees_the_settings_and_a_member_does_not() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        status = await told(place, place.wire.command(place.dal, place.general, "jikimi status"))
        assert f"<#{place.mods}>" in status
        turned_away = await told(place, place.wire.command(place.minji, place.general, "jikimi status"))
        assert turned_away == say["card.not_allowed"]

    play(scene)


def test_d37_the_check_names_what_is_missing_and_where() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        fine = await told(place, place.wire.command(place.dal, place.general, "jikimi check"))
        assert fine == say["discord.all_permissions"]
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.ban_members = False
        place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and not guild.me.guild_permissions.ban_members)
        gaps = await told(place, place.wire.command(place.dal, place.general, "jikimi check"))
        assert f"<#{place.general}>" in gaps and "Ban Members" in gaps

    play(scene)


def test_a_sentence_is_judged_without_a_trace() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        judged: list[Message] = []

        async def judge(message: Message) -> Decision:
            judged.append(message)
            found = Finding("abuse", matched=True, why=Why("by_person"))
            return replace(decision(message, Delete()), findings=(found,))

        place.desk.judge = judge  # type: ignore[method-assign]
        answer = await told(place, place.wire.command(place.dal, place.general, "jikimi test", text="나쁜 말"))
        assert "delete" in answer and "0.90" in answer
        assert [(m.text, m.community_id) for m in judged] == [("나쁜 말", str(place.guild))]
        written = place.write("이 글은 어때")
        record = place.wire.command(place.dal, place.general, "Judge with Jikimi", kind=3, target=written.id)
        assert "delete" in await told(place, record)
        assert judged[-1].text == "이 글은 어때"

    play(scene)


def test_who_manages_the_server_chooses_which_bots_are_judged() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        bot = place.join("챗봇", bot=True)
        place.desk.seen = [Bot(id=str(bot), name="챗봇", messages=9, answers=3, prose=0)]
        show = place.wire.command(place.owner, place.general, "jikimi bots")
        assert "⚪" in (listed := await told(place, show)) and "챗봇" in listed and "9" in listed
        chosen: dict[str, Any] = {"bot": User(bot), "judged": True, "owner_channel": Channel(place.mods)}
        listed = await told(place, place.wire.command(place.owner, place.general, "jikimi bots", **chosen))
        assert "🟢" in listed and f"<#{place.mods}>" in listed
        settings = place.desk.settings[str(place.guild)]
        assert (settings.bots, settings.bot_owners) == ({str(bot): True}, {str(bot): str(place.mods)})
        refused = await told(place, place.wire.command(place.dal, place.general, "jikimi bots"))
        assert refused == say["card.not_allowed"]

    play(scene)


def test_a_member_reports_a_message_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        written = place.write("나쁜 말", by=place.dal)
        for _ in range(2):
            record = place.wire.command(place.minji, place.general, "Report to Jikimi", kind=3, target=written.id)
            assert await told(place, record) == say["discord.passed_on"]
        (posted,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        (embed,) = posted.body["embeds"]
        assert embed["description"] == "나○ 말" and f"<@{place.minji}>" in str(embed) and str(written.id) in str(embed)
        place.desk.settings.clear()
        record = place.wire.command(place.minji, place.general, "Report to Jikimi", kind=3, target=written.id)
        assert await told(place, record) == say["discord.nobody_to_tell"]

    play(scene)


def test_an_incident_is_explained_to_moderators_of_its_server() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.write("나쁜 말")
        (message,) = await heard.until()
        why = (Finding("abuse", matched=True, why=Why("by_person")),)
        incident = Incident(
            id=3,
            decision=replace(decision(message, Delete()), findings=why),
            decided_at=datetime.now(UTC),
            outcomes=((Delete(), None),),
        )
        place.desk.incidents[3] = incident
        answer = await told(place, place.wire.command(place.dal, place.general, "jikimi explain", incident=3))
        assert "나쁜 말" in answer and "delete" in answer
        nothing = await told(place, place.wire.command(place.dal, place.general, "jikimi explain", incident=4))
        assert nothing == say["card.not_found"]

    play(scene)


def test_thresholds_exemptions_and_pauses_are_set() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        rule = Rule(name="abuse", when=(), then=(Delete(),), reason=Reason(ko="욕설", en="abuse"))
        place.desk.policy = lambda message: Policy(rules=(rule,))  # type: ignore[method-assign]
        ask = place.wire.command
        await told(place, ask(place.owner, place.general, "jikimi threshold", rule="abuse", score=0.7))
        assert settings(place).thresholds == {"abuse": 0.7}
        unknown = await told(place, ask(place.owner, place.general, "jikimi threshold", rule="nope", score=0.7))
        assert "nope" in unknown and settings(place).thresholds == {"abuse": 0.7}
        await told(place, ask(place.owner, place.general, "jikimi pause", minutes=30))
        paused = settings(place).paused_until
        assert paused and timedelta(minutes=29) < paused - datetime.now(UTC) <= timedelta(minutes=30)
        await told(place, ask(place.owner, place.general, "jikimi pause", minutes=0))
        assert settings(place).paused_until is None

    play(scene)


def test_everybody_may_ask_what_is_stored() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        answer = await told(place, place.wire.command(place.minji, place.general, "jikimi privacy"))
        assert answer == say["discord.privacy"]

    play(scene)


def test_a_new_server_is_welcomed_once() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        new = place.wire.backend.create_guild("새 서버")
        client = heard.chat.client
        await until(lambda: client.get_guild(new.id))
        client.dispatch("guild_join", client.get_guild(new.id))  # the simulator says "available again" instead
        await until(lambda: place.desk.community(heard.chat.platform, str(new.id)).welcomed)
        dm = place.wire.backend.dm_channels[new.owner_id]
        (welcome,) = place.wire.backend.messages[dm].values()
        assert welcome.content == say["discord.welcome"]
        client.dispatch("guild_join", client.get_guild(new.id))
        await asyncio.sleep(0.1)
        assert len(place.wire.backend.messages[dm]) == 1

    play(scene)


def test_every_needed_permission_has_its_name_and_its_reason() -> None:
    for language in ("ko", "en"):
        for name in NEEDED:
            assert texts(language)[f"permission.{name}"] and texts(language)[f"permission_for.{name}"]
            assert hasattr(discord.Permissions(), name)
