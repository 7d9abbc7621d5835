"""The guard behind OpenAI's moderation endpoint, against a server that answers, refuses and lies."""

import asyncio
from typing import Any

import pytest

from adapters.guards.moderations import MODEL, ModerationsGuard
from adapters.guards.vllm_replicas import ODD, NoAnswer
from bot.core.base.errors import Unavailable
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Exchange, Part, Unscreened, Verdict
from tests.fakes.clock import ManualClock
from tests.servers.guards.moderations import ModerationsServer

ASKED = [Exchange(prompt="나쁜 말"), Exchange(prompt="좋은 말", response="나쁜 말"), Exchange(prompt="너무 긴 말")]


def guard(server: ModerationsServer) -> ModerationsGuard:
    return ModerationsGuard([server.url], clock=ManualClock(), token="sesame")


def test_each_part_has_the_kinds_that_its_categories_are() -> None:
    async def check() -> None:
        async with ModerationsServer() as server, guard(server) as judge:
            bad, pair, refused = await judge.judge(ASKED)
            assert isinstance(bad, Verdict) and isinstance(pair, Verdict)
            assert bad.kinds == {Part.PROMPT: {HarmKind.ABUSE: 0.93, HarmKind.UNSPECIFIED: 0.02}}
            assert bad.categories == {"harassment"}
            assert pair.kinds[Part.RESPONSE][HarmKind.ABUSE] == 0.93 > pair.kinds[Part.PROMPT][HarmKind.ABUSE]
            assert refused == Unscreened(NoAnswer.REFUSED, judge.version)
            assert server.bodies[0] == {"model": MODEL, "input": ["나쁜 말", "좋은 말", "너무 긴 말"]}, "each text once"
            assert bad.is_raw, "it shows, and does not delete, until it is calibrated"
            assert [
                answer.reason for answer in await judge.judge([Exchange(prompt=None)]) if isinstance(answer, Unscreened)
            ]

    asyncio.run(check())


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"results": []},
        {"results": [{"category_scores": {}}]},
        {"results": [{"category_scores": {"hate": "much"}}]},
        {"results": [{"category_scores": {"hate": 7}}]},
        {"results": [{"category_scores": {"hate": float("nan")}}]},
        {"results": [{"categories": {"hate": False}}]},
        {"results": [{"category_scores": {"hate": 0.1}}] * 2},
    ],
)
def test_what_makes_no_sense_screens_nothing(answer: Any) -> None:
    async def check() -> None:
        async with ModerationsServer() as server, guard(server) as judge:
            server.trouble = answer
            assert await judge.judge([Exchange(prompt="말")]) == [Unscreened(NoAnswer.NO_SENSE, judge.version)]

    asyncio.run(check())


def test_a_server_that_makes_no_sense_of_several_texts_in_a_row_is_away() -> None:
    async def check() -> None:
        async with ModerationsServer() as server, guard(server) as judge:
            server.trouble = {"detail": "upstream is gone"}
            for number in range(ODD - 1):
                (answer,) = await judge.judge([Exchange(prompt=f"말 {number}")])
                assert answer == Unscreened(NoAnswer.NO_SENSE, judge.version)
            with pytest.raises(Unavailable):
                await judge.judge([Exchange(prompt="다른 말")])

    asyncio.run(check())
