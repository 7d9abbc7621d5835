"""Thresholds that a report or an answer advises -> the buttons that set them."""

import re
from collections.abc import Iterable

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.core.chat.post import Advised
from bot.core.moderators.advised import CARRIED, carried
from bot.core.text.catalogue import Texts
from bot.wording.reasons import rule_name

PRESSED = re.compile(f"bar:(-[0-9]{{1,18}}):{CARRIED}")


def keys(advised: Iterable[Advised], say: Texts) -> InlineKeyboardMarkup | None:
    """One below the other; None: there are none."""
    rows = [
        [
            InlineKeyboardButton(
                say("what_if.apply", rule=rule_name(one.rule, say), score=one.score),
                callback_data=f"bar:{one.community_id}:{carried(one)}",
            )
        ]
        for one in advised
    ]
    return InlineKeyboardMarkup(rows) if rows else None
