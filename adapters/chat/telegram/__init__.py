"""Telegram: a group's messages come in through the Bot API, and moderation goes out through it."""

import logging
import os

from adapters.chat.telegram.connection import TelegramChat

__all__ = ["TelegramChat"]

os.environ.setdefault("PTB_TIMEDELTA", "true")  # python-telegram-bot: durations as timedelta, its future default

# python-telegram-bot logs whole updates where it cannot read one.
logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)
