"""A guard that judges an exchange once for as long as anybody has it in hand: what it found where what waits was put in
order, it need not find again beside the model."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from bot.core.guarding.ports import Guard
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task


class OnceGuard:
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._found: WeakKeyDictionary[Exchange, Screening] = WeakKeyDictionary()

    @property
    def version(self) -> GuardVersion:
        return self._guard.version

    @property
    def tasks(self) -> frozenset[Task]:
        return self._guard.tasks

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        found = {exchange: self._found[exchange] for exchange in exchanges if exchange in self._found}
        if new := [exchange for exchange in dict.fromkeys(exchanges) if exchange not in found]:
            said = dict(zip(new, await self._guard.judge(new), strict=True))
            self._found.update(said)
            found |= said
        return [found[exchange] for exchange in exchanges]
