"""Discord's own AutoMod, over TCP: it gets the policy's words, and what it stops becomes an incident."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import pytest

from adapters.chat.discord.moderators import automod
from adapters.chat.discord.moderators.automod import MOST_WORDS, word_list
from adapters.chat.discord.refs import guild_ref
from bot.core.chat.message import Message
from bot.core.guarding.verdict import Task
from bot.core.incidents.card import Button, press_id
from bot.core.rules.actions import Delete, Done, Flag, Refused, Restore
from bot.core.rules.conditions import ByBot, Score, Text
from bot.core.rules.policy import Policy, Reason, Rule, Watch
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening, play
from tests.adapters.discord.moderators.test_commands import told
from tests.adapters.discord.test_flow import At, at_work
from tests.builders import put_settings
from tests.servers.waiting import until

say = texts("en")

WORDS = {
    "name": "banned",
    "when": {"text": {"any_of": ["금지어", "토토"], "unless": ["토토로"]}},
    "then": ["delete", "flag"],
    "reason": {"ko": "금지어", "en": "banned word"},
}
STOPPED = {"name": "native-filter", "when": {"filtered": True}, "then": ["delete", "flag"]}


def rule(*when: Any, name: str = "banned", **more: Any) -> Rule:
    return Rule(name=name, when=when, then=(Delete(),), reason=Reason(ko="금지어", en="banned"), **more)


def native(place: Cafe) -> list[Any]:
    return list(place.wire.backend.guilds[place.guild].auto_mod_rules.values())


def asked(place: Cafe, method: str) -> int:
    return len(place.wire.made(method, "/auto-moderation/rules"))


async def switch(place: Cafe, on: bool) -> str:
    return await told(place, place.wire.command(place.owner, place.general, "jikimi automod", on=on))


# ---- which words


def test_d68_words_become_stems_and_false_friends_are_allowed() -> None:
    found = word_list(Policy(rules=(rule(Text(any_of=("금지어", "토토"), unless=("토토로",)), ByBot(bot=False)),)))
    assert (found.words, found.allowed, found.ours) == (("*금지어*", "*토토*"), ("*토토로*",), ())


@pytest.mark.parametrize(
    "one",
    [
        rule(Text(any_of=("금지어",), unless=("/금지어(가|는) 아/",))),
        rule(Text(any_of=("금지어",)), Score(task=Task.PROMPT_HARM, at_least=0.5)),
        rule(Text(any_of=("금지어",)), exempt_roles=frozenset({"1"})),
        rule(Text(any_of=("금지어",), unless=tuple(f"예외{number}" for number in range(101)))),
        rule(Text(any_of=tuple(f"낱말{number}" for number in range(MOST_WORDS + 1)))),
    ],
    ids=["exception", "score", "exempt", "too many exceptions", "too many words"],
)
def test_d67_a_rule_that_automod_cannot_do_stays_with_us(one: Rule) -> None:
    other = rule(Text(any_of=("다른말",)), name="other")
    found = word_list(Policy(rules=(one, other)))
    assert found.words == ("*다른말*",) and found.ours == ("banned",)


def test_d67_words_that_automod_does_not_take_stay_with_us() -> None:
    found = word_list(Policy(rules=(rule(Text(any_of=("금지어", "/금.지어/", "별*", "긴" * 59))),)))
    assert found.words == ("*금지어*",) and found.ours == ("banned",)


def test_rules_that_do_not_delete_stop_nothing() -> None:
    flags = replace(rule(Text(any_of=("금지어",))), then=(Flag(),))
    assert word_list(Policy(rules=(flags,))) == automod.WordList()


# ---- the rule at Discord


def with_words(place: Cafe, *words: str, mode: Watch = Watch.LIVE, **more: Any) -> None:
    place.desk.in_force = Policy(rules=(rule(Text(any_of=words)),), mode=mode, **more)


def test_d67_the_word_list_is_pushed_changed_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automod, "EVERY", 0.02)

    async def scene(place: Cafe, heard: Heard) -> None:
        theirs = place.wire.backend.create_auto_mod_rule(
            place.guild,
            place.owner,
            {"name": "우리 규칙", "event_type": 1, "trigger_type": 1, "actions": [{"type": 1}]},
        )
        with_words(place, "금지어", exempt_channels=frozenset({str(place.mods)}))
        answer = await switch(place, True)
        assert answer == say("discord.automod_on", count=1)
        assert place.desk.settings[str(place.guild)].native_filter
        (_, ours) = native(place)
        assert ours.trigger_metadata == {"keyword_filter": ["*금지어*"], "allow_list": []}
        assert "지킴이" in ours.name and ours.enabled
        assert ours.exempt_channels == [place.mods] and place.staff_role in ours.exempt_roles
        assert place.guild not in ours.exempt_roles
        requests = asked(place, "GET")
        await asyncio.sleep(0.1)
        assert asked(place, "GET") == requests  # looked at often, and nothing is asked where nothing has changed
        with_words(place, "금지어", "다른말")
        await until(lambda: len(ours.trigger_metadata["keyword_filter"]) == 2)
        assert (asked(place, "POST"), asked(place, "PATCH")) == (1, 1)
        with_words(place, "금지어", "다른말", mode=Watch.WATCH)
        await until(lambda: not ours.enabled)  # who only watches stops nothing
        assert await switch(place, False) == say["discord.automod_off"]
        assert native(place) == [theirs]

    play(scene, commands=True)


def test_after_a_restart_the_same_rule_is_found_and_left_as_it_is() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            with_words(place, "금지어")
            async with listening(place):
                await until(lambda: place.wire.backend.commands.get(None))
                await switch(place, True)
            before = asked(place, "GET")
            async with listening(place) as heard:
                await heard.chat._automod.follow(heard.chat.client.guilds[0], say)
                await until(lambda: asked(place, "GET") > before)
            assert len(native(place)) == 1 and (asked(place, "POST"), asked(place, "PATCH")) == (1, 0)

    asyncio.run(scenario())


def test_d69_without_manage_server_it_is_refused_by_name_and_nothing_is_asked() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        mine = next(role for role in place.wire.backend.guilds[place.guild].roles.values() if role.managed)
        allowed = discord.Permissions(mine.permissions)
        allowed.manage_guild = False
        place.wire.backend.edit_role(place.guild, mine.id, {"permissions": allowed.value})
        guild = heard.chat.client.get_guild(place.guild)
        await until(lambda: guild and not guild.me.guild_permissions.manage_guild)
        with_words(place, "금지어")
        assert "Manage Server" in await switch(place, True)
        assert not place.desk.settings[str(place.guild)].native_filter
        assert not place.wire.made("GET", "/auto-moderation/") and not native(place)

    play(scene, commands=True)


def test_d67_more_exempt_roles_than_automod_takes_are_refused() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        roles = [place.wire.backend.create_role(place.guild, f"역할 {number}").id for number in range(21)]
        guild = heard.chat.client.get_guild(place.guild)
        assert guild
        await until(lambda: len(guild.roles) > 21)
        with_words(place, "금지어", exempt_roles=frozenset(map(str, roles)))
        assert "20" in await switch(place, True)
        assert not native(place)
        with_words(place, "금지어", exempt_roles=frozenset(map(str, roles[:18])))
        assert await heard.chat._automod.follow(guild, say) == Done()
        (ours,) = native(place)
        assert set(ours.exempt_roles) >= {*roles[:18], place.staff_role}

    play(scene, commands=True)


def test_a_seventh_rule_is_discords_to_refuse() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        for _ in range(6):
            place.wire.backend.create_auto_mod_rule(
                place.guild, place.owner, {"name": "-", "event_type": 1, "trigger_type": 1, "actions": [{"type": 1}]}
            )
        with_words(place, "금지어")
        assert "400" in await switch(place, True)
        assert isinstance(await heard.chat._automod.follow(heard.chat.client.guilds[0], say), Refused)

    play(scene, commands=True)


def test_what_automod_refuses_later_is_told_once_and_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automod, "EVERY", 0.02)

    async def scene(place: Cafe, heard: Heard) -> None:
        with_words(place, "금지어")
        await switch(place, True)
        place.wire.trouble("GET", f"/guilds/{place.guild}/auto-moderation", 403, times=99)
        asked_before = asked(place, "GET")
        with_words(place, "금지어", "다른말")
        await until(lambda: place.wire.made("POST", f"/channels/{place.mods}/messages"))
        await asyncio.sleep(0.2)
        assert asked(place, "GET") == asked_before + 1
        (told_,) = place.wire.made("POST", f"/channels/{place.mods}/messages")
        assert "AutoMod" in told_.body["content"] and "서버 관리하기" in told_.body["content"]
        place.wire.troubles.clear()
        assert await switch(place, True) == say("discord.automod_on", count=2)  # who asks is tried for
        assert len(native(place)[0].trigger_metadata["keyword_filter"]) == 2

    play(scene, commands=True)


# ---- what it stops


async def stopping(at: At) -> None:
    """AutoMod switched on in the café, with the policy's words."""
    settings = at.desk.community(guild_ref(at.place.guild))
    await put_settings(at.desk, replace(settings, native_filter=True))
    await at.chat._automod.follow(at.client.guilds[0], texts("ko"))
    assert native(at.place)


