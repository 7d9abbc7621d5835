"""Who is let in, and how much of the service each key gets."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.http_api.admission import Admission, Visitor, worth
from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.shapes import MOST_INPUTS
from bot.core.base.errors import Unavailable
from bot.core.operations.keys import FORMERLY, ApiKey, Scope
from tests.adapters.http_api.stage import KEY, WRITTEN
from tests.fakes.clock import ManualClock
from tests.fakes.operations import MemoryApiKeys


def test_a_share_fills_up_again_and_says_when() -> None:
    clock = ManualClock()
    visitor = Visitor(KEY, 2.0, clock)
    assert [visitor.take() for _ in range(MOST_INPUTS + 2)] == [0.0] * (MOST_INPUTS + 2)
    assert visitor.take() == 0.5

    async def scenario() -> None:
        await clock.advance(0.5)
        assert visitor.take() == 0.0
        await clock.advance(3600)
        assert visitor.take(MOST_INPUTS) == 0.0
        with pytest.raises(Problem) as refused:
            visitor.spend(MOST_INPUTS)
        assert refused.value.code == "too_many" and refused.value.all_headers() == {"Retry-After": "15"}

    asyncio.run(scenario())


def test_a_long_text_costs_more_than_a_short_one() -> None:
    clock = ManualClock()
    visitor = Visitor(KEY, 2.0, clock)
    assert worth("안녕", None) < 1.01 < worth("가" * 1000, "나" * 1000) == 3.0
    assert visitor.take(worth("가" * 100_000)) == 0.0, "more than the bucket holds is taken from a full one"
    owed = visitor.take()
    assert owed == pytest.approx((101 + 1 - visitor.burst) / 2)

    async def scenario() -> None:
        await clock.advance(owed + 0.001)
        assert visitor.take() == 0.0

    asyncio.run(scenario())


def test_a_database_that_is_away_locks_nobody_out_and_lets_nobody_in() -> None:
    async def refusal(admission: Admission, key: str) -> str:
        with pytest.raises(Problem) as refused:
            await admission.admit(f"Bearer {key}")
        return refused.value.code

    async def scenario() -> None:
        keys, clock = MemoryApiKeys(), ManualClock()
        await keys.add(KEY)
        admission = Admission(keys=keys, clock=clock, rate=1.0)
        keys.trouble = Unavailable("away")
        assert await refusal(admission, WRITTEN) == "database_away", "nobody knows whether the key is good"
        keys.trouble = None
        assert await refusal(admission, WRITTEN) == "database_away", "it is not asked again at once"
        await clock.advance(1)
        assert (await admission.admit(f"bearer  {WRITTEN}")).key == KEY
        keys.trouble = Unavailable("away")
        await clock.advance(1)
        assert await refusal(admission, "jikimi_zz_secret") == "database_away"
        assert (await admission.admit(f"Bearer {WRITTEN}")).key == KEY, "known keys stay good"

    asyncio.run(scenario())


def test_a_flood_of_wrong_keys_asks_the_database_once_a_second() -> None:
    class Counting(MemoryApiKeys):
        asked = 0

        async def all(self) -> Sequence[ApiKey]:
            self.asked += 1
            return await super().all()

    async def scenario() -> None:
        keys, clock = Counting(), ManualClock()
        admission = Admission(keys=keys, clock=clock, rate=1.0)
        for number in range(500):
            with pytest.raises(Problem):
                await admission.admit(f"Bearer jikimi_{number}_secret")
        assert keys.asked == 1
        await clock.advance(1)
        with pytest.raises(Problem):
            await admission.admit("Bearer jikimi_1_secret")
        assert keys.asked == 2

    asyncio.run(scenario())


def test_a_key_ends_by_itself_and_may_do_what_its_scope_says() -> None:
    async def refusal(admission: Admission, scope: Scope = Scope.CHECK) -> str:
        with pytest.raises(Problem) as refused:
            await admission.admit(f"Bearer {WRITTEN}", scope)
        return refused.value.code

    async def scenario() -> None:
        keys, clock = MemoryApiKeys(), ManualClock()
        await keys.add(replace(KEY, scope=FORMERLY, expires_at=clock.now() + timedelta(minutes=1)))
        admission = Admission(keys=keys, clock=clock, rate=1.0)
        visitor = await admission.admit(f"Bearer {WRITTEN}")
        assert await refusal(admission, Scope.FEEDBACK) == "wrong_scope"
        admission.expect(visitor)
        await clock.advance(60)
        assert await refusal(admission) == "expired"
        with pytest.raises(Problem, match="expired"):
            admission.expect(visitor)
        with pytest.raises(Problem, match="unauthorized"):
            await admission.admit(f"Bearer {WRITTEN}x")

    asyncio.run(scenario())
