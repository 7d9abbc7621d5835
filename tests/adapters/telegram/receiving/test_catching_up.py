"""The course of catching up, in short: how often is asked, and that nothing is lost. The long one is a bench."""

from tests.adapters.telegram.stage import Stage, played
from tests.benches.telegram_catching_up import ALBUM, ALBUMS_IN, fill

WAITING = 3000


@played
async def test_t62_what_waits_is_taken_in_with_as_few_polls_as_it_can_be(here: Stage) -> None:
    fill(here.server, WAITING)
    count = len(here.server.updates)
    heard = await here.hear(count)
    await here.server.until(lambda: not here.server.updates)
    offsets = [call.arguments.get("offset") for call in here.server.calls if call.method == "getUpdates"]
    assert len(offsets) <= count / 100 + 2
    assert len(set(offsets)) == len(offsets), "the throttle of the real server never bites"
    assert len({message.ref for message in heard}) == count
    whole = {message.ref.message_id: message for message in heard if message.more_to_come}
    assert len(whole) == WAITING // ALBUMS_IN
    assert all(len(message.extra["items"].split(",")) == ALBUM for message in whole.values())
