"""A Telegram server, our chat adapter connected to it over TCP, and the core behind it in memory: for tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.chat.telegram.connection import TelegramChat
from adapters.system_clock import SystemClock
from bot.config import Config, policy_file
from bot.core.base.clock import Clock
from bot.core.base.waiting import Wakeup
from bot.core.chat.message import Message
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.guarding.queue import GuardQueue
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.bots import Bots
from bot.core.moderation.flagging import Flagging
from bot.core.moderation.ports import Inbox
from bot.core.moderators.desk import CoreDesk
from bot.core.moderators.ports import Desk
from bot.core.reporting.building import ReportBuilder
from bot.core.rules.actions import Action, Outcome
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Reason
from bot.core.text.catalogue import texts
from tests.builders import EVERYWHERE, TELEGRAM, put_settings, verdict
from tests.fakes.cases import scripted_deeds, scripted_raids, scripted_sharing
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.operations import ScriptedPeople, scripted_privacy
from tests.fakes.reporting import QuietQueries, ScriptedRenderer
from tests.fakes.store import MemoryStore
from tests.servers.telegram import TOKEN, Chat, TelegramServer

GROUP, MODERATORS = -1001, -1002
_WHY = Explanation("score_reached", {"task": "prompt_harm", "score": 0.9, "bar": 0.8})


@dataclass
class Stage:
    """`heard` is what the chat handed out; the inbox keeps it, as intake would."""

    server: TelegramServer
    chat: TelegramChat
    store: MemoryStore
    desk: CoreDesk
    policies: Policies
    people: ScriptedPeople
    heard: list[Message] = field(default_factory=list)
    _listening: "asyncio.Task[None] | None" = None

    @property
    def group(self) -> Chat:
        return self.server.chats[GROUP]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.heard]

    def listen(self, keep: Callable[[Sequence[Message]], object] | None = None) -> "asyncio.Task[None]":
        async def listen() -> None:
            async for batch in self.chat.messages():
                await self.store.inbox.keep(batch)
                self.heard += batch
                if keep:
                    keep(batch)

        self._listening = asyncio.create_task(listen())
        return self._listening

    async def hear(self, count: int) -> list[Message]:
        """Listen until so many messages have come."""
        if self._listening is None:
            self.listen()
        await self.server.until(lambda: len(self.heard) >= count or (self._listening and self._listening.done()))
        if self._listening and self._listening.done():
            self._listening.result()
        return self.heard

    async def stop(self) -> None:
        if self._listening:
            self._listening.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._listening
        await self.chat.close()

    async def open_incident(
        self, message: Message, *actions: Action, withheld: Sequence[Action] = (), fast: float = 0
    ) -> int:
        """Settle a message as an incident with these actions planned; the incident's number. `fast`: by how many
        seconds the clock of who decides is."""
        await self.store.inbox.keep([message])
        decision = Decision(
            message=message, screening=verdict(0.9), policy_version="1",
            findings=(Finding("insult", True, _WHY),),
            actions=actions, withheld=tuple(withheld), rule="insult", reason=Reason(ko="욕설", en="insult"),
        )  # fmt: skip
        await self.store.inbox.settle(
            [Settlement(decision=decision, decided_at=datetime.now(UTC) + timedelta(seconds=fast))]
        )
        return self.store.opened[message.ref].id

    async def carry_out(self, message: Message, *actions: Action) -> list[Outcome]:
        """Open an incident and do everything planned for it, all at once, as enforcement would."""
        await self.open_incident(message, *actions)
        return await self.do_planned()

    async def do_planned(self) -> list[Outcome]:
        claimed = await self.store.outbox.claim(1000, now=datetime.now(UTC), platforms=EVERYWHERE)

        async def do(planned: PlannedAction) -> Outcome:
            outcome = await self.chat.perform(planned)
            await self.record(planned, outcome)
            return outcome

        return await asyncio.gather(*(do(planned) for planned in claimed))

    async def record(self, planned: PlannedAction, outcome: Outcome) -> None:
        await self.store.outbox.record([(planned, outcome)])
        self.chat.incident_changed(planned.message.community, planned.incident_id)

    async def with_moderators(self, **settings: Any) -> Chat:
        """A moderators' chat for GROUP, whose owner (user 1) and admin (user 2) are in it."""
        room = self.server.group(MODERATORS, title="운영진 방")
        self.server.admin(self.server.chats[GROUP], 2, "지수")
        await put_settings(
            self.policies,
            Community(platform=TELEGRAM, id=str(GROUP), moderators_channel=str(MODERATORS), **settings),
        )
        return room


def played(scenario: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
    """A test that is written as a coroutine over a stage."""

    def test() -> None:
        async def run() -> None:
            async with stage() as here:
                await scenario(here)

        asyncio.run(run())

    test.__name__ = scenario.__name__
    return test


@asynccontextmanager
async def stage(url: str | None = None, guard: ScriptedGuard | None = None) -> AsyncIterator[Stage]:
    """With one supergroup, GROUP, in which the bot has every right. `url`: another way to the server."""
    clock = SystemClock()
    async with TelegramServer() as server:
        server.group(GROUP)
        store, config, people = MemoryStore(), Config(), ScriptedPeople()
        policies = Policies(store=store.communities, build=config.policy_of, clock=clock)
        reviewer = Reviewer(
            incidents=store.incidents,
            reviews=store.reviews,
            clock=clock,
            planned=Wakeup(),
            on_change=lambda community, number: here.chat.incident_changed(community, number),
        )
        queue = GuardQueue(guard=guard or ScriptedGuard(), clock=clock)
        builder = ReportBuilder(queries=QuietQueries(), policies=policies, renderer=ScriptedRenderer, clock=clock)
        desk = CoreDesk(
            policies=policies,
            reviewer=reviewer,
            precedents=store.precedents,
            deeds=(deeds := scripted_deeds()),
            raids=scripted_raids(deeds),
            sharing=scripted_sharing(deeds, policies),
            flagging=Flagging(flags=store.flagged, inbox=store.inbox, clock=clock),
            privacy=scripted_privacy(people),
            incidents=store.incidents,
            queue=queue,
            bots_seen=Bots(roll=store.bot_roll),
            builder=builder,
            schedule_of=config.schedule_of,
            clock=clock,
            policy_files=policy_file,
        )
        chat = connect(url or server.url, desk)
        here = Stage(server, chat, store, desk, policies, people)
        serving = asyncio.create_task(queue.run())
        try:
            yield here
        finally:
            serving.cancel()
            await here.stop()


def connect(
    url: str, desk: Desk, token: str = TOKEN, *, inbox: Inbox | None = None, bookmarks: Bookmarks | None = None,
    webhook_url: str = "", webhook_listen: str = "", blocklist: str = "", hears: bool = True,
    clock: Clock | None = None,
) -> TelegramChat:  # fmt: skip
    return TelegramChat(
        token=token, desk=desk, clock=clock or SystemClock(), say=texts("ko"), api_url=url, inbox=inbox,
        bookmarks=bookmarks, webhook_url=webhook_url, webhook_listen=webhook_listen, blocklist=blocklist, hears=hears,
    )  # fmt: skip
