"""A NUL or half of a surrogate pair, wherever people or platforms can write one: it is stored as far as it can be."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.chat.message import Author
from bot.core.incidents.review import Appeal, Call, Review
from bot.core.reporting.delivery.delivery import Delivery, State
from bot.core.reporting.delivery.schedule import Kind
from bot.core.rules.actions import Delete, Done, Flag, Refused
from tests.builders import EVERYWHERE, NOW, home, message, settlement
from tests.contracts.stores import Opens

HERE = home()


@pytest.mark.parametrize("odd", ["\0", "\ud83d"])
def test_nothing_is_refused_for_an_odd_character(opens: Opens, odd: str) -> None:
    async def scenario() -> None:
        async with opens() as store:
            said = message("1", f"말{odd}", reply_to=f"r{odd}", extra={f"k{odd}": odd}, channel_name=f"방{odd}")
            answer = replace(message("2", "답입니다", reply_to="1"), author=Author(id="bot", name=f"봇{odd}", bot=True))
            await store.inbox.keep([said, answer])
            await store.inbox.settle([settlement(said, Flag(), Delete()), settlement(answer, Flag())])
            delete, flag, other = await store.outbox.claim(10, now=NOW, platforms=EVERYWHERE)
            await store.outbox.record([(flag, Done(f"x{odd}")), (delete, Refused(f"x{odd}"))])
            await store.outbox.postpone(other, NOW, defect=f"x{odd}")
            number = flag.incident_id
            appeal = Appeal(incident_id=number, words=f"억울{odd}", at=NOW)
            assert await store.reviews.appeal(HERE, appeal, (Flag(),), due=NOW)
            called = Review(incident_id=number, call=Call.RIGHT, moderator_id="1", moderator_name=f"별{odd}", at=NOW)
            assert await store.reviews.record(HERE, called, due=NOW) is None
            await store.bookmarks.put("x", f"p{odd}")
            due = Delivery(community=home("c"), kind=Kind.WEEK, period="2026-W20", due=NOW)
            await store.deliveries.plan([due])
            (one,) = await store.deliveries.claim(1, now=NOW, platforms=EVERYWHERE)
            assert await store.deliveries.start(one.id)
            await store.deliveries.record(one.id, State.SENT, receipt=f"x{odd}", reason=f"x{odd}")
            incident = await store.incidents.get(HERE, number)
            assert incident and incident.appeal and incident.appeal.words.startswith("억울")
            assert incident.review and incident.review.moderator_name.startswith("별")

    asyncio.run(scenario())
