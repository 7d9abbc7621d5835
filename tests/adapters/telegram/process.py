"""The whole application on Telegram as a process of its own, so that tests can kill it.

Messages are judged by what they say: "[0.98] …" scores 0.98.
"""

import re
from collections.abc import Callable, Sequence

from adapters.chat.telegram.connection import TelegramChat
from adapters.system_clock import SystemClock
from bot.app.application import application
from bot.app.parts import Core
from bot.config import Config, StorageSettings
from bot.core.base.clock import Clock
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Verdict
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts


class HarmInBrackets:
    version = GuardVersion(name="brackets", calibration="platt")
    tasks = frozenset({Task.PROMPT_HARM, Task.RESPONSE_HARM})

    async def judge(self, exchanges: Sequence[Exchange]) -> Sequence[Screening]:
        return [Verdict.of_scores(_scores(exchange), guard=self.version) for exchange in exchanges]


def _scores(exchange: Exchange) -> dict[Task, float]:
    prompt = {} if exchange.prompt is None else {Task.PROMPT_HARM: _score(exchange.prompt)}
    return prompt if exchange.response is None else prompt | {Task.RESPONSE_HARM: _score(exchange.response)}


def _score(text: str) -> float:
    found = re.match(r"\[(\d\.\d+)\]", text)
    return float(found[1]) if found else 0.0


def connected(api_url: str, token: str, clock: Clock | None = None) -> Callable[[Core], list[TelegramChat]]:
    def connect(core: Core) -> list[TelegramChat]:
        return [
            TelegramChat(
                token=token,
                desk=core.desk,
                inbox=core.inbox,
                clock=clock or SystemClock(),
                say=texts("en"),
                api_url=api_url,
            )
        ]

    return connect


async def run(database: str, api_url: str, token: str) -> None:
    config = Config(storage=StorageSettings(url=database))
    async with application(config, HarmInBrackets(), connected(api_url, token), mode=Watch.LIVE) as jikimi:
        await jikimi.run()