def test_what_automod_stops_becomes_one_incident_and_can_be_restored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(WORDS, STOPPED)) as at:
            await stopping(at)
            (ours,) = native(place)
            alert = {"type": 2, "metadata": {"channel_id": str(place.mods)}}
            ours.actions = [alert, *ours.actions, {"type": 3, "metadata": {"duration_seconds": 60}}]  # as a server may
            place.write("여기 금지어입니다")
            place.write("토토로 보러 가요")
            await until(at.cards)
            assert at.in_general() == ["토토로 보러 가요"]
            (incident,) = await at.settled(1)
            stopped = incident.decision.message
            assert (stopped.text.strip(), stopped.filtered) == ("여기 금지어입니다", "*금지어*")
            assert stopped.author.id == str(place.minji) and stopped.author.since
            matched = {finding.rule for finding in incident.decision.findings if finding.matched}
            assert matched == {"banned", "native-filter"}
            assert (Delete(), Done()) in incident.outcomes and not place.wire.made("DELETE", "/messages/")
            place.wire.click(place.dal, place.mods, at.cards()[0].id, press_id(Button.WRONG, incident.id))
            await until(lambda: any("여기 금지어입니다" in text for text in at.in_general()))
            place.write("여기 금지어입니다")  # the same again is another one
            await at.settled(2)

    asyncio.run(scenario())


