"""Discord's answers -> outcomes: what is final, what may be tried again, and when to stop asking at all."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import aiohttp
import discord

from adapters.chat.pacing import alone
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import seconds_asked
from bot.core.rules.actions import Done, Gone, Outcome, Refused
from bot.core.text.catalogue import Texts, noted

#: What discord.py raises when nobody answers; a RuntimeError says that its own session is closed.
OUT_OF_REACH = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)

#: Discord's code for files that it does not take.
TOO_LARGE = 40005


async def outcome_of(request: Awaitable[str | None], say: Texts, *, needs: str) -> Outcome:
    """Done with the receipt that `request` gives, or what Discord's error means. `needs` names the permission
    that a 403 is about. Raises `Unavailable` for what may be tried again, `Broken` when the token is revoked."""
    try:
        return Done(await request or "")
    except discord.NotFound:
        return Gone()
    except discord.Forbidden as error:
        return Refused(_known(error, say) or lacking([needs]))
    except discord.RateLimited as error:
        raise Unavailable("Discord limits the rate", retry_after=seconds_asked(error.retry_after)) from error
    except discord.DiscordServerError as error:
        raise Unavailable("Discord answered {status}", status=error.status) from error
    except discord.HTTPException as error:
        if error.status == 401:
            raise Broken(say["discord.bad_token"]) from error
        if error.status == 429:
            raise Unavailable("Discord limits the rate") from error
        return Refused(_known(error, say) or noted("discord.refused", status=error.status, code=error.code))
    except OUT_OF_REACH as error:
        raise Unavailable("Discord is out of reach ({why})", why=type(error).__name__) from error


def _known(error: discord.HTTPException, say: Texts) -> str | None:
    """What Discord's code means, where that is something else than the permission that was asked for."""
    key = f"discord.refusals.{error.code}"
    return key if key in say else None


def may_have_arrived(error: BaseException | None) -> bool:
    """Whether Discord may have done what it was asked for: it said nothing, and the connection stood."""
    return isinstance(error, aiohttp.ClientError | OSError | TimeoutError) and not isinstance(
        error, aiohttp.ClientConnectorError
    )


def lacking(permissions: Iterable[str]) -> str:
    """That these permissions are missing, for the record."""
    return noted("discord.missing", permissions=[f"permission.{name}" for name in permissions])


def missing(permissions: Iterable[str], say: Texts) -> str:
    """The permissions, as Discord's settings call them, in a sentence."""
    return say.as_noted(lacking(permissions))


def missing_here(guild: discord.Guild, channel_id: int, needed: Iterable[str]) -> list[str]:
    """Which of these permissions the bot lacks in a channel (by the server's id: in the server as a whole); none
    where the channel is not known to us."""
    channel = guild.get_channel_or_thread(channel_id)
    if guild.me is None or (channel is None and channel_id != guild.id):
        return []
    granted = channel.permissions_for(guild.me) if channel else guild.me.guild_permissions
    return [name for name in needed if not getattr(granted, name)]


@dataclass(slots=True)
class InvalidAnswers:
    """Discord bans an address that gets 10,000 answers of 401, 403 or 429 within ten minutes; we stop well before."""

    clock: Clock
    among: Callable[[], int] = alone  # processes that share an address, as far as we know
    at_most: int = 5_000
    within: float = 600.0  # seconds
    _seen: deque[float] = field(default_factory=deque)

    def note(self, status: int, scope: str) -> None:
        """An answer came; `scope` is what Discord says of a 429. One that others have brought about does not count."""
        if status in (401, 403, 429) and not (status == 429 and scope == "shared"):
            self._seen.append(self.clock.monotonic())

    def check(self) -> None:
        """Raises `Unavailable` while there were too many."""
        since = self.clock.monotonic() - self.within
        while self._seen and self._seen[0] < since:
            self._seen.popleft()
        if len(self._seen) >= self.at_most // self.among():
            raise Unavailable("too many invalid answers", retry_after=self._seen[0] - since)
