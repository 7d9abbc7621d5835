"""An operator's own group -> what Telegram does there of what nobody has confirmed. Nothing is confirmed as read."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.core.base.errors import Broken, Unavailable
from bot.core.base.waiting import seconds_asked
from bot.core.operations.outside.selftest import Ask, Outcome, Tried
from bot.core.text.catalogue import Texts

POSTS = 15  # below what a group takes in a minute
APART = 0.6  # seconds between two looks: sooner, Telegram shows one update alone (T62)
HEARS = 15.0  # seconds in which something must be heard
PAGE = 100  # updates, Telegram's most: where as many wait, nothing newer is seen


async def selftest(
    token: str, community: str, ask: Ask, say: Texts, *, api_url: str, hears: float
) -> AsyncIterator[Tried]:
    """Raises `Broken` where nothing can be tried there, `Unavailable` where Telegram does not answer."""
    try:
        async with ClientSession(timeout=ClientTimeout(total=60)) as session:
            group = _Group(session, f"{api_url.rstrip('/')}/bot{token}/", int(community), hears)
            status, me = await group.call("getChatMember", chat_id=group.id, user_id=(await group.me())["id"])
            if status != 200 or me["status"] != "administrator":
                raise Broken(say("selftest.no_admin", status=status))
            yield await group.deletes_old(ask)
            yield await group.deletes()
            for tried in await group.ephemeral(ask):
                yield tried
            yield Tried("T57", Outcome.NOT_TRIED)  # what cannot be seen cannot be seen to be hidden
            for tried in await group.other_bots(ask):
                yield tried
            yield await group.privacy(ask)
    except (ClientError, TimeoutError, OSError) as error:
        raise Unavailable(type(error).__name__) from error


@dataclass(slots=True)
class _Group:
    session: ClientSession
    url: str
    id: int
    hears: float  # seconds

    async def call(self, method: str, **parameters: Any) -> tuple[int, Any]:
        """The status, and what came of it: the result, or what was said about a refusal."""
        form = {name: one if isinstance(one, str) else json.dumps(one) for name, one in parameters.items()}
        async with self.session.post(self.url + method, data=form) as answer:
            body = await answer.json(content_type=None)
            return answer.status, body["result"] if body.get("ok") else body

    async def me(self) -> Mapping[str, Any]:
        status, me = await self.call("getMe")
        if status != 200:
            raise Broken(str(me.get("description", status)))
        found: Mapping[str, Any] = me
        return found

    async def deletes_old(self, ask: Ask) -> Tried:
        """T26: an admin cannot delete what is older than 48 hours. Its number is typed."""
        typed = await ask("T26")
        if not typed or not typed.strip().isdigit():
            return Tried("T26", Outcome.NOT_TRIED)
        status, _ = await self.call("deleteMessage", chat_id=self.id, message_id=int(typed))
        return Tried.found("T26", status == 400, status=status)

    async def deletes(self) -> Tried:
        """T50: deletions are not what is limited."""
        posted = [id_ for _ in range(POSTS) if (id_ := await self._post())]
        refused, began = 0, time.monotonic()
        for id_ in posted:
            while (answer := await self.call("deleteMessage", chat_id=self.id, message_id=id_))[0] == 429:
                refused += 1
                await asyncio.sleep(seconds_asked(answer[1]["parameters"]["retry_after"]) or 1.0)
        took = round(time.monotonic() - began, 2)
        return Tried.found("T50", not refused, deleted=len(posted), refused=refused, s=took)

    async def ephemeral(self, ask: Ask) -> list[Tried]:
        """T55, T56: an admin bot may show a message to one member who has pressed nothing."""
        heard = await self._heard(ask, "T55", bot=False)
        if not heard:
            return [Tried(fact, Outcome.NOT_TRIED) for fact in ("T55", "T56")]
        receiver = {"receiver_user_id": heard["from"]["id"]}
        status, shown = await self.call(
            "sendMessage", chat_id=self.id, text="jikimi selftest", ephemeral_message_parameters=receiver
        )
        is_hidden = status == 200 and not shown.get("message_id")
        if status == 200 and not is_hidden:  # everybody sees it
            await self.call("deleteMessage", chat_id=self.id, message_id=shown["message_id"])
        return [Tried.found(fact, is_hidden, status=status, hidden=is_hidden) for fact in ("T55", "T56")]

    async def other_bots(self, ask: Ask) -> list[Tried]:
        """T58, C11, C16: as an admin we hear what other bots write, whom they answer, and what they edit."""
        reads_all = bool((await self.me()).get("can_read_all_group_messages"))
        heard = await self._heard(ask, "T58", bot=True)
        if heard is None:
            return [Tried(fact, Outcome.NOT_TRIED) for fact in ("T58", "C11", "C16")]
        found = [Tried.found("T58", bool(heard), heard=bool(heard), reads_all=reads_all)]
        if not heard:
            return [*found, *(Tried(fact, Outcome.NOT_TRIED) for fact in ("C11", "C16"))]
        found.append(Tried.found("C11", "reply_to_message" in heard, linked="reply_to_message" in heard))
        edited = await self._heard(ask, "C16", bot=True, kind="edited_message")
        if edited is None:
            return [*found, Tried("C16", Outcome.NOT_TRIED)]
        return [*found, Tried.found("C16", bool(edited), heard=bool(edited))]

    async def privacy(self, ask: Ask) -> Tried:
        """T60: a changed privacy mode holds only once the bot was added again."""
        heard = await self._heard(ask, "T60", bot=False)
        if heard is None:
            return Tried("T60", Outcome.NOT_TRIED)
        return Tried.found("T60", not heard, heard=bool(heard))

    async def _heard(self, ask: Ask, fact: str, *, bot: bool, kind: str = "message") -> Mapping[str, Any] | None:
        """What a bot, or a person, writes in the group once somebody was asked for it; empty: nothing comes; None: they
        will not."""
        before = max((one["update_id"] for one in await self._updates()), default=-1)
        if await ask(fact) is None:
            return None
        end = time.monotonic() + self.hears
        while time.monotonic() < end:
            for update in await self._updates():
                said = update.get(kind) or {}
                theirs = said.get("chat", {}).get("id") == self.id and bool(said["from"].get("is_bot")) is bot
                if update["update_id"] > before and theirs:
                    found: Mapping[str, Any] = said
                    return found
        return {}

    async def _updates(self) -> list[Mapping[str, Any]]:
        """What waits. It goes on waiting: others may have to read it."""
        await asyncio.sleep(APART)
        status, waiting = await self.call("getUpdates", limit=PAGE, timeout=0)
        if status != 200:
            raise Broken(str(waiting.get("description", status)))
        return list(waiting)

    async def _post(self) -> int:
        while True:
            status, answer = await self.call("sendMessage", chat_id=self.id, text=".", disable_notification=True)
            if status != 429:
                return int(answer["message_id"]) if status == 200 else 0
            await asyncio.sleep(seconds_asked(answer["parameters"]["retry_after"]) or 1.0)
