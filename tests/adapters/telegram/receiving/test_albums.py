"""Albums: every item is kept at once and confirmed, and the whole is judged once; over TCP."""

import asyncio
import time

import pytest

from bot.core.answers.streaming import Streams
from bot.core.chat.message import Kind, Media, Message, MessageRef
from bot.core.rules.actions import Delete, Done
from tests.adapters.telegram.stage import GROUP, Stage, connect, played, stage
from tests.builders import NOW, TELEGRAM, later, message, settlement


def judged(heard: list[Message]) -> list[Message]:
    """What screening would judge of it."""
    streams, now = Streams(), heard[0].sent_at
    at_once = [one for message in heard for one in streams.sift(message, now)[0]]
    return at_once + list(streams.due(now, all_of_them=True))


@played
async def test_t42_an_album_is_judged_as_one_message_with_all_captions_and_ids(here: Stage) -> None:
    items = here.server.album(here.group, 7, None, "첫 설명", "둘째 설명")
    (album,) = judged(await here.hear(3))
    ids = [str(item["message_id"]) for item in items]
    assert (album.text, album.ref.message_id, album.media) == ("첫 설명\n둘째 설명", ids[0], frozenset({Media.PHOTO}))
    assert album.extra["items"] == ",".join(ids)
    assert len({message.ref for message in here.heard}) == 3
    await here.server.until(lambda: not here.server.updates)


@played
async def test_t62_albums_hold_nobody_up_and_cost_no_poll(here: Stage) -> None:
    """No offset is asked for twice while something arrives, however many albums come in."""
    here.listen()
    for number in range(30):
        here.server.album(here.group, 7, f"앨범 {number}", None, group=f"album-{number}")
        here.server.post(here.group, 8, f"말 {number}")
        await here.hear(3 * (number + 1))
    await here.server.until(lambda: not here.server.updates)
    polls = [call for call in here.server.calls if call.method == "getUpdates"]
    offsets = [call.arguments.get("offset") for call in polls]
    assert len(set(offsets)) == len(offsets)


@played
async def test_t42_an_edited_caption_still_speaks_for_the_whole_album(here: Stage) -> None:
    items = here.server.album(here.group, 7, "설명", None)
    await here.hear(2)
    here.server.edit(items[0], caption="바뀐 설명")
    edited = (await here.hear(3))[-1]
    assert (edited.text, edited.kind, edited.more_to_come) == ("바뀐 설명", Kind.EDIT, False)
    assert edited.extra["items"] == ",".join(str(item["message_id"]) for item in items)


@played
async def test_t42_an_album_is_known_after_a_restart_by_what_is_left_on_record(here: Stage) -> None:
    """The text of what was harmless is erased; the numbers of the items are not."""
    here.server.post(here.group, 8, "앞선 말")
    items = here.server.album(here.group, 7, "안녕", None, None)
    here.server.post(here.group, 8, "뒤의 말")
    await here.hear(5)
    await here.server.until(lambda: not here.server.updates)
    await here.store.inbox.settle([settlement(message, incident=False) for message in here.heard])
    await here.stop()
    here.heard.clear()
    here._listening = None
    here.chat = connect(here.server.url, here.desk, inbox=here.store.inbox)
    here.server.edit(items[1], caption="토토사이트")
    (edited,) = await here.hear(1)
    assert edited.ref.message_id == str(items[0]["message_id"])
    assert edited.extra["items"] == ",".join(str(item["message_id"]) for item in items)
    assert await here.carry_out(edited, Delete()) == [Done()]
    assert not here.group.messages.keys() & {item["message_id"] for item in items}


@played
async def test_t42_what_a_dead_process_had_of_an_album_is_completed_by_the_next(here: Stage) -> None:
    items = here.server.album(here.group, 7, "나쁜 말", None)
    await here.hear(2)
    await here.server.until(lambda: not here.server.updates)
    await here.stop()
    here._listening = None
    here.chat = connect(here.server.url, here.desk, inbox=here.store.inbox)
    items += here.server.album(here.group, 7, None)
    whole = (await here.hear(3))[-1]
    assert (whole.text, whole.ref.message_id) == ("나쁜 말", str(items[0]["message_id"]))
    assert whole.extra["items"] == ",".join(str(item["message_id"]) for item in items)


@pytest.mark.parametrize("first", [1, 2])
def test_items_that_come_in_another_order_are_one_album(first: int) -> None:
    """As they do to a webhook."""

    async def scenario() -> None:
        async with stage() as here:
            items = here.server.album(here.group, 7, "하나", "둘", "셋")
            one, two, three = (here.server.updates.pop(id_) for id_ in list(here.server.updates))
            for update in ([two, one, three], [three, two, one])[first - 1]:
                here.server.updates[here.server.next_update] = update | {"update_id": here.server.next_update}
                here.server.next_update += 1
            (album,) = judged(await here.hear(3))
            assert album.text == "하나\n둘\n셋"
            assert album.extra["items"] == ",".join(str(item["message_id"]) for item in items)

    asyncio.run(scenario())


@played
async def test_albums_of_two_chats_do_not_mix(here: Stage) -> None:
    other = here.server.group(-1003)
    here.server.album(here.group, 7, "여기", None)
    here.server.album(other, 7, "저기", None)
    assert sorted(album.text for album in judged(await here.hear(4))) == ["여기", "저기"]


@played
async def test_an_album_in_a_crowd_loses_nobody(here: Stage) -> None:
    here.server.album(here.group, 7, "앨범")
    for number in range(250):
        here.server.post(here.group, 8, f"말 {number}")
    await here.hear(251)
    assert here.texts == ["앨범", *(f"말 {number}" for number in range(250))]


def test_a_persons_edit_of_what_is_still_held_is_judged_at_once() -> None:
    piece = message("1", "앞", more_to_come=True)
    edit = message("1", "바뀜", revision=9, sent_at=later(1), kind=Kind.EDIT)
    streams = Streams()
    assert streams.sift(piece, NOW) == ([], [])
    assert streams.sift(edit, NOW) == ([edit], [piece])
    assert not streams


def test_refs_of_albums_are_no_refs_of_edits() -> None:
    """An edit's revision counts seconds since 1970, an item's is a message's number."""
    assert MessageRef(TELEGRAM, str(GROUP), "1", 2**31).revision < int(time.time()) << 20
