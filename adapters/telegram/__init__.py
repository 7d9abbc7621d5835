"""Telegram: a group's messages come in through the Bot API, and moderation goes out through it."""

import os

os.environ.setdefault("PTB_TIMEDELTA", "true")  # python-telegram-bot: durations as timedelta, its future default

from adapters.telegram.chat import TelegramChat

__all__ = ["TelegramChat"]
