"""Group commit: who shares a commit, and who gets which error."""

import asyncio
import gc
from collections.abc import Sequence

import pytest

from bot.core.base.errors import BotError, Broken, Unavailable
from storage.flow.group_commit import GroupCommit


class Disk:
    """Writes down each commit; holds commits up until `go`, and fails those with a number in `bad`."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.bad: dict[int, BotError] = {}

    async def write(self, items: Sequence[int]) -> Sequence[int]:
        await self.go.wait()
        self.commits.append(list(items))
        for item in items:
            if item in self.bad:
                raise self.bad[item]
        return [item * 10 for item in items]


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_calls_gather_while_a_commit_runs() -> None:
    async def scenario() -> None:
        disk = Disk()
        group = GroupCommit(disk.write)
        disk.go.clear()
        first = asyncio.create_task(group([1]))
        await turn()
        rest = [asyncio.create_task(group([number, number + 1])) for number in (2, 4)]
        await turn()
        disk.go.set()
        assert [await first, *[await one for one in rest]] == [[10], [20, 30], [40, 50]]
        assert disk.commits == [[1], [2, 3, 4, 5]]
        assert await group([]) == []

    asyncio.run(scenario())


def test_a_commit_takes_no_more_than_its_limit_unless_one_call_brings_more() -> None:
    async def scenario() -> None:
        disk = Disk()
        group = GroupCommit(disk.write, limit=3)
        await asyncio.gather(group([1, 2]), group([3]), group([4, 5, 6, 7]), group([8]))
        assert disk.commits == [[1, 2, 3], [4, 5, 6, 7], [8]]

    asyncio.run(scenario())


def test_one_calls_trouble_is_not_the_others() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.bad = {2: Broken("two"), 4: Broken("four")}
        group = GroupCommit(disk.write)
        answers = await asyncio.gather(*(group([number]) for number in range(1, 6)), return_exceptions=True)
        assert answers == [[10], disk.bad[2], [30], disk.bad[4], [50]]

    asyncio.run(scenario())


def test_a_database_out_of_reach_is_not_asked_again_for_each_call() -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.bad = {2: Unavailable("restarting")}
        group = GroupCommit(disk.write)
        answers = await asyncio.gather(*(group([number]) for number in range(1, 4)), return_exceptions=True)
        assert answers == [disk.bad[2]] * 3
        assert disk.commits == [[1, 2, 3]]
        disk.bad.clear()
        assert await group([2]) == [20]

    asyncio.run(scenario())


def test_a_call_is_carried_out_even_if_its_caller_is_cancelled() -> None:
    async def scenario() -> None:
        disk = Disk()
        group = GroupCommit(disk.write)
        disk.go.clear()
        writing, waiting = asyncio.create_task(group([1])), asyncio.create_task(group([2]))
        await turn()
        writing.cancel()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        later = asyncio.create_task(group([3]))
        await turn()
        disk.go.set()
        await group.finish()
        assert sorted(item for commit in disk.commits for item in commit) == [1, 2, 3]
        assert await later == [30]

    asyncio.run(scenario())


def test_an_error_that_a_cancelled_caller_does_not_hear_is_nothing_for_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        disk = Disk()
        disk.bad = {1: Unavailable("out of reach")}
        group = GroupCommit(disk.write)
        disk.go.clear()
        calling = asyncio.create_task(group([1]))
        await turn()
        calling.cancel()
        await turn()
        disk.go.set()
        await group.finish()

    asyncio.run(scenario())
    gc.collect()
    assert not caplog.records
