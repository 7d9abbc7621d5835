"""From update to deletion, measured: our application with the shipped guard and with its n-grams alone, beside a naive
python-telegram-bot handler with the shipped guard, each a process of its own over the same server and messages.

    python -m tests.benches.telegram [SECONDS] [MESSAGES A SECOND]
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HARM = ("야 이 병신새끼야 그냥 꺼져 좆같은 년아", "병신같은 년아 꺼져라 좆같네", "야이 씨발놈아 니 애미 뒤졌냐")
FINE = ("오늘 점심 뭐 먹을까요?", "내일 모임 몇 시에 시작해요", "사진 감사합니다 😊")


async def jikimi(database: str, api_url: str, token: str, *, encoder: bool) -> None:
    from adapters.guards.embedded import KindsGuard
    from bot.app.application import application
    from bot.config import Config, StorageSettings
    from bot.core.rules.policy import Watch
    from tests.adapters.telegram.process import connected

    config = Config(storage=StorageSettings(url=database))
    async with application(config, KindsGuard(encoder=encoder), connected(api_url, token), mode=Watch.LIVE) as jikimi:
        await jikimi.run()


def naive(api_url: str, token: str) -> None:
    from telegram import Update
    from telegram.ext import Application, ContextTypes, MessageHandler, filters

    from adapters.guards.embedded import KindsGuard
    from bot.core.guarding.verdict import Exchange, Verdict

    guard = KindsGuard()

    async def moderate(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        message = update.effective_message
        assert message
        (verdict,) = await guard.judge([Exchange(prompt=message.text or "")])
        if isinstance(verdict, Verdict) and (verdict.harm or 0) >= 0.9:
            await message.delete()

    application = Application.builder().token(token).base_url(f"{api_url}/bot").concurrent_updates(True).build()
    application.add_handler(MessageHandler(filters.TEXT, moderate))
    application.run_polling()


@dataclass(frozen=True, slots=True)
class Run:
    """What one of the two did. `delays`: milliseconds from an update to the deletion of its message, in order."""

    delays: Sequence[float]
    harmful: int
    rate: float  # messages a second, as they were really sent

    @property
    def unharmed(self) -> int:
        """Harmful messages that nobody deleted."""
        return self.harmful - len(self.delays)

    def quantile(self, share: float) -> float:
        return quantile(self.delays, share)

    def __str__(self) -> str:
        return (
            f"p50 {self.quantile(0.5):.0f} ms, p99 {self.quantile(0.99):.0f} ms, worst {self.quantile(1):.0f} ms at "
            f"{self.rate:.0f} messages/s; {self.unharmed} of {self.harmful} harmful messages stood unharmed"
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


async def measure(name: str, seconds: int, rate: int) -> Run:
    from tests.servers.telegram import TOKEN, TelegramServer

    async with TelegramServer() as server:
        group = server.group(-1001)
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.benches.telegram", name, f"sqlite:///{Path(folder) / 'b.db'}",
                server.url, TOKEN, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await server.until(lambda: server.polls, patience=60)
            await asyncio.sleep(2)
            sent: dict[int, float] = {}
            began = time.monotonic()
            for number in range(seconds * rate):
                harmful = number % 10 == 0
                text = (HARM if harmful else FINE)[number % 3] + f" {number}"
                id_ = server.post(group, 100 + number % 300, text)["message_id"]
                if harmful:
                    sent[id_] = time.monotonic()
                await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
            took = time.monotonic() - began
            await asyncio.sleep(5)
            process.kill()
            await process.wait()
        deleted: dict[int, float] = {}
        for call in server.of("deleteMessage", "deleteMessages"):
            for id_ in call.arguments.get("message_ids") or [call.arguments["message_id"]]:
                deleted.setdefault(int(id_), call.at)
        delays = sorted((deleted[id_] - at) * 1000 for id_, at in sent.items() if id_ in deleted)
        return Run(delays, len(sent), seconds * rate / took)


async def both(seconds: int, rate: int) -> None:
    ours = await measure("jikimi", seconds, rate)
    print(f"jikimi  {ours}", flush=True)
    print(f"n-grams {await measure('ngrams', seconds, rate)}", flush=True)
    naive = await measure("naive", seconds, rate)
    print(f"naive   {naive}")
    p50, p99 = (ours.quantile(share) / naive.quantile(share) for share in (0.5, 0.99))
    print(f"ratio   p50 {p50:.1f}, p99 {p99:.1f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [("jikimi" | "ngrams") as name, database, api_url, token]:
            asyncio.run(jikimi(database, api_url, token, encoder=name == "jikimi"))
        case ["naive", _, api_url, token]:
            naive(api_url, token)
        case numbers:
            seconds, rate, *_ = [*map(int, numbers), *(20, 100)[len(numbers) :]]
            asyncio.run(both(seconds, rate))
