"""Who joins, by change of membership and by service message: one message each, with the name; over TCP."""

import pytest

from bot.core.answers.streaming import Streams
from bot.core.rules.actions import Delete, Done
from tests.adapters.telegram.stage import Stage, played
from tests.servers.telegram import BOT_ID, LARGE_GROUP, user

WHO = user(77, "무료리딩방", username="toto777")


async def listening(here: Stage) -> None:
    """Telegram tells of memberships only who has asked for it (T9)."""
    here.listen()
    await here.server.until(lambda: here.server.polls)


@played
async def test_t65_in_a_large_group_a_newcomer_is_seen_by_the_change_alone(here: Stage) -> None:
    await listening(here)
    here.group.size = LARGE_GROUP + 1
    here.server.join(here.group, WHO)
    here.server.post(here.group, 77, "안녕하세요")
    joined, said = await here.hear(2)
    assert (joined.text, joined.author.id, joined.is_name) == ("무료리딩방\ntoto777", "77", True)
    assert joined.author.since == joined.sent_at
    assert (said.author.since, said.is_name) == (joined.sent_at, False)


@pytest.mark.parametrize("told_first", [True, False])
def test_a_newcomer_of_whom_both_tell_is_judged_once(told_first: bool) -> None:
    @played
    async def scenario(here: Stage) -> None:
        await listening(here)
        here.server.join(here.group, WHO, told_first=told_first)
        here.server.post(here.group, 8, "끝")
        await here.server.until(lambda: not here.server.updates and "끝" in here.texts)
        streams, now = Streams(), here.heard[0].sent_at
        joins = [message for message in here.heard if message.is_name]
        judged = [one for message in joins for one in streams.sift(message, now)[0]]
        judged += streams.due(now, all_of_them=True)
        (joined,) = judged
        assert joined.text == "무료리딩방\ntoto777"
        assert await here.carry_out(joined, Delete()) == [Done()]
        assert not any("new_chat_members" in message for message in here.group.messages.values())

    scenario()


@played
async def test_where_no_message_tells_of_a_newcomer_there_is_none_to_delete(here: Stage) -> None:
    await listening(here)
    here.group.size = LARGE_GROUP + 1
    here.server.join(here.group, WHO)
    (joined,) = await here.hear(1)
    await here.carry_out(joined, Delete())
    assert not here.server.of("deleteMessage", "deleteMessages")


@played
async def test_several_who_are_let_in_together_are_several(here: Stage) -> None:
    joined = [user(8, "무료대출", last_name="카톡abc"), user(9, "평범")]
    here.server.post(here.group, 1, new_chat_members=joined)
    first, second = await here.hear(2)
    assert (first.author.id, first.text, second.author.id, second.text) == ("8", "무료대출 카톡abc", "9", "평범")
    assert first.ref != second.ref
    assert first.extra["items"] == second.extra["items"]


@played
async def test_other_changes_are_no_joins(here: Stage) -> None:
    await listening(here)
    here.server.set_member(here.group, 7, "member")
    here.server.set_member(here.group, 7, "restricted")
    here.server.set_member(here.group, 7, "member")
    here.server.set_member(here.group, 7, "administrator")
    here.server.set_member(here.group, 7, "member")
    here.server.set_member(here.group, 7, "left")
    here.server.set_member(here.group, 7, "kicked")
    here.server.set_member(here.group, BOT_ID, "administrator")
    here.server.set_member(here.server.group(-1005, "channel"), 9, "member")
    here.server.post(here.group, 8, "끝")
    await here.server.until(lambda: "끝" in here.texts)
    assert [(message.author.id, message.is_name) for message in here.heard] == [("7", True), ("8", False)]


@played
async def test_a_join_that_is_delivered_again_is_the_same(here: Stage) -> None:
    await listening(here)
    here.group.size = LARGE_GROUP + 1
    here.server.join(here.group, WHO)
    again = dict(here.server.updates)
    (joined,) = await here.hear(1)
    for update in again.values():
        here.server.updates[here.server.next_update] = update | {"update_id": here.server.next_update}
        here.server.next_update += 1
    here.server.post(here.group, 8, "끝")
    await here.server.until(lambda: "끝" in here.texts)
    assert {message.ref for message in here.heard if message.is_name} == {joined.ref}
