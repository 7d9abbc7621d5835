"""Slash commands, menus and the welcome, over TCP: what is asked, by whom, and what only they are told."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest

from adapters.chat.discord.errors import missing
from adapters.chat.discord.moderators.commands.host import needed
from adapters.chat.discord.refs import guild_ref
from bot.core.answers.bot import Bot
from bot.core.chat.message import Message
from bot.core.chat.post import Advised
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Task
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import MOST_FLAGGED
from bot.core.moderators.commands import TABLE
from bot.core.reporting.what_if import Probabilities, Scored
from bot.core.rules.actions import Delete
from bot.core.rules.conditions import Explanation, Kind, Score
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Policy, Reason, Rule, Watch
from bot.core.text.catalogue import texts
from bot.wording.reasons import rule_name
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening, play
from tests.adapters.discord.moderators.test_posting import post
from tests.builders import DISCORD, decision, message
from tests.servers.discord import Picked
from tests.servers.waiting import until

REASON = Reason(ko="욕설", en="abuse")
say = texts("en")  # the language of whoever asks is the simulator's: English


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
        known = {one["name"]: one for one in place.wire.backend.commands[None].values()}
        group, judge, report = known["jikimi"], known["Judge with Jikimi"], known["Report to Jikimi"]
        assert known["privacy"]["name_localizations"]["ko"] == "개인정보"
        assert known["appeal"]["name_localizations"]["ko"] == "이의"
        for everybodys in ("privacy", "appeal", "Report to Jikimi"):
            assert known[everybodys].get("default_member_permissions") is None
        groups = {option["name"]: option for option in group["options"] if option["type"] == 2}
        listed = [option for option in group["options"] if option["type"] == 1]
        listed += [option for one in groups.values() for option in one["options"]]
        options = [option for command in (*listed, known["appeal"]) for option in command.get("options", ())]
        assert options and all(option["name_localizations"]["ko"] != option["name"] for option in options)
        assert all(option["description"] != "…" for option in options)
        assert {option["description_localizations"]["ko"] for option in options} <= {
            texts("ko")[key] for key in texts("ko").sentences if key.startswith("option.")
        }
        assert (group["name"], group["name_localizations"]["ko"]) == ("jikimi", "지킴이")
        assert judge["name_localizations"]["ko"] == "지킴이로 판정해 보기"
        assert report["name_localizations"]["ko"] == "지킴이에게 신고"
        assert groups["policy"]["name_localizations"]["ko"] == "정책"
        names = {option["name"]: option["name_localizations"]["ko"] for option in listed}
        wanted = [command.name for command in TABLE if not (command.alone or command.doors)]
        english = {texts("en")[f"command.{name}"]: texts("ko")[f"command.{name}"] for name in wanted}
        assert names == english
        assert {option["description_localizations"]["ko"] for option in listed} >= {
            texts("ko")[f"command.{name}_does"] for name in wanted
        }

    play(scene, commands=True)


async def set_up(place: Cafe, page: int = 0) -> Any:
    """The message with the menus, on one of its pages."""
    record = place.wire.command(place.owner, place.general, "jikimi setup")
    await until(lambda: record.responded)
    menu = place.wire.backend.get_message(place.general, record.message_id)
    if page:
        place.wire.click(place.owner, place.general, menu.id, carried(menu)[-1])
        await until(lambda: carried(menu)[0] == "jikimi-set:preset")
    return menu


def preselected(menu: Any) -> list[str]:
    shown = [row["components"][0] for row in menu.components]
    return [option["value"] for select in shown for option in select.get("options", ()) if option["default"]]


def carried(menu: Any) -> list[str]:
    return [row["components"][0]["custom_id"] for row in menu.components]


def test_setting_up_is_two_pages_of_menus_that_change_what_is_set() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        menu, choose = await set_up(place), place.wire.select
        selects = [row["components"][0] for row in menu.components]
        assert [select["type"] for select in selects] == [8, 7, 8, 2]
        choose(place.owner, place.general, menu.id, carried(menu)[0], [str(place.general)], kind=8)
        await until(lambda: settings(place).moderators_channel == str(place.general))
        assert settings(place).name == "카페"
        await until(lambda: f"<#{place.general}>" in menu.content)
        assert menu.components[0]["components"][0]["default_values"] == [{"id": place.general, "type": "channel"}]
        menu = await set_up(place, 1)
        policy = place.desk.policy(message("1"))
        assert preselected(menu) == ["balanced", policy.mode, policy.language], "what holds where nothing is set"
        for custom_id, value in zip(carried(menu), ("strict", "live", "en"), strict=False):
            choose(place.owner, place.general, menu.id, custom_id, [value], kind=3)
        await until(lambda: settings(place).language == "en" and settings(place).mode)
        assert (settings(place).preset, settings(place).mode) == ("strict", Watch.LIVE)
        await until(lambda: "English" in menu.content)
        assert preselected(menu) == ["strict", "live", "en"]

    play(scene, commands=True)


def said_in(place: Cafe, channel: int) -> list[str]:
    """What the bot has said there to everybody."""
    told = place.wire.backend.messages[channel].values()
    return [message.content for message in told if message.author_id == place.me and not message.flags & 1 << 6]


def test_a_room_is_tried_before_it_is_taken_and_the_old_one_is_told() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        ko, menu = texts("ko"), await set_up(place)
        by = place.wire.backend.get_user(place.owner).name
        place.wire.select(place.owner, place.general, menu.id, carried(menu)[0], [str(place.general)], kind=8)
        await until(lambda: said_in(place, place.mods))
        assert said_in(place, place.general) == [ko("discord.moderators_channel_set", by=by)]
        room = f"<#{place.general}>"
        assert said_in(place, place.mods) == [ko("discord.moderators_channel_moved", by=by, room=room)]
        place.wire.select(place.owner, place.general, menu.id, carried(menu)[2], [str(place.mods)], kind=8)
        await until(lambda: settings(place).report_channel == str(place.mods))
        place.wire.select(place.owner, place.general, menu.id, carried(menu)[2], [], kind=8)
        await until(lambda: settings(place).report_channel is None)
        moved = ko("discord.report_channel_unset", by=by)  # whatever the presser speaks
        await until(lambda: moved in said_in(place, place.mods))

    play(scene, commands=True)


def test_a_room_that_we_cannot_write_to_is_not_taken() -> None:
    """The private channel of moderators is the usual case."""

    async def scene(place: Cafe, heard: Heard) -> None:
        backend, before = place.wire.backend, settings(place)
        mine = next(role for role in backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.administrator = allowed.send_messages = allowed.embed_links = False
        everyone = backend.guilds[place.guild].roles[place.guild]
        backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        backend.edit_role(
            place.guild, everyone.id, {"permissions": discord.Permissions(view_channel=True, attach_files=True).value}
        )
        guild = heard.chat.client.get_guild(place.guild)
        channel = guild and guild.get_channel(place.general)
        await until(lambda: guild and channel and not channel.permissions_for(guild.me).send_messages)
        menu, count = await set_up(place), len(backend.messages[place.general])
        place.wire.select(place.owner, place.general, menu.id, carried(menu)[0], [str(place.general)], kind=8)
        await until(lambda: len(backend.messages[place.general]) > count)
        *_, answer = backend.messages[place.general].values()
        lacking = missing(
            ["send_messages", "embed_links", "attach_files"], say
        )  # without the first, none of the others
        assert answer.content == say("discord.room_lacks", channel=f"<#{place.general}>", missing=lacking)
        assert settings(place) == before and not place.wire.made("POST", f"/channels/{place.general}/messages")
        await place.desk.change(
            guild_ref(place.guild),
            lambda now: replace(now, moderators_channel=str(place.general)),
            by="",
        )
        found = await told(place, place.wire.command(place.dal, place.general, "jikimi check"))
        what = say["setting.moderators"]
        assert say("discord.room_cannot", what=what, room=f"<#{place.general}>", missing=lacking) in found

    play(scene, commands=True)


def test_somebody_is_named_for_urgent_calls_and_who_would_not_hear_them_is_said() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        backend, menu = place.wire.backend, await set_up(place)
        loud = backend.create_role(place.guild, "당직", mentionable=True).id
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and guild.get_role(loud))
        mine = next(role for role in backend.guilds[place.guild].roles.values() if role.managed)
        quiet = discord.Permissions(mine.permissions)
        quiet.mention_everyone = quiet.administrator = False
        backend.edit_role(place.guild, mine.id, {"permissions": quiet.value})
        await until(lambda: guild and not guild.me.guild_permissions.mention_everyone)
        chosen = [str(loud), str(place.staff_role), str(place.minji)]
        count = len(backend.messages[place.general])
        place.wire.select(place.owner, place.general, menu.id, carried(menu)[1], chosen, kind=7)
        await until(lambda: len(backend.messages[place.general]) > count)
        assert set(settings(place).urgent) == set(chosen)
        *_, answer = backend.messages[place.general].values()
        assert answer.content == say("discord.role_not_called", role=f"<@&{place.staff_role}>")

    play(scene, commands=True)


def test_only_who_manages_the_server_sets_it_up() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        before = settings(place)
        manage = say("discord.needs_right", permissions=say["permission.manage_guild"])
        for who, no in ((place.minji, say["card.not_allowed"]), (place.dal, manage)):
            for command in ("setup", "pause"):
                record = place.wire.command(who, place.general, f"jikimi {command}")
                assert await told(place, record) == no
        assert settings(place) == before

    play(scene, commands=True)


def test_a_moderator_sees_the_settings_and_a_member_does_not() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        status = await told(place, place.wire.command(place.dal, place.general, "jikimi status"))
        assert f"<#{place.mods}>" in status
        turned_away = await told(place, place.wire.command(place.minji, place.general, "jikimi status"))
        assert turned_away == say["card.not_allowed"]

    play(scene, commands=True)


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

    play(scene, commands=True)


def test_a_sentence_is_judged_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        judged: list[Message] = []

        async def judge(message: Message) -> Decision:
            judged.append(message)
            found = Finding("abuse", matched=True, why=Explanation("by_person"))
            return replace(decision(message, Delete()), findings=(found,))

        monkeypatch.setattr(place.desk, "judge", judge)
        answer = await told(place, place.wire.command(place.dal, place.general, "jikimi test", text="나쁜 말"))
        assert "delete" in answer and "0.90" in answer
        assert [(m.text, m.community_id) for m in judged] == [("나쁜 말", str(place.guild))]
        written = place.write("이 글은 어때")
        record = place.wire.command(place.dal, place.general, "Judge with Jikimi", kind=3, target=written.id)
        assert "delete" in await told(place, record)
        assert judged[-1].text == "이 글은 어때"

    play(scene, commands=True)


def test_a_long_text_is_written_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        judged: list[str] = []

        async def judge(message: Message) -> Decision:
            judged.append(message.text)
            return replace(decision(message, Delete()), findings=())

        monkeypatch.setattr(place.desk, "judge", judge)
        place.wire.locale = "ko"
        asked = place.wire.command(place.dal, place.general, "jikimi test")
        await until(lambda: asked.modal)
        assert asked.modal["title"] == texts("ko")["command.test_title"]
        answer = await told(place, place.wire.submit(place.dal, place.general, asked.modal, "첫 줄\n둘째 줄"))
        assert judged == ["첫 줄\n둘째 줄"] and "삭제" in answer
        turned_away = await told(place, place.wire.command(place.minji, place.general, "jikimi test"))
        assert turned_away == texts("ko")["card.not_allowed"]

    play(scene, commands=True)


def test_who_manages_the_server_chooses_which_bots_are_judged() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        bot = place.join("챗봇", bot=True)
        place.desk.seen = [Bot(id=str(bot), name="챗봇", messages=9, answers=3, prose=0)]
        show = place.wire.command(place.owner, place.general, "jikimi bots")
        assert "⚪" in (listed := await told(place, show)) and "챗봇" in listed and "9" in listed
        chosen: dict[str, Any] = {
            "bot": str(bot),
            "judged": True,
            "owner_channel": Picked("channel", place.mods),
        }
        listed = await told(place, place.wire.command(place.owner, place.general, "jikimi bots", **chosen))
        assert "🟢" in listed and f"<#{place.mods}>" in listed
        settings = place.desk.settings[str(place.guild)]
        assert (settings.bots, settings.bot_owners) == ({str(bot): True}, {str(bot): str(place.mods)})
        offered = await choices(place, "jikimi bots", "bot", "챗")
        assert offered == [{"name": "챗봇 (9)", "value": str(bot)}]
        nobody = await told(
            place, place.wire.command(place.owner, place.general, "jikimi bots", bot="없는 봇", judged=True)
        )
        assert nobody == say("bots.unknown", given="없는 봇")
        refused = await told(place, place.wire.command(place.dal, place.general, "jikimi bots"))
        assert refused == say("discord.needs_right", permissions=say["permission.manage_guild"])

    play(scene, commands=True)


async def choices(place: Cafe, command: str, option: str, typed: str = "", by: int | None = None) -> Any:
    record = place.wire.autocomplete(by or place.owner, place.general, command, option, typed)
    await until(lambda: record.autocomplete_choices is not None)
    return record.autocomplete_choices


async def report(place: Cafe, by: int, message_id: int) -> str:
    return await told(place, place.wire.command(by, place.general, "Report to Jikimi", kind=3, target=message_id))


def test_what_several_members_report_is_one_revision_with_their_number() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        written = place.write("나쁜 말", by=place.dal)
        members = [place.minji, place.join("새봄"), place.owner]
        for member in members:
            assert await report(place, member, written.id) == say["flag.heard"]
        assert await report(place, place.minji, written.id) == say["flag.heard_before"]
        assert len(place.desk.record.flags) == 3
        (kept,) = place.desk.record.messages.values()
        assert (kept.text, kept.flagged, kept.author.id) == ("나쁜 말", True, str(place.dal))
        place.desk.settings.clear()
        assert await report(place, place.minji, written.id) == say["discord.nobody_to_tell"]

    play(scene, commands=True)


def test_neither_one_member_nor_many_fill_the_moderators_channel_with_reports() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        written = [place.write(f"나쁜 말 {number}", by=place.dal).id for number in range(12)]
        answers = [await report(place, place.minji, one) for one in written[:3]]
        assert answers == [say["flag.heard"], *[say["flag.too_many"]] * 2]
        for number, one in enumerate(written[3:]):
            answers.append(await report(place, place.join(f"부계정 {number}"), one))
        assert answers.count(say["flag.heard"]) == MOST_FLAGGED and answers[-1] == say["flag.too_many"]

    play(scene, commands=True)


def test_an_incident_is_explained_to_moderators_of_its_server() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.write("나쁜 말")
        (message,) = await heard.until()
        why = (Finding("abuse", matched=True, why=Explanation("by_person")),)
        incident = Incident(
            id=3,
            case=3,
            decision=replace(decision(message, Delete()), findings=why),
            decided_at=datetime.now(UTC),
            outcomes=((Delete(), None),),
        )
        place.desk.incidents[3] = incident
        answer = await told(place, place.wire.command(place.dal, place.general, "jikimi why", incident=3))
        assert "나쁜 말" in answer and "delete" in answer
        nothing = await told(place, place.wire.command(place.dal, place.general, "jikimi why", incident=4))
        assert nothing == say["card.not_found"]

    play(scene, commands=True)


def test_thresholds_and_pauses_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        def policy(_: Message) -> Policy:
            bar = settings(place).thresholds.get("abuse", 0.9)
            score = Score(task=Task.PROMPT_HARM, at_least=bar)
            scored = Rule(name="abuse", when=(score,), then=(Delete(),), reason=REASON)
            return Policy(rules=(scored, Rule(name="flood", when=(), then=(Delete(),), reason=REASON)))

        monkeypatch.setattr(place.desk, "policy", policy)
        ask = place.wire.command
        abuse, flood = (rule_name(name, say) for name in ("abuse", "flood"))
        assert await choices(place, "jikimi policy threshold", "rule") == [{"name": f"{abuse} · 0.9", "value": "abuse"}]
        assert await choices(place, "jikimi policy threshold", "rule", by=place.dal) == []
        answer = await told(place, ask(place.owner, place.general, "jikimi policy threshold", rule="abuse", score=0.7))
        assert settings(place).thresholds == {"abuse": 0.7}
        assert answer == say("threshold.set", rule=abuse, score=0.7)
        unknown = await told(place, ask(place.owner, place.general, "jikimi policy threshold", rule="nope", score=0.7))
        no_score = await told(
            place, ask(place.owner, place.general, "jikimi policy threshold", rule="flood", score=0.7)
        )
        assert "nope" in unknown and no_score == say("threshold.no_score", rule=flood)
        assert settings(place).thresholds == {"abuse": 0.7}
        answer = await told(place, ask(place.owner, place.general, "jikimi policy threshold", rule="abuse"))
        assert settings(place).thresholds == {} and answer == say("threshold.reset", rule=abuse, score=0.9)
        await told(place, ask(place.owner, place.general, "jikimi pause", lasting="30m"))
        paused = settings(place).paused_until
        assert paused and timedelta(minutes=29) < paused - datetime.now(UTC) <= timedelta(minutes=30)
        await told(place, ask(place.owner, place.general, "jikimi pause", lasting="해제"))
        assert settings(place).paused_until is None
        await until(lambda: len(said_in(place, place.mods)) == 2)  # the moderators' room hears of both

    play(scene, commands=True)


def test_roles_and_channels_are_exempted_and_no_longer() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        ask, role, channel = place.wire.command, Picked("role", place.staff_role), Picked("channel", place.mods)
        answer = await told(place, ask(place.owner, place.general, "jikimi exempt", role=role, channel=channel))
        assert f"<@&{place.staff_role}>" in answer and f"<#{place.mods}>" in answer
        assert settings(place).exempt_roles == {str(place.staff_role)}
        assert settings(place).exempt_channels == {str(place.mods)}
        await told(place, ask(place.owner, place.general, "jikimi exempt", role=role, on=False))
        assert settings(place).exempt_roles == frozenset()
        assert settings(place).exempt_channels == {str(place.mods)}
        turned_away = await told(place, ask(place.dal, place.general, "jikimi exempt", channel=channel))
        assert turned_away == say("discord.needs_right", permissions=say["permission.manage_guild"])

    play(scene, commands=True)


def test_who_changed_the_settings_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        names: list[str] = []

        async def change(*which: object, by: str) -> None:
            names.append(by)

        monkeypatch.setattr(place.desk, "change", change)
        await told(place, place.wire.command(place.owner, place.general, "jikimi pause", lasting="5m"))
        menu = await set_up(place, 1)
        preset = carried(menu)[0]
        place.wire.select(place.owner, place.general, menu.id, preset, ["strict"], kind=3)
        await until(lambda: len(names) == 2)
        owner = place.wire.backend.get_user(place.owner)
        assert names == [owner.global_name or owner.name] * 2

    play(scene, commands=True)


def test_who_uses_discord_in_korean_is_answered_in_korean() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.wire.locale, ko = "ko", texts("ko")
        ask = place.wire.command
        assert (await told(place, ask(place.minji, place.general, "privacy"))).startswith(ko["privacy.why"])
        assert await told(place, ask(place.minji, place.general, "jikimi pause")) == ko["card.not_allowed"]
        status = await told(place, ask(place.dal, place.general, "jikimi status"))
        assert ko["setting.moderators"] in status
        record = ask(place.owner, place.general, "jikimi setup")
        await until(lambda: record.responded)
        assert record.ephemeral
        menu = place.wire.backend.get_message(place.general, record.message_id)
        placeholders = [row["components"][0]["placeholder"] for row in menu.components[:-1]]
        assert placeholders == [
            ko[f"setting.choose_{key}"] for key in ("moderators_channel", "urgent", "report_channel")
        ]
        place.wire.click(place.owner, place.general, menu.id, carried(menu)[-1])
        await until(lambda: carried(menu)[0] == "jikimi-set:preset")
        assert {option["label"] for option in menu.components[0]["components"][0]["options"]} == {
            ko[f"preset.{name}"] for name in ("gentle", "balanced", "strict")
        }

    play(scene, commands=True)


def test_everybody_may_ask_what_is_stored() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        answer = await told(place, place.wire.command(place.minji, place.general, "privacy"))
        assert answer.startswith(say["privacy.why"]) and say["privacy.here"] in answer

    play(scene, commands=True)


def test_a_new_server_is_welcomed_once_in_the_configured_language() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        new = place.wire.backend.create_guild("새 서버")
        client = heard.chat.client
        await until(lambda: client.get_guild(new.id))
        client.dispatch("guild_join", client.get_guild(new.id))  # the simulator says "available again" instead
        await until(lambda: place.desk.community(guild_ref(new.id)).welcomed)
        dm = place.wire.backend.dm_channels[new.owner_id]
        (welcome,) = place.wire.backend.messages[dm].values()
        assert welcome.content == texts("ko")["discord.welcome"]
        assert "/지킴이 설정" in welcome.content and "/개인정보" in welcome.content and "저장" in welcome.content
        client.dispatch("guild_join", client.get_guild(new.id))
        await asyncio.sleep(0.1)
        assert len(place.wire.backend.messages[dm]) == 1
        client.dispatch("guild_remove", client.get_guild(new.id))
        await until(lambda: place.desk.community(guild_ref(new.id)).left_at)
        client.dispatch("guild_join", client.get_guild(new.id))  # who brings us back is welcomed again
        await until(lambda: len(place.wire.backend.messages[dm]) == 2)
        await until(lambda: place.desk.community(guild_ref(new.id)).left_at is None)

    play(scene, commands=True)


def test_the_welcome_goes_to_the_system_channel_and_opens_no_dm() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        backend, client = place.wire.backend, heard.chat.client
        backend.guilds[place.guild].system_channel_id = place.general
        guild = client.get_guild(place.guild)
        assert guild
        guild._system_channel_id = place.general
        client.dispatch("guild_join", guild)
        await until(lambda: backend.messages[place.general])
        (welcome,) = backend.messages[place.general].values()
        assert welcome.content == texts("ko")["discord.welcome"]
        await until(lambda: settings(place).welcomed)
        assert not place.wire.made("POST", "/users/@me/channels")

    play(scene, commands=True)


def test_servers_joined_or_left_while_away_are_noticed_at_the_start() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            new, gone = place.wire.backend.create_guild("새 서버"), str(1 << 60)
            place.desk.settings[gone] = Community(platform=DISCORD, id=gone, welcomed=True)
            async with listening(place):
                await until(lambda: place.desk.community(guild_ref(new.id)).welcomed)
                await until(lambda: place.desk.community(guild_ref(gone)).left_at)
                assert settings(place).left_at is None and not settings(place).welcomed  # it has long been set up

    asyncio.run(scenario())


def test_every_needed_permission_has_its_name_and_its_reason() -> None:
    for language in ("ko", "en"):
        for name in needed(member_names=True):
            assert texts(language)[f"permission.{name}"] and texts(language)[f"permission_for.{name}"]
            assert hasattr(discord.Permissions(), name)


def test_what_if_is_told_and_its_button_sets_the_threshold_for_whoever_may(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        kind = Kind(any_of=frozenset({HarmKind.ABUSE}), at_least=0.9)
        policy = Policy(rules=(Rule(name="abuse", when=(kind,), then=(Delete(),), reason=REASON),))
        monkeypatch.setattr(place.desk, "policy", lambda _: policy)
        place.desk.found = Probabilities(messages={17: 12}, incidents=(Scored(4, "likely", 0.86, True),))
        answer = await told(
            place, place.wire.command(place.owner, place.general, "jikimi policy what-if", rule="abuse", score=0.85)
        )
        assert "12" in answer and settings(place).thresholds == {}
        report = replace(post(), advised=(Advised(str(place.guild), "abuse", 0.85),))
        await heard.chat.publish(str(place.general), report, mark="report-1")
        *_, posted = place.wire.backend.messages[place.general].values()
        (button,) = posted.components[0]["components"]
        refused = await told(place, place.wire.click(place.dal, place.general, posted.id, button["custom_id"]))
        assert settings(place).thresholds == {} and "0.85" not in refused
        done = await told(place, place.wire.click(place.owner, place.general, posted.id, button["custom_id"]))
        assert settings(place).thresholds == {"abuse": 0.85} and "0.85" in done
        monkeypatch.setattr(place.desk, "policy", lambda _: Policy(rules=()))
        gone = await told(place, place.wire.click(place.owner, place.general, posted.id, button["custom_id"]))
        assert gone == say["what_if.gone"]

    play(scene, commands=True)


def test_a_policy_is_taken_in_from_a_file_or_a_window_and_handed_out() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        def ask(name: str, **options: Any) -> Any:
            return place.wire.command(place.owner, place.general, f"jikimi policy {name}", **options)

        place.wire.files = {"1": b'format = 1\n[kinds]\nfraud = "off"\n', "2": b"format = 2", "3": None}
        for number, size, why in ((2, 40, "newer"), (1, 10_000_000, "too large"), (3, 40, "too large")):
            answer = await told(place, ask("import", file=Picked("attachment", number, size)))
            assert why in answer and not settings(place).kinds
        answer = await told(place, ask("compare", file=Picked("attachment", 1, 40)))
        assert "fraud" in answer.lower() and not settings(place).kinds
        await told(place, ask("import", file=Picked("attachment", 1, 40)))
        assert settings(place).kinds == {"fraud": "off"}
        window = ask("import")
        await until(lambda: window.modal)
        sent = place.wire.submit(place.owner, place.general, window.modal, 'format = 1\n[kinds]\nhate = "strict"')
        await told(place, sent)
        assert settings(place).kinds == {"hate": "strict"}
        record = ask("export")
        await told(place, record)
        (file,) = place.wire.backend.get_message(place.general, record.message_id).attachments
        assert file["filename"] == "jikimi-policy.toml"

    play(scene, commands=True)
