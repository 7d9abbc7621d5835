"""What other bots do: what every implementation must count, in the very settlement that closes a message."""

import asyncio
from dataclasses import replace
from typing import Any

from bot.core.answers.bot import KNOWN_AFTER, Bot
from bot.core.chat.message import Author, Message, Pairing
from bot.core.guarding.verdict import SUPERSEDED
from bot.core.incidents.incident import Settlement
from bot.core.rules.decision import Decision
from tests.builders import NOW, home, message, settlement
from tests.contracts.stores import Opens

PROSE = "그 질문에는 이렇게 답할 수 있습니다. 먼저 차근차근 살펴보고 나서 정리해 보세요."
ROBOT = Author(id="robot", name="챗봇", bot=True)


def said(number: int, text: str, pairing: Pairing | None = None, **author: Any) -> Message:
    by = replace(ROBOT, **author)
    return replace(message(str(number), text), author=by, pairing=pairing)


def test_what_a_bot_does_is_counted_once_and_outlives_the_process(opens: Opens) -> None:
    told = [
        said(1, PROSE, Pairing.CERTAIN), said(2, "🎵 3:15", Pairing.HIDDEN), said(3, PROSE),
        said(4, "", Pairing.GUESSED), said(5, PROSE, Pairing.CERTAIN, id="minji", bot=False),
        said(6, PROSE, Pairing.CERTAIN, myself=True),
    ]  # fmt: skip

    async def scenario() -> None:
        async with opens() as store:
            await store.inbox.keep([*told, said(7, PROSE, Pairing.CERTAIN)])
            for _ in range(2):
                await store.inbox.settle([settlement(one) for one in told])
            passed = Decision(message=said(7, PROSE, Pairing.CERTAIN), screening=SUPERSEDED, policy_version="")
            await store.inbox.settle([Settlement(decision=passed, decided_at=NOW)])
        async with opens() as store:
            expected = Bot(id="robot", name="챗봇", messages=3, answers=2, prose=1)
            assert list(await store.bots.all()) == [(home(), expected)]

    asyncio.run(scenario())


def test_a_name_follows_its_bot(opens: Opens) -> None:
    async def scenario() -> None:
        async with opens() as store:
            for number, name in enumerate(("옛 이름", "새 이름", "")):
                one = said(number, "글", name=name)
                await store.inbox.keep([one])
                await store.inbox.settle([settlement(one)])
            ((_, bot),) = await store.bots.all()
            assert (bot.name, bot.messages) == ("새 이름", 3)

    asyncio.run(scenario())


def test_who_converses() -> None:
    assert Bot(id="b", messages=KNOWN_AFTER - 1).converses is None
    assert Bot(id="b", messages=KNOWN_AFTER, prose=1).converses is False
    assert Bot(id="b", messages=KNOWN_AFTER, prose=2).converses is True
