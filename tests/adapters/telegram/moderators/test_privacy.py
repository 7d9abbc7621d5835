"""The buttons below /privacy on Telegram: in a group they lead into private, where they are served, over TCP."""

from dataclasses import replace
from typing import Any

from adapters.chat.telegram.moderators.cards.posted import RECALLED
from adapters.chat.telegram.refs import group_ref
from bot.core.base.errors import Unavailable
from bot.core.incidents.card import Button
from bot.core.incidents.case import Look
from bot.core.operations.privacy import Dossier
from bot.core.rules.actions import Flag
from bot.core.text.catalogue import texts
from tests.adapters.telegram.moderators.test_cards import cards, command, press, said
from tests.adapters.telegram.stage import GROUP, Stage, played
from tests.fakes.cases import ScriptedCases
from tests.servers.telegram import BOT_ID, Chat

SAY = texts("ko")
MINJI, JISU = 7, 8


def known(here: Stage, *members: int) -> None:
    group = group_ref(GROUP)
    here.people.dossiers = {(group, str(one)): Dossier(community=group) for one in members}


def keys(shown: dict[str, Any]) -> list[dict[str, str]]:
    return [key for row in shown["reply_markup"]["inline_keyboard"] for key in row]


async def pressed(here: Stage, chat: Chat, on: dict[str, Any], who: int, data: str) -> dict[str, Any]:
    """What the bot says next in this chat."""
    before = {id_ for id_, one in chat.messages.items() if one["from"]["id"] == BOT_ID}
    here.server.press(on, who, data)

    def new() -> list[int]:
        return [id_ for id_, one in chat.messages.items() if one["from"]["id"] == BOT_ID and id_ not in before]

    await here.server.until(new)
    return chat.messages[new()[0]]


@played
async def test_in_a_group_the_buttons_lead_into_private(here: Stage) -> None:
    known(here, MINJI)
    notice = await command(here, here.group, MINJI, "/privacy")
    links = [key["url"] for key in keys(notice)]
    assert [link.partition("?start=")[2] for link in links] == ["privacy_data", "privacy_erase"]
    private = here.server.private(MINJI)
    here.server.post(private, MINJI, "/start privacy_data")
    await here.server.until(lambda: here.server.of("sendDocument"))
    (sent,) = here.server.of("sendDocument")
    assert sent.arguments["chat_id"] == MINJI and sent.arguments["caption"] == SAY["privacy.data"]
    assert len(here.group.messages) == 2, "nobody else sees anything of it"


@played
async def test_a_member_has_their_records_erased_and_is_asked_once_more(here: Stage) -> None:
    known(here, MINJI, JISU)
    private = here.server.private(MINJI)
    notice = await command(here, private, MINJI, "/privacy")
    _, erase = (key["callback_data"] for key in keys(notice))
    sure = await pressed(here, private, notice, MINJI, erase)
    assert sure["text"] == SAY["privacy.sure"] and len(here.people.dossiers) == 2
    (surely,) = (key["callback_data"] for key in keys(sure))
    done = await pressed(here, private, sure, MINJI, surely)
    assert "RECEIPT" in done["text"] and [who for _, who in here.people.dossiers] == [str(JISU)]


@played
async def test_a_link_erases_nobody(here: Stage) -> None:
    """Somebody may be led to follow one."""
    known(here, MINJI)
    private = here.server.private(MINJI)
    assert (await command(here, private, MINJI, "/start privacy_surely"))["text"] != SAY["privacy.sure"]
    assert (await command(here, private, MINJI, "/start privacy_erase"))["text"] == SAY["privacy.sure"]
    assert here.people.dossiers


@played
async def test_a_press_in_a_group_does_nothing(here: Stage) -> None:
    """What a button says can be made up, and what comes of it is nobody else's."""
    known(here, MINJI)
    notice = await command(here, here.group, MINJI, "/privacy")
    for data in ("my:data", "my:surely"):
        id_ = here.server.press(notice, MINJI, data)
        await here.server.answered(id_)
    assert here.people.dossiers and not here.server.of("sendDocument")


@played
async def test_where_the_record_is_away_they_may_try_again(here: Stage) -> None:
    known(here, MINJI)
    here.people.trouble = Unavailable("away")
    private = here.server.private(MINJI)
    notice = await command(here, private, MINJI, "/privacy")
    data, _ = (key["callback_data"] for key in keys(notice))
    assert (await pressed(here, private, notice, MINJI, data))["text"] == SAY["card.try_again"]


@played
async def test_what_is_looked_at_is_on_record_before_it_is_shown(here: Stage) -> None:
    room = await here.with_moderators()
    await here.carry_out(await said(here), Flag())
    (card,) = cards(room)
    cases = here.desk.deeds.cases
    assert isinstance(cases, ScriptedCases)
    cases.trouble = Unavailable("away")
    assert await press(here, card, 2, Button.REVEAL) == SAY["card.try_again"]
    cases.trouble = None
    assert "나쁜 말" in await press(here, card, 2, Button.REVEAL)
    await press(here, card, 2, Button.HISTORY)
    await command(here, room, 1, "/why 1")
    await command(here, room, 1, "/history 1")
    assert [(seen.by.id, seen.what, seen.case) for _, seen in cases.seen] == [
        ("2", Look.REVEAL, 1), ("2", Look.HISTORY, 1), ("1", Look.REVEAL, 1), ("1", Look.HISTORY, 1),
    ]  # fmt: skip
    told = await command(here, room, 1, "/looks")
    assert "지수" in told["text"] and SAY["look.reveal"] in told["text"]


@played
async def test_what_is_forgotten_goes_from_a_card_however_old_it_is(here: Stage) -> None:
    """Another process has posted it long ago."""
    room = await here.with_moderators()
    about = await said(here, "정말 나쁜 말이야")
    await here.carry_out(about, Flag())
    (card,) = cards(room)
    assert "정○" in card["text"]
    posted = here.chat._posted
    for known in list(posted._by_incident.values()):
        posted.forget(known)
    posted._since -= 10 * RECALLED
    opened = here.store.opened[about.ref]
    gone = replace(about, text="", author=replace(about.author, name=""))
    here.store.opened[about.ref] = replace(opened, decision=replace(opened.decision, message=gone))
    here.chat.incident_changed(about.community, 1)
    here.chat.incident_changed(about.community, 1, emptied=True)
    await here.server.until(lambda: "정○" not in room.messages[card["message_id"]]["text"])


@played
async def test_a_group_that_takes_the_bot_out_is_known_to_have_left(here: Stage) -> None:
    """And comes back by taking it in again."""
    await here.with_moderators()
    here.listen()

    def left() -> Any:
        return here.desk.community(group_ref(GROUP)).left_at

    here.server.set_member(here.group, BOT_ID, "left")
    await here.server.until(left)
    here.server.set_member(here.group, BOT_ID, "administrator")
    await here.server.until(lambda: left() is None)
