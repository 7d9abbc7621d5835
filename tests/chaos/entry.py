"""`jikimi` with a clock that a file puts forward and back, and with deeds that break, or kill it, on certain words.

python -m tests.chaos.entry run --config FILE
"""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.chat.discord.connection import DiscordChat
from adapters.chat.telegram.connection import TelegramChat
from adapters.system_clock import SystemClock
from bot.__main__ import main
from tests.courses.poisoned import spoilt

#: Names the file: so many seconds is this process ahead of the world.
CLOCK = "CHAOS_CLOCK"


def now(_: SystemClock) -> datetime:
    ahead = 0.0
    with suppress(OSError, ValueError):
        ahead = float(Path(os.environ[CLOCK]).read_text("utf-8"))
    return datetime.now(UTC) + timedelta(seconds=ahead)


if __name__ == "__main__":
    SystemClock.now = now  # type: ignore[assignment, method-assign]
    for chat in (DiscordChat, TelegramChat):
        spoilt(chat)
    main()
