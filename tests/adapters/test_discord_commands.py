"""Slash commands, menus and the welcome, over TCP: what is asked, by whom, and what only they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import discord

from adapters.discord.commands import needed
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
from tests.discord_wire import Picked

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
        wanted = ("setup", "status", "check", "test", "explain", "exempt", "threshold", "pause", "automod", "privacy")
        assert {name: names[name] for name in wanted} == {name: texts("ko")[f"command.{name}"] for name in wanted}
        assert {option["description_localizations"]["ko"] for option in group["options"]} >= {
            texts("ko")[f"command.{name}_does"] for name in wanted
        }

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
        await until(lambda: "English" in menu.content)
        shown = [row["components"][0] for row in menu.components]
        assert shown[0]["default_values"] == [{"id": place.general, "type": "channel"}]
        chosen = [option["value"] for select in shown for option in select.get("options", ()) if option["default"]]
        assert chosen == ["strict", "live", "en"]

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
        assert fine == say["discord.all_permissions"] + "\n" + say["discord.names_not_read"]
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.ban_members = False
        place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and not guild.me.guild_permissions.ban_members)
        gaps = await told(place, place.wire.command(place.dal, place.general, "jikimi check"))
        assert f"<#{place.general}>: missing permission: Ban Members" in gaps
        assert "Ban Members: needed to ban" in gaps and "needed to kick" not in gaps

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


def test_a_long_text_is_written_in_a_window() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        judged: list[str] = []

        async def judge(message: Message) -> Decision:
            judged.append(message.text)
            return replace(decision(message, Delete()), findings=())

        place.desk.judge = judge  # type: ignore[method-assign]
        place.wire.locale = "ko"
        asked = place.wire.command(place.dal, place.general, "jikimi test")
        await until(lambda: asked.modal)
        assert asked.modal["title"] == texts("ko")["command.test_does"]
        answer = await told(place, place.wire.submit(place.dal, place.general, asked.modal, "첫 줄\n둘째 줄"))
        assert judged == ["첫 줄\n둘째 줄"] and "삭제" in answer
        turned_away = await told(place, place.wire.command(place.minji, place.general, "jikimi test"))
        assert turned_away == texts("ko")["card.not_allowed"]

    play(scene)


def test_who_manages_the_server_chooses_which_bots_are_judged() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        bot = place.join("챗봇", bot=True)
        place.desk.seen = [Bot(id=str(bot), name="챗봇", messages=9, answers=3, prose=0)]
        show = place.wire.command(place.owner, place.general, "jikimi bots")
        assert "⚪" in (listed := await told(place, show)) and "챗봇" in listed and "9" in listed
        chosen: dict[str, Any] = {
            "bot": Picked("user", bot),
            "judged": True,
            "owner_channel": Picked("channel", place.mods),
        }
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


def test_roles_and_channels_are_exempted_and_no_longer() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        ask, role, channel = place.wire.command, Picked("role", place.staff_role), Picked("channel", place.mods)
        answer = await told(place, ask(place.owner, place.general, "jikimi exempt", role=role, channel=channel))
        assert f"<@&{place.staff_role}>" in answer and f"<#{place.mods}>" in answer
        assert settings(place).exempt_roles == {str(place.staff_role)}
        assert settings(place).exempt_channels == {str(place.mods)}
        await told(place, ask(place.owner, place.general, "jikimi exempt", role=role))
        assert settings(place).exempt_roles == frozenset()
        assert settings(place).exempt_channels == {str(place.mods)}
        turned_away = await told(place, ask(place.dal, place.general, "jikimi exempt", channel=channel))
        assert turned_away == say["card.not_allowed"]

    play(scene)


def test_who_changed_the_settings_is_told_by_name() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        names: list[str] = []

        async def change(*which: object, by: str) -> None:
            names.append(by)

        place.desk.change = change  # type: ignore[method-assign]
        await told(place, place.wire.command(place.owner, place.general, "jikimi pause", minutes=5))
        record = place.wire.command(place.owner, place.general, "jikimi setup")
        await until(lambda: record.responded)
        menu = place.wire.backend.get_message(place.general, record.message_id)
        preset = menu.components[2]["components"][0]["custom_id"]
        place.wire.select(place.owner, place.general, menu.id, preset, ["strict"], kind=3)
        await until(lambda: len(names) == 2)
        owner = place.wire.backend.get_user(place.owner)
        assert names == [owner.global_name or owner.name] * 2

    play(scene)


def test_who_uses_discord_in_korean_is_answered_in_korean() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.locale, ko = "ko", texts("ko")
        ask = place.wire.command
        assert await told(place, ask(place.minji, place.general, "jikimi privacy")) == ko["discord.privacy"]
        assert await told(place, ask(place.minji, place.general, "jikimi pause")) == ko["card.not_allowed"]
        status = await told(place, ask(place.dal, place.general, "jikimi status"))
        assert ko["setting.moderators"] in status
        record = ask(place.owner, place.general, "jikimi setup")
        await until(lambda: record.responded)
        assert record.ephemeral
        menu = place.wire.backend.get_message(place.general, record.message_id)
        placeholders = [row["components"][0]["placeholder"] for row in menu.components]
        assert placeholders[0] == ko["setting.choose_moderators_channel"] and len(placeholders) == 5
        assert {option["label"] for option in menu.components[2]["components"][0]["options"]} == {
            ko[f"preset.{name}"] for name in ("gentle", "balanced", "strict")
        }

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


def test_the_welcome_goes_to_the_system_channel_in_the_servers_language() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        backend, client = place.wire.backend, heard.chat.client
        backend.guilds[place.guild].system_channel_id = place.general
        guild = client.get_guild(place.guild)
        assert guild
        guild._system_channel_id, guild.preferred_locale = place.general, discord.Locale.korean
        client.dispatch("guild_join", guild)
        await until(lambda: backend.messages[place.general])
        (welcome,) = backend.messages[place.general].values()
        assert welcome.content == texts("ko")["discord.welcome"]
        assert "/지킴이 설정" in welcome.content and "지켜보기" in welcome.content and "저장" in welcome.content

    play(scene)


def test_every_needed_permission_has_its_name_and_its_reason() -> None:
    for language in ("ko", "en"):
        for name in needed(member_names=True):
            assert texts(language)[f"permission.{name}"] and texts(language)[f"permission_for.{name}"]
            assert hasattr(discord.Permissions(), name)
