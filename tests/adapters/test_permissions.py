"""Who may do what: the page, the table and the platforms say the same, and everybody presses everything everywhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import discord
import pytest

from adapters.discord.asking import PERMISSION
from adapters.http_api.openapi import document
from adapters.telegram.commands import ANYBODYS, DEEDS
from bot.domain.actions import Ban, Delete, Done, Escalate, Flag, Timeout
from bot.domain.card import Button, press_id
from bot.domain.community import Community
from bot.domain.permissions import NEEDED, Deed, Right, may
from bot.domain.review import Appeal, Call
from bot.texts import texts
from tests.adapters.discord_cafe import Cafe, Heard, until
from tests.adapters.telegram_stage import GROUP, MODERATORS, Stage, played
from tests.adapters.test_discord_cards import answers, opened
from tests.adapters.test_discord_commands import play
from tests.adapters.test_telegram_cards import cards, press, said
from tests.telegram_server import ANONYMOUS_ADMIN, CHANNEL_BOT
from tests.unit.test_card import called, incident

PAGE = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text("utf-8")

#: What people type on Discord (name, options), and what each takes.
COMMANDS: dict[str, tuple[dict[str, Any], Deed]] = {
    "jikimi setup": ({}, Deed.SET_UP),
    "jikimi status": ({}, Deed.STATUS),
    "jikimi check": ({}, Deed.CHECK),
    "jikimi test": ({"text": "말"}, Deed.TEST),
    "jikimi explain": ({"incident": 1}, Deed.EXPLAIN),
    "jikimi exempt": ({}, Deed.EXEMPT),
    "jikimi threshold": ({"rule": "insult", "score": 0.9}, Deed.THRESHOLD),
    "jikimi pause": ({"minutes": 5}, Deed.PAUSE),
    "jikimi automod": ({"on": False}, Deed.NATIVE_FILTER),
    "jikimi report": ({"names": True}, Deed.REPORT_NAMES),
    "jikimi report-schedule": ({"hour": 9}, Deed.SCHEDULE),
    "jikimi bots": ({}, Deed.BOTS),
    "privacy": ({}, Deed.PRIVACY),
    "appeal": ({"incident": 1}, Deed.APPEAL),
}
MENUS = {"Judge with Jikimi": Deed.JUDGE, "Report to Jikimi": Deed.FLAG}


def rows(page: str) -> Iterator[list[str]]:
    for line in page.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_says_what_the_table_says() -> None:
    told = {row[0].strip("`"): row for row in rows(PAGE) if len(row) == 6}
    assert set(told) == {str(what) for what in NEEDED}
    assert {str(what) for what in Button} | {str(what) for what in Deed} == set(told)
    for what, rights in NEEDED.items():
        named = set(re.findall(r"`(\w+)`", told[str(what)][3]))
        both = isinstance(what, Deed) and what is Deed.HISTORY
        assert named == {str(right) for right in rights} or both, what


def test_the_page_names_every_command_callback_and_route() -> None:
    told = [row for row in rows(PAGE) if len(row) == 6]
    on_discord, on_telegram = " ".join(row[4] for row in told), " ".join(row[5] for row in told)
    for name in (*(f"/{one}" for one in COMMANDS), *MENUS):
        assert f"`{name}`" in on_discord, name
    for name in (*DEEDS, *ANYBODYS):
        assert f"`/{name}`" in on_telegram, name
    menu = (Path(__file__).parents[2] / "adapters" / "telegram" / "setting_up.py").read_text("utf-8")
    (choices,) = re.findall(r"setup:\(-\[0-9\]\{1,18\}\):\(([a-z|]+)\)", menu)
    for choice in choices.split("|"):
        assert f"`setup:{choice}`" in on_telegram, choice
    for path in json.loads(document())["paths"]:
        assert f"| `{path}` |" in PAGE or not path.startswith("/v1"), path


def refusals(say: Any) -> tuple[str, ...]:
    return say["card.not_allowed"], say("discord.needs_right", permissions="|").partition("|")[0]


async def card_with(button: Button, place: Cafe, heard: Heard, number: int) -> Any:
    """A card that offers this button, about somebody of its own."""
    message = await opened(place, heard, number, by=place.join(f"회원 {number}"))
    incident = place.desk.incidents[number]
    timeout, review = (Timeout(timedelta(minutes=10)), Done()), replace(called(Call.TIMEOUT), incident_id=number)
    if button in (Button.ACCEPT, Button.UPHOLD):
        appeal = Appeal(incident_id=number, words="억울해요", at=incident.decided_at)
        place.desk.incidents[number] = replace(incident, appeal=appeal)
    elif button is Button.LIFT:
        place.desk.incidents[number] = replace(incident, outcomes=(*incident.outcomes, timeout), review=review)
    else:
        place.desk.incidents[number] = replace(incident, outcomes=((Flag(), Done()),))
    outcome = await heard.chat.perform(place.planned(Escalate(), message, incident=number))
    assert isinstance(outcome, Done)
    return place.wire.backend.messages[place.mods][int(outcome.receipt.split("/")[1])]


def test_everybody_presses_everything_on_discord() -> None:
    async def scene(place: Cafe, heard: Heard) -> None:
        backend, say = place.wire.backend, texts("en")
        known = [one for one in backend.commands[None].values() if one.get("type", 1) == 1]
        typed = {
            f"{one['name']} {sub['name']}" if sub else one["name"]
            for one in known
            for sub in ([option for option in one.get("options", []) if option["type"] == 1] or [None])
        }
        assert typed == set(COMMANDS), "a new command is to be in the table"
        menus = {one["name"] for one in backend.commands[None].values() if one.get("type", 1) == 3}
        assert menus == set(MENUS)
        people: dict[str, tuple[int, frozenset[Right]]] = {"owner": (place.owner, frozenset(Right))}
        for right, name in PERMISSION.items():
            role = backend.create_role(place.guild, name, permissions=discord.Permissions(**{name: True}).value).id
            people[name] = place.join(name, role), frozenset({right, Right.REVIEW})
        titled = backend.create_role(place.guild, "명예회원", permissions=0).id
        people["with a title"] = place.join("명예", titled), frozenset()
        people["member"] = place.join("새봄"), frozenset()
        dismissed = place.join("어제", place.staff_role)
        backend.remove_member_role(place.guild, dismissed, place.staff_role)
        people["dismissed a second ago"] = dismissed, frozenset()
        await card_with(Button.RIGHT, place, heard, 1)
        wrong = []
        for (who, (user, rights)), channel in product(people.items(), (place.general, place.mods)):
            for name, (options, deed) in COMMANDS.items():
                record = place.wire.command(user, channel, name, **options)
                await until(lambda record=record: record.responded and record.message_id and not record.loading)
                told = str(backend.get_message(channel, record.message_id).content)
                if told.startswith(refusals(say)) is may(rights, deed):
                    wrong.append((who, name, told))
        for number, ((who, (user, rights)), button) in enumerate(product(people.items(), Button), 1):
            card = await card_with(button, place, heard, number)
            allowed, told_before = may(rights, button, place.desk.incidents[number]), len(answers(place))
            place.desk.calls.clear()
            place.wire.click(user, place.mods, card.id, press_id(button, number))
            if allowed and button.call:
                await until(lambda: place.desk.calls)
            else:
                await until(lambda before=told_before: len(answers(place)) > before)
            if bool(place.desk.calls) is not (allowed and button.call is not None):
                wrong.append((who, button, place.desk.calls[:]))
        assert not wrong

    play(scene)


TELEGRAM_RIGHTS: dict[str, tuple[tuple[str, ...], frozenset[Right]]] = {
    "delete": (("can_delete_messages",), frozenset({Right.REVIEW, Right.DELETE})),
    "restrict": (("can_restrict_members",), frozenset({Right.REVIEW, Right.MUTE, Right.KICK, Right.BAN})),
    "info alone": (("can_change_info",), frozenset()),
    "none": ((), frozenset()),
    "manage": (
        ("can_change_info", "can_restrict_members"),
        frozenset({Right.REVIEW, Right.MUTE, Right.KICK, Right.BAN, Right.MANAGE}),
    ),
}


NOT_ON_TELEGRAM = [texts("ko")[key] for key in ("card.not_allowed", "telegram.lacking_here", "telegram.only_admins")]


@played
async def test_everybody_presses_every_button_on_telegram(here: Stage) -> None:
    room = await here.with_moderators()
    people: dict[str, tuple[int, frozenset[Right]]] = {"owner": (1, frozenset(Right)), "member": (7, frozenset())}
    for number, (name, (given, rights)) in enumerate(TELEGRAM_RIGHTS.items(), 20):
        here.server.admin(here.group, number, name, given)
        people[name] = number, rights
    here.server.admin(here.group, 40, "어제")
    here.server.set_member(here.group, 40, "member")
    people["dismissed a second ago"] = 40, frozenset()
    elsewhere = here.server.group(-1009, owner=41)
    people["of another community"] = 41, frozenset()
    assert elsewhere
    await here.carry_out(await said(here), Delete(), Flag())
    (card,) = cards(room)
    wrong = []
    for (who, (user, rights)), button in product(people.items(), Button):
        now = await here.store.incidents.get(here.chat.platform, str(GROUP), 1)
        assert now
        told = await press(here, card, user, button)
        refused = told in NOT_ON_TELEGRAM
        if refused is may(rights, button, now):
            wrong.append((who, button, told))
    assert not wrong
    assert MODERATORS in here.server.chats


@played
async def test_nobody_sets_on_telegram_what_they_may_not(here: Stage) -> None:
    """Every command that sets something, by everybody who may not, in every place; then by somebody who may."""
    room = await here.with_moderators(preset="strict")
    elsewhere = here.server.group(-1009, owner=41)
    for number, (name, (given, rights)) in enumerate(TELEGRAM_RIGHTS.items(), 20):
        if Right.MANAGE not in rights:
            here.server.admin(here.group, number, name, given)
    here.server.admin(here.group, 40, "어제")
    here.server.set_member(here.group, 40, "member")
    channel = here.server.group(-1010, "channel", title="남의 채널")
    hidden = {"sender_chat": elsewhere.as_object()}
    people: list[tuple[Any, dict[str, Any]]] = [(who, {}) for who in (7, 40, 41, 20, 21, 22, 23)]
    people += [(ANONYMOUS_ADMIN, hidden), (CHANNEL_BOT, {"sender_chat": channel.as_object()})]
    people.append(({"id": 900, "is_bot": True, "first_name": "봇"}, {}))
    target = here.server.message(here.group, 7, "말")
    here.listen()
    before = here.desk.community(here.chat.platform, str(GROUP))
    for (who, more), chat in product(people, (here.group, room, elsewhere, None)):
        if who == 41 and chat in (elsewhere, None):
            continue  # about their own community
        where = chat or here.server.private(who if isinstance(who, int) else 99)
        for words in ("/pause 1h", "/report at mon 9", f"/start mods_{GROUP}", f"/start report_{GROUP}", "/bots off 1"):
            here.server.post(where, who, words, **more)
        here.server.post(where, who, "/exempt", reply_to_message=target, **more)
    here.server.post(here.group, 1, "/pause 1h")

    def now() -> Community:
        return here.desk.community(here.chat.platform, str(GROUP))

    await here.server.until(lambda: now().paused_until)
    assert replace(now(), paused_until=None) == before
    assert here.desk.community(here.chat.platform, str(elsewhere.id)).report_hour is None


@pytest.mark.parametrize("what", ["preset:strict", "mode:live", "language:en", "report:off", "daily:on", "urgent:on20"])
def test_everybody_presses_the_set_up_menu_on_telegram(what: str) -> None:
    @played
    async def scene(here: Stage) -> None:
        await here.with_moderators()
        private = here.server.private(1)
        here.listen()
        menu = here.server.message(private, 1, "메뉴")
        people = {1: True, 7: False}
        for number, (name, (given, rights)) in enumerate(TELEGRAM_RIGHTS.items(), 20):
            here.server.admin(here.group, number, name, given)
            people[number] = Right.MANAGE in rights
        before = here.desk.community(here.chat.platform, str(GROUP))
        for user, allowed in sorted(people.items(), key=lambda one: one[1]):
            id_ = here.server.press(menu, user, f"setup:{GROUP}:{what}")
            await here.server.until(lambda id_=id_: id_ in here.server.answers)
            changed = here.desk.community(here.chat.platform, str(GROUP)) != before
            assert changed is allowed, user
            if changed:
                break

    scene()


def test_lifting_a_ban_takes_the_right_to_ban() -> None:
    banned = incident((Delete(), Done()), (Ban(), Done()), review=called(Call.BAN))
    both = frozenset({Right.REVIEW, Right.DELETE, Right.MUTE})
    for button in (Button.WRONG, Button.LIFT, Button.ACCEPT, Button.TIMEOUT):
        assert not may(both, button, banned) and may(both | {Right.BAN}, button, banned), button
    assert may(both, Button.UPHOLD, banned)
