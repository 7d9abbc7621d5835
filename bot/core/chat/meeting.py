"""Who wrote a message, as its network knows them now -> asked where this process is connected, or else of whoever is.

What goes from process to process has no names of members and no words of theirs: ids, roles and times.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from bot.core.base.bounded import Bounded
from bot.core.base.errands import Errands
from bot.core.base.errors import Unavailable, raised
from bot.core.base.waiting import outlasting
from bot.core.chat.message import STAFF, Author, Message, MessageRef, Platform
from bot.core.chat.ports import MessageSource

PATIENCE = 3.0  # seconds for an answer; then it is asked for again
LONGEST = 6_000  # bytes of an answer: beyond that, roles go without the names that people gave them
ASKED = 10_000  # about whom an answer is awaited

_Who = tuple[str, str, str]  # platform, community, author

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Meeting:
    """`say` is heard in every other process. Where nobody is connected, nobody is met."""

    connected: Mapping[Platform, MessageSource]
    say: Callable[[str], None] | None = None
    _asked: Bounded[_Who, "asyncio.Future[Any]"] = field(default_factory=lambda: Bounded(ASKED))
    _answering: Errands = field(default_factory=Errands)

    async def meet(self, message: Message) -> Author:
        """See `MessageSource`."""
        if source := self.connected.get(message.ref.platform):
            return await source.meet(message)
        if self.say is None:
            return message.author
        who = (message.ref.platform, message.community_id, message.author.id)
        if who not in self._asked:
            self._asked[who] = asyncio.get_running_loop().create_future()
            self.say(json.dumps(who))
        try:
            async with asyncio.timeout(PATIENCE):
                told = await outlasting(self._asked[who])
        except TimeoutError:
            raise Unavailable("nobody who is connected says who it is") from None
        finally:
            self._asked.pop(who, None)
        return replace(message.author, unmet=False, **_read(told))

    def heard(self, said: str) -> None:
        """A question, or an answer."""
        platform, community, author, *told = json.loads(said)
        if not told:
            if source := self.connected.get(platform):
                self._answering.begin(self._answer(source, (platform, community, author)))
        elif (asked := self._asked.get((platform, community, author))) and not asked.done():
            asked.set_result(told[0])

    async def _answer(self, source: MessageSource, who: _Who) -> None:
        platform, community, author = who
        about = Message(
            ref=MessageRef(Platform(platform), "0", "0"), community_id=community,
            author=Author(id=author, unmet=True), sent_at=datetime.min,
        )  # fmt: skip
        try:
            met = await source.meet(about)
        except Exception as error:  # whoever asks will ask again
            _log.warning("an author could not be met", platform=platform, error=raised(error))
            return
        answer = json.dumps([*who, _written(met, met.roles)], ensure_ascii=False)
        if len(answer.encode()) > LONGEST:
            brief = {role for role in met.roles if role.isdecimal() or role in STAFF}
            answer = json.dumps([*who, _written(met, brief)])
        if self.say and not met.unmet:
            self.say(answer)


def _written(met: Author, roles: Collection[str]) -> dict[str, Any]:
    times = {name: at.isoformat() for name in _TIMES if (at := getattr(met, name))}
    return {"roles": sorted(roles), "bot": met.bot, **times}


def _read(told: dict[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(told[name]) for name in _TIMES if name in told}
    return {"roles": frozenset(told["roles"]), "bot": bool(told["bot"]), **times}


_TIMES = ("since", "account_since")
