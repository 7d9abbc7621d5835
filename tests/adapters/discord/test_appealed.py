"""From a slur to the answer to an appeal: the whole product on Discord, over TCP, as members and moderators see it."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.chat.discord.refs import guild_ref
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call
from bot.core.rules.actions import Answer
from bot.core.text.catalogue import texts
from tests.adapters.discord.cafe import Cafe, cafe
from tests.adapters.discord.test_flow import RULE, At, at_work, notices, pressed
from tests.servers.waiting import until

SEVERE = {**RULE, "then": ["delete", "warn", "timeout 1h", "flag"]}
KO = texts("ko")


async def appealed(at: At) -> Incident:
    """Minji has said something bad, is silenced, and objects by the button in her private messages."""
    place = at.place
    place.wire.locale = "ko"
    place.write("나쁜 말")
    (incident,) = await at.settled(1)
    assert at.in_general() == [] and silenced(place) and await strikes(at) == 1
    (notice,) = notices(place)
    dm, appeal = place.wire.backend.dm_channels[place.minji], notice.components[0]["components"][0]
    press = place.wire.click(place.minji, dm, notice.id, appeal["custom_id"])
    await until(lambda: press.modal)
    place.wire.submit(place.minji, dm, press.modal, "친구끼리 한 말이에요")
    await until(lambda: press_id(Button.ACCEPT, incident.id) in str(at.cards()[0].components))
    assert "친구끼리 한 말이에요" in str(at.cards()[0].embeds) and "#1" in str(at.cards()[0].embeds)
    return incident


def told_to(place: Cafe, press: Any) -> str:
    return str(place.wire.backend.get_message(place.mods, press.followup_ids[0]).content)


def silenced(place: Cafe) -> Any:
    return place.wire.backend.guilds[place.guild].members[place.minji].timed_out_until


async def strikes(at: At) -> int:
    history = await at.desk.history(guild_ref(at.place.guild), str(at.place.minji))
    return int(history.strikes)


async def counted(at: At) -> tuple[int, int]:
    """What was reviewed, and what of it was called wrong, as the report counts it."""
    (incident,) = await at.incidents()
    hour = incident.decided_at.replace(minute=0, second=0, microsecond=0)
    begin, end = hour - timedelta(hours=1), hour + timedelta(hours=2)
    found = (await at.desk.builder.queries.figures(guild_ref(at.place.guild), begin, end)).totals
    return found.reviewed, found.overturned


def test_a_member_who_is_silenced_appeals_and_everything_is_undone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(SEVERE,)) as at:
            incident = await appealed(at)
            assert await counted(at) == (0, 0)
            await pressed(at, place.dal, Button.ACCEPT, incident)
            await until(lambda: at.in_general() == ["나쁜 말\n" + KO["discord.restored"]] and not silenced(place))
            await until(lambda: notices(place)[-1].content == KO("answer.accepted", code=incident.code))
            assert await strikes(at) == 0 and await counted(at) == (1, 1)

    asyncio.run(scenario())


def test_the_sanction_alone_can_be_lifted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(SEVERE,)) as at:
            incident = await appealed(at)
            await pressed(at, place.dal, Button.SOFTEN, incident)
            await until(lambda: not silenced(place))
            await until(lambda: notices(place)[-1].content == KO("answer.softened", code=incident.code))
            assert at.in_general() == [] and await strikes(at) == 1 and await counted(at) == (1, 0)

    asyncio.run(scenario())


def test_two_who_answer_an_appeal_at_once_give_one_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(SEVERE,)) as at:
            incident = await appealed(at)
            other, card = place.join("별", place.staff_role), at.cards()[0].id
            presses = [
                place.wire.click(who, place.mods, card, press_id(button, incident.id))
                for who, button in ((place.dal, Button.UPHOLD), (other, Button.ACCEPT))
            ]
            await until(lambda: sum(bool(press.followup_ids) for press in presses) == 1)
            (told,) = [told_to(place, press) for press in presses if press.followup_ids]
            assert told.count("이미 처리했습니다") == 1 and " · " not in told
            (found,) = await at.settled(1)
            (given,) = [action for action, _ in found.outcomes if isinstance(action, Answer)]
            assert found.review and given.accepted is (found.review.call is Call.WRONG)
            assert bool(at.in_general()) is given.accepted and bool(silenced(place)) is not given.accepted
            assert await strikes(at) == int(not given.accepted)

    asyncio.run(scenario())


def test_what_somebody_has_taken_nobody_else_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(SEVERE,)) as at:
            place.wire.locale = "ko"
            place.write("나쁜 말")
            (incident,) = await at.settled(1)
            other = place.join("별", place.staff_role)
            await pressed(at, place.dal, Button.TAKE, incident)
            await until(lambda: KO["card.taken_by"] in str(at.cards()[0].embeds))
            press = place.wire.click(other, place.mods, at.cards()[0].id, press_id(Button.RIGHT, incident.id))
            await until(lambda: press.followup_ids)
            told = re.escape(KO("card.is_taken", by="달", at="@")).replace("@", r"[-\d]+ [:\d]+")
            assert re.fullmatch(told, told_to(place, press)), "the name once"
            await pressed(at, place.dal, Button.RIGHT, incident)
            await until(lambda: press_id(Button.REOPEN, incident.id) in str(at.cards()[0].components))
            (found,) = await at.incidents()
            assert found.review and found.review.moderator_name == "달"

    asyncio.run(scenario())


def test_what_a_member_reports_is_a_case_and_they_hear_what_came_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path, rules=(SEVERE,)) as at:
            place.wire.locale = "ko"
            written = place.write("은근히 괴롭히는 말", by=place.join("새봄"))
            await until(lambda: place.wire.backend.commands.get(None))
            heard = place.wire.command(place.minji, place.general, "Report to Jikimi", kind=3, target=written.id)
            await until(lambda: heard.message_id and not heard.loading)
            await until(lambda: "jikimi:dismiss:" in str([card.components for card in at.cards()]))
            (incident,) = await at.incidents()
            card = str(at.cards()[0].embeds)
            assert KO["card.flagged"] in card and str(place.minji) not in card and "민지" not in card
            other = place.join("별", place.staff_role)
            presses = [
                place.wire.click(who, place.mods, at.cards()[0].id, press_id(button, incident.id))
                for who, button in ((place.dal, Button.DISMISS), (other, Button.DELETE))
            ]
            await until(lambda: sum(bool(press.followup_ids) for press in presses) == 1)
            (found,) = await at.incidents()
            assert found.review
            word = KO["flag.dismissed"] if found.review.call is Call.WRONG else KO["flag.acted"]
            await until(lambda: word.partition("}")[2] in notices(place)[-1].content if notices(place) else False)
            stays = found.review.call is Call.WRONG
            await until(lambda: ("은근히 괴롭히는 말" in at.in_general()) is stays)

    asyncio.run(scenario())
