"""`jikimi` with a guard and deeds that break on certain words, and words of which the process dies.

python -m tests.courses.poisoned run --config FILE
"""

import math
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.chat.discord.connection import DiscordChat
from adapters.chat.telegram.connection import TelegramChat
from bot.__main__ import main
from bot.app import guards
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Outcome

#: The word -> what it does.
POISONS: Mapping[str, str] = {
    "독버섯": "no number", "독풀": "too few", "독설": "broken", "독개구리": "raises", "독침": "deed raises",
    "독약": "dies", "독화살": "deed dies",
}  # fmt: skip


class PoisonedGuard:
    """Finds harmful what says "나쁜" or names a deed that breaks."""

    version = GuardVersion(name="poisoned")
    tasks = frozenset({Task.PROMPT_HARM})

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        screenings: list[Screening] = []
        for exchange in exchanges:
            text = exchange.prompt or ""
            match next((kind for word, kind in POISONS.items() if word in text), None):
                case "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "broken":
                    raise Broken("this text, for ever")
                case "raises":
                    raise KeyError(exchange)
                case "too few":
                    return screenings
                case "no number":
                    score = math.nan
                case "deed raises" | "deed dies":
                    score = 0.97
                case _:
                    score = 0.97 if "나쁜" in text else 0.01
            screenings.append(Verdict.of_scores({Task.PROMPT_HARM: score}, guard=self.version))
        return screenings


@asynccontextmanager
async def poisoned(*_: Any, **__: Any) -> AsyncIterator[PoisonedGuard]:
    yield PoisonedGuard()


def spoilt(chat: type[Any]) -> None:
    perform = chat.perform

    async def breaks(self: Any, planned: PlannedAction) -> Outcome:
        if planned.action.kind == "delete" and "독화살" in planned.message.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if planned.action.kind == "delete" and "독침" in planned.message.text:
            raise KeyError("a defect")
        outcome: Outcome = await perform(self, planned)
        return outcome

    chat.perform = breaks


if __name__ == "__main__":
    guards.guard = poisoned
    for chat in (DiscordChat, TelegramChat):
        spoilt(chat)
    main()