def execution(place: Cafe, kind: int, rule_id: int, text: str = "금지어", *, channel: int | None = None) -> None:
    place.wire.backend.emit(
        "AUTO_MODERATION_ACTION_EXECUTION",
        {
            "guild_id": str(place.guild),
            "action": {"type": kind, "metadata": {2: {"channel_id": "9"}, 3: {"duration_seconds": 60}}.get(kind, {})},
            "rule_id": str(rule_id),
            "rule_trigger_type": 1,
            "user_id": str(place.minji),
            "channel_id": str(channel or place.general),
            "content": text,
            "matched_keyword": "금지어",
            "matched_content": "금지어",
        },
    )


def test_d70_one_message_is_one_incident_however_many_actions_and_rules() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.desk.settings[str(place.guild)] = replace(place.desk.settings[str(place.guild)], native_filter=True)
        for kind in (2, 1, 3):
            for rule_id in (7, 8):
                execution(place, kind, rule_id)
        execution(place, 2, 9, "다른 글")  # an alert alone stops nothing: the message itself arrives
        (stopped,) = await heard.until()
        assert len(await heard.nothing_more()) == 1
        assert (stopped.text, stopped.filtered) == ("금지어", "금지어")
        execution(place, 1, 7)  # said again
        assert len(await heard.until(2)) == 2
        assert heard.messages[0].ref != heard.messages[1].ref
        at = [message.sent_at for message in heard.messages]
        assert at == sorted(at) and datetime.now(UTC) >= at[-1]

    play(scene, commands=True)


def test_what_was_stopped_in_a_thread_is_restored_in_that_thread() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.desk.settings[str(place.guild)] = replace(place.desk.settings[str(place.guild)], native_filter=True)
        thread = place.wire.backend.create_thread(place.general, "스레드", place.minji)
        await heard.until(1)
        execution(place, 1, 7, channel=thread.id)
        stopped = (await heard.until(2))[1]
        assert await heard.chat.perform(place.planned(Delete(), stopped)) == Done()
        met = replace(stopped, author=await heard.chat.meet(stopped))
        outcome = await heard.chat.perform(place.planned(Restore(), met))
        assert isinstance(outcome, Done) and outcome.receipt.startswith(f"{thread.id}/")
        (sent,) = [call for call in place.wire.made("POST", "/webhooks/") if call.body]
        assert sent.query["thread_id"] == str(thread.id)  # simcord puts it into the channel all the same
        assert sent.body["content"].startswith("금지어") and sent.body["username"] == "민지"

    play(scene, commands=True)


def test_executions_are_no_matter_of_ours_unless_it_is_switched_on() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        execution(place, 1, 7)
        assert await heard.nothing_more() == []

    play(scene, commands=True)


def test_staff_is_recognised_where_automod_has_stopped_it(tmp_path: Path) -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        place.desk.settings[str(place.guild)] = replace(place.desk.settings[str(place.guild)], native_filter=True)
        place.minji = place.dal
        execution(place, 1, 7)
        messages: list[Message] = await heard.until()
        assert messages[0].author.unmet and (await heard.chat.meet(messages[0])).is_staff

    play(scene, commands=True)
