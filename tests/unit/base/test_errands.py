"""What is begun beside everything else ends with its home."""

import asyncio

from bot.core.base.errands import Errands


def test_what_is_under_way_is_given_up_and_waited_for() -> None:
    async def scenario() -> None:
        errands, ended = Errands(), list[str]()

        async def work(name: str, seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                await asyncio.sleep(0)  # putting something in order takes a moment
                ended.append(name)

        quick = errands.begin(work("quick", 0))
        errands.begin(work("endless", 3600))
        await quick
        assert ended == ["quick"] and len(errands) == 1
        await errands.close()
        assert ended == ["quick", "endless"] and not errands
        await errands.close()

    asyncio.run(scenario())
