"""From a slur to the answer to an appeal: the whole product on Telegram, over TCP, as members and moderators see it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.chat.telegram.refs import group_ref
from bot.app.application import Jikimi
from bot.config import Config
from bot.core.incidents.card import Button, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call
from bot.core.rules.actions import Answer
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.records.incidents import SqlIncidents
from storage.reports.queries import SqlReportQueries
from tests.adapters.telegram.test_flow import GROUP, HARM, MODERATORS, incidents, running, set_up, url_in
from tests.fakes.clock import ManualClock
from tests.servers.telegram import BOT_ID, TelegramServer

MINJI, JISU, BYEOL = 7, 2, 3
RULE = {
    "name": "harm",
    "when": {"score": {"task": "prompt_harm", "at_least": 0.9}},
    "then": ["delete", "warn", "timeout 1h", "flag"],
    "reason": {"ko": "욕설", "en": "abuse"},
}
KO = texts("ko")


class Scene:
    """Minji has said something bad, is silenced, and objects in private, led there by the link in the notice."""

    def __init__(self, server: TelegramServer, url: str) -> None:
        self.server, self.url = server, url
        self.group, self.room = server.group(GROUP), server.group(MODERATORS)
        self.private = server.private(MINJI)
        for chat in (self.group, self.room):
            server.admin(chat, JISU, "지수")
            server.admin(chat, BYEOL, "별")

    async def appeal(self, jikimi: Jikimi) -> Incident:
        bad = self.server.post(self.group, MINJI, HARM)
        await self.server.until(lambda: bad["message_id"] not in self.group.messages and self.silenced())
        await self.server.until(lambda: "start=appeal_" in str(self.said(self.private)))
        assert await self.strikes() == 1
        (code,) = [one.code for one in await incidents(jikimi)]
        assert f"start=appeal_{code}" in str(self.said(self.private))
        self.server.post(self.private, MINJI, f"/start appeal_{code}")
        await self.server.until(lambda: KO("telegram.say_why", code=code) in str(self.said(self.private)))
        self.server.post(self.private, MINJI, "친구끼리 한 말이에요")
        await self.server.until(lambda: KO["appeal.heard"] in self.said(self.private)[-1]["text"])
        await self.server.until(lambda: press_id(Button.ACCEPT, 1) in str(self.card()))
        assert "친구끼리 한 말이에요" in self.card()["text"]
        (incident,) = await incidents(jikimi)
        return incident

    def said(self, chat: Any) -> list[Any]:
        return [one for one in chat.messages.values() if one["from"]["id"] == BOT_ID]

    def card(self) -> Any:
        return next((one for one in self.said(self.room) if "reply_markup" in one), {})

    def silenced(self) -> bool:
        return self.group.members[MINJI].get("can_send_messages") is False

    def restored(self) -> bool:
        return any(HARM in one.get("text", "") for one in self.said(self.group))

    async def strikes(self) -> int:
        async with Database.visit(self.url, ManualClock(datetime.now(UTC))) as database:
            return (await SqlIncidents(database).history(group_ref(GROUP), str(MINJI))).strikes

    async def counted(self, about: Incident) -> tuple[int, int]:
        """What was reviewed, and what of it was called wrong, as the report counts it."""
        hour = about.decided_at.replace(minute=0, second=0, microsecond=0)
        begin, end = hour - timedelta(hours=1), hour + timedelta(hours=2)
        async with Database.visit(self.url, ManualClock(datetime.now(UTC))) as database:
            found = (await SqlReportQueries(database).figures(group_ref(GROUP), begin, end)).totals
        return found.reviewed, found.overturned


def played(folder: Path, scene: Callable[[Scene, Jikimi], Awaitable[None]]) -> None:
    async def scenario() -> None:
        url = url_in(folder)
        await set_up(url)
        given = {"storage": {"url": url}, "defaults": {"mode": "live"}, "rules": [RULE]}
        async with TelegramServer() as server:
            here = Scene(server, url)
            async with running(url, server.url, config=Config.model_validate(given)) as jikimi:
                await server.until(lambda: server.polls)
                await scene(here, jikimi)

    asyncio.run(scenario())


def appealed(folder: Path, scene: Callable[[Scene, Jikimi, Incident], Awaitable[None]]) -> None:
    async def with_an_appeal(here: Scene, jikimi: Jikimi) -> None:
        await scene(here, jikimi, await here.appeal(jikimi))

    played(folder, with_an_appeal)


def test_a_member_who_is_silenced_appeals_and_everything_is_undone(tmp_path: Path) -> None:
    async def scene(here: Scene, jikimi: Jikimi, incident: Incident) -> None:
        assert await here.counted(incident) == (0, 0)
        here.server.press(here.card(), JISU, press_id(Button.ACCEPT, 1))
        await here.server.until(lambda: here.restored() and not here.silenced())
        await here.server.until(
            lambda: here.said(here.private)[-1]["text"] == KO("answer.accepted", code=incident.code)
        )
        assert await here.strikes() == 0 and await here.counted(incident) == (1, 1)
        here.server.post(here.private, MINJI, f"/why_{incident.code}")
        await here.server.until(lambda: KO["telegram.state.undone"] in here.said(here.private)[-1]["text"])

    appealed(tmp_path, scene)


def test_two_who_answer_an_appeal_at_once_give_one_answer(tmp_path: Path) -> None:
    async def scene(here: Scene, jikimi: Jikimi, incident: Incident) -> None:
        presses = [
            here.server.press(here.card(), who, press_id(button, 1))
            for who, button in ((JISU, Button.UPHOLD), (BYEOL, Button.ACCEPT))
        ]
        for press in presses:
            await here.server.answered(press)
        told = [here.server.answers[press]["text"] for press in presses]
        assert sum("이미 처리했습니다" in one for one in told) == 1
        answers = {KO("answer.accepted", code=incident.code), KO("answer.upheld", code=incident.code)}
        await here.server.until(lambda: here.said(here.private)[-1]["text"] in answers)
        (found,) = await incidents(jikimi)
        (given,) = [action for action, _ in found.outcomes if isinstance(action, Answer)]
        assert found.review and given.accepted is (found.review.call is Call.WRONG)
        await here.server.until(lambda: here.silenced() is not given.accepted)
        assert await here.strikes() == int(not given.accepted)

    appealed(tmp_path, scene)


def test_what_a_member_reports_is_a_case_and_they_hear_what_came_of_it(tmp_path: Path) -> None:
    async def scene(here: Scene, jikimi: Jikimi) -> None:
        target = here.server.post(here.group, 8, "은근히 괴롭히는 말")
        here.server.post(here.group, MINJI, "/신고", reply_to_message=target)
        await here.server.until(lambda: press_id(Button.DISMISS, 1) in str(here.card()))
        card = here.card()["text"]
        assert KO["card.flagged"] in card and "7" not in card.partition(KO["card.flagged"])[2].split()[0]
        assert not any(m.get("text") == "/신고" for m in here.group.messages.values())
        here.server.press(here.card(), JISU, press_id(Button.DELETE, 1))
        await here.server.until(lambda: target["message_id"] not in here.group.messages)
        told = KO["flag.acted"].partition("}")[2]
        await here.server.until(lambda: told in str([one["text"] for one in here.said(here.private)]))
        (incident,) = await incidents(jikimi)
        assert incident.flags == 1 and incident.review and incident.review.call is Call.DELETE

    played(tmp_path, scene)
