"""What python-telegram-bot raises -> the two exceptions that may cross a port, or an answer about one chat.

* retry later      429 (with its wait), 5xx, network, another process in our place (409): `Unavailable`; `Lost` where
                   the call may have arrived, which includes every answer that is none of the Bot API
* never again      401, 404: `Broken`
* about one chat   400, 403, migration: left to the caller
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from adapters.chat.telegram.requests import NEVER_SENT, OddAnswer
from bot.core.base.errors import Broken, Unavailable
from bot.core.text.catalogue import Texts


class Lost(Unavailable):
    """The call may or may not have been carried out. `answered`: Telegram said that it has failed inside; else no
    answer came at all."""

    def __init__(self, sentence: str, /, *, answered: bool, **facts: object) -> None:
        super().__init__(sentence, retry_after=None, begun="", **facts)
        self.answered = answered


@contextmanager
def mapped(say: Texts) -> Iterator[None]:
    """`say` speaks the language of whoever runs the bot."""
    try:
        yield
    except (BadRequest, Forbidden, ChatMigrated):
        raise
    except RetryAfter as error:
        wait = error.retry_after
        raise Unavailable(
            "Telegram asks to slow down", retry_after=wait.total_seconds() if isinstance(wait, timedelta) else wait
        ) from None
    except InvalidToken:
        raise Broken(say["telegram.bad_token"]) from None
    except Conflict:
        raise Unavailable("another process has taken our place at Telegram") from None
    except OddAnswer as error:
        raise Lost("somebody else answers for Telegram: {why}", why=error.message, answered=False) from None
    except NetworkError as error:
        if isinstance(error.__cause__, NEVER_SENT):
            raise Unavailable("Telegram cannot be reached") from None
        answered = error.__cause__ is None
        raise Lost("Telegram has failed" if answered else "Telegram did not answer", answered=answered) from None
    except TelegramError as error:
        raise Lost("Telegram has answered oddly: {why}", why=type(error).__name__, answered=False) from None
