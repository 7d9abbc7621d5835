"""Which prompt a bot's answer in a Telegram group belongs to, and how sure that is: over TCP, in every way there is."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.chat.telegram.connection import TelegramChat
from adapters.chat.telegram.refs import group_ref
from bot.app.application import application
from bot.app.parts import Core
from bot.config import Config
from bot.core.chat.message import Kind, Message, Pairing
from bot.core.communities.community import Community
from bot.core.rules.actions import Done
from bot.core.rules.policy import Watch
from tests.adapters.discord.receiving.test_pairing import Strict
from tests.adapters.discord.test_flow import EVER
from tests.adapters.telegram.process import connected
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, connect, played
from tests.builders import TELEGRAM, put_settings, settlement
from tests.servers.databases import sqlite_in
from tests.servers.telegram import RIGHTS, TOKEN, TelegramServer, member, user

ROBOT = {"id": 500, "is_bot": True, "first_name": "챗봇", "username": "Chat_Robot"}
OWNERS = -1003


def pair(answer: Message) -> tuple[str | None, Pairing | None]:
    return answer.prompt, answer.pairing


def command(text: str) -> dict[str, Any]:
    """A text that begins with a command, marked as Telegram marks it."""
    length = len(text.split(" ")[0])
    return {"text": text, "entities": [{"type": "bot_command", "offset": 0, "length": length}]}


def mention(name: str, text: str) -> dict[str, Any]:
    return {"text": f"@{name} {text}", "entities": [{"type": "mention", "offset": 0, "length": len(name) + 1}]}


@played
async def test_c11_a_reply_is_certain(here: Stage) -> None:
    asked = here.server.post(here.group, 7, "질문")
    here.server.post(here.group, ROBOT, "답", reply_to_message=asked)
    here.server.post(here.group, ROBOT, "고쳐 말하면", reply_to_message=here.group.messages[2])
    _, answer, again = await here.hear(3)
    assert pair(answer) == pair(again) == ("질문", Pairing.CERTAIN), "a bot that replies to itself goes on"


@played
async def test_c12_a_guest_bot_answers_its_summons(here: Stage) -> None:
    asked = here.server.post(here.group, 7, "손님봇아")
    guest = {"id": 501, "is_bot": True, "first_name": "손님"}
    here.server.post(here.group, guest, "네", reply_to_message=asked, guest_bot_caller_user=user(7))
    here.server.post(here.group, guest, "네", guest_bot_caller_user=user(7))
    _, answer, unseen = await here.hear(3)
    assert pair(answer) == ("손님봇아", Pairing.CERTAIN) and pair(unseen) == (None, Pairing.HIDDEN)


@played
async def test_c13_what_comes_via_an_inline_bot_is_the_users_own(here: Stage) -> None:
    here.server.post(here.group, 7, "고른 글", via_bot=ROBOT)
    (message,) = await here.hear(1)
    assert not message.author.bot and pair(message) == (None, None)


@played
async def test_c14_a_command_is_linked_by_reply_or_else_guessed(here: Stage) -> None:
    asked = here.server.post(here.group, 7, **command("/ask 첫 질문"))
    here.server.post(here.group, ROBOT, "답", reply_to_message=asked)
    here.server.post(here.group, 7, **command("/ask@Chat_Robot 둘째 질문"))
    here.server.post(here.group, ROBOT, "답")
    here.server.post(here.group, 7, **command("/ask 셋째 질문"))
    here.server.post(here.group, ROBOT, "답")
    here.server.post(here.group, 7, **command("/ask@other_bot 남의 질문"))
    here.server.post(here.group, ROBOT, "혼잣말")
    answers = [message for message in await here.hear(8) if message.author.bot]
    assert [pair(answer) for answer in answers] == [
        ("첫 질문", Pairing.CERTAIN), ("둘째 질문", Pairing.GUESSED), ("셋째 질문", Pairing.GUESSED), (None, None)
    ]  # fmt: skip


@played
async def test_our_own_commands_are_nobodys_prompt(here: Stage) -> None:
    here.server.post(here.group, 7, **command("/flag"))
    here.server.post(here.group, ROBOT, "혼잣말")
    *_, alone = await here.hear(2)
    assert pair(alone) == (None, None)


@played
async def test_a_mention_is_guessed_and_stays_with_its_edits(here: Stage) -> None:
    here.server.post(here.group, 7, **mention("chat_robot", "질문"))
    first = here.server.post(here.group, ROBOT, "생각 중")
    here.server.edit(first, text="다 썼다")
    _, answer, edited = await here.hear(3)
    assert pair(answer) == pair(edited) == ("질문", Pairing.GUESSED)


@played
async def test_two_who_ask_at_once_are_not_crossed(here: Stage) -> None:
    first = here.server.post(here.group, 7, **command("/ask 민지의 질문"))
    second = here.server.post(here.group, 8, **command("/ask 준호의 질문"))
    here.server.post(here.group, ROBOT, "누구에게 하는 답")
    here.server.post(here.group, ROBOT, "준호에게", reply_to_message=second)
    here.server.post(here.group, ROBOT, "민지에게", reply_to_message=first)
    *_, nobody, junho, minji = await here.hear(5)
    assert pair(nobody) == (None, Pairing.HIDDEN)
    assert (pair(junho), pair(minji)) == (("준호의 질문", Pairing.CERTAIN), ("민지의 질문", Pairing.CERTAIN))


@played
async def test_a_deleted_prompt_is_still_known(here: Stage) -> None:
    asked = here.server.post(here.group, 7, **command("/ask@Chat_Robot 지울 질문"))
    await here.hear(1)
    del here.group.messages[asked["message_id"]]  # Telegram tells nobody, and sends no reply_to_message any more
    here.server.post(here.group, ROBOT, "답")
    *_, answer = await here.hear(2)
    assert pair(answer) == ("지울 질문", Pairing.GUESSED)


@played
async def test_a_prompt_is_still_known_after_a_start(here: Stage) -> None:
    here.server.post(here.group, 7, "그냥 한 말")
    await here.hear(1)
    await here.server.until(lambda: not here.server.updates)
    await here.stop()
    here.chat = connect(here.server.url, here.desk, inbox=here.store.inbox)
    here.listen()
    here.server.post(here.group, ROBOT, "답", reply_to_message=here.group.messages[1] | {"text": ""})
    *_, answer = await here.hear(2)
    assert pair(answer) == ("그냥 한 말", Pairing.CERTAIN)


@played
async def test_an_answer_in_several_messages_is_one(here: Stage) -> None:
    asked = here.server.post(here.group, 7, "긴 질문")
    here.server.post(here.group, ROBOT, "가" * 1500, reply_to_message=asked)
    here.server.post(here.group, ROBOT, "나머지")
    *_, rest = await here.hear(3)
    assert pair(rest) == ("긴 질문", Pairing.CERTAIN)
    assert rest.lead == "가" * 1500 and rest.extra["items"] == "2,3", "both pieces are deleted together"


# ---- the whole product


class Product:
    """The whole application in a group, with the shipped rules."""

    def __init__(self, server: TelegramServer, folder: Path, **bots: Any) -> None:
        self.server, self.guard, self.group = server, Strict(), server.group(GROUP)
        self.room, self.owners = server.group(MODERATORS), server.group(OWNERS)
        self.config = Config.model_validate({"storage": {"url": sqlite_in(folder)}, "bots": bots})

    async def __aenter__(self) -> "Product":
        def connect(core: Core) -> Any:
            self.desk = core.desk
            return connected(self.server.url, TOKEN)(core)

        self._open = application(self.config, self.guard, connect, mode=Watch.LIVE)
        self.jikimi = await self._open.__aenter__()
        owner = {str(ROBOT["id"]): str(OWNERS)}
        await put_settings(
            self.desk,
            Community(platform=TELEGRAM, id=str(GROUP), moderators_channel=str(MODERATORS), bot_owners=owner),
        )
        self._work = asyncio.create_task(self.jikimi.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._work.cancel()
        with suppress(asyncio.CancelledError):
            await self._work
        (chat,) = self.jikimi.platforms
        assert isinstance(chat, TelegramChat)
        await chat.close()
        await self._open.__aexit__(None, None, None)

    async def incidents(self, count: int) -> list[Any]:
        while True:
            found = list(await self.jikimi.incidents.between(*EVER))
            if len(found) >= count and all(outcome for one in found for _, outcome in one.outcomes):
                return found
            await asyncio.sleep(0.02)

    def said(self, chat: Any) -> list[str]:
        return [message.get("text", "") for message in chat.messages.values()]


@pytest.mark.parametrize("admin", [False, True])
def test_a_harmful_answer_is_hidden_and_its_owner_told_and_nobody_punished(tmp_path: Path, admin: bool) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server, Product(server, tmp_path) as product:
            if admin:  # what a bot answers is looked at whatever it may do
                product.group.members[500] = member(ROBOT, "administrator", RIGHTS)
            asked = server.post(product.group, 7, "어떤 질문")
            server.post(product.group, ROBOT, "나쁜 답", reply_to_message=asked)
            (incident,) = await product.incidents(1)
            assert {action.kind for action, _ in incident.outcomes} == {"delete", "flag", "notice", "tell_owner"}
            assert all(isinstance(outcome, Done) for _, outcome in incident.outcomes)
            assert product.said(product.group) == ["어떤 질문", "🛡️ 챗봇의 유해한 답변을 가렸습니다"]
            (told,) = product.said(product.owners)
            assert "챗봇" in told and "나○ 답" in told and "어○ 질○" in told and "나쁜" not in told
            (card,) = product.said(product.room)
            assert "나○ 답" in card and "어○ 질○" in card and "나쁜" not in card
            assert not server.of("restrictChatMember", "banChatMember", "unbanChatMember")

    asyncio.run(scenario())


def test_on_a_guessed_link_alone_moderators_only_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server, Product(server, tmp_path) as product:
            server.post(product.group, 7, **command("/ask 질문"))
            server.post(product.group, ROBOT, "나쁜 답")
            (incident,) = await product.incidents(1)
            assert [action.kind for action, _ in incident.outcomes] == ["flag"]
            assert not server.of("deleteMessage", "deleteMessages")

    asyncio.run(scenario())


@pytest.mark.parametrize("edits", [1, 5, 50])
def test_c16_of_a_streamed_answer_the_last_text_is_judged(edits: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with TelegramServer() as server, Product(server, tmp_path, quiet="1s") as product:
            asked, began = server.post(product.group, 7, "질문"), server.now()
            written = server.post(product.group, ROBOT, "음", reply_to_message=asked)
            await server.until(lambda: product.guard.count == 2)
            for number in range(1, edits + 1):
                text = "나쁜 답" if number == edits else "음" + "." * number
                server.edit(written, text=text, at=began + number / 100)
            (incident,) = await product.incidents(1)
            message = incident.decision.message
            assert (message.text, message.kind, message.prompt) == ("나쁜 답", Kind.EDIT, "질문")
            while (await product.jikimi.inbox.tally(*EVER)).settled < edits + 2:
                await asyncio.sleep(0.02)
            about = [one.response for call in product.guard.asked for one in call if one.response]
            assert about == ["음", "나쁜 답"], "the others cost nothing"

    asyncio.run(scenario())


@played
async def test_admins_see_and_choose_which_bots_are_judged(here: Stage) -> None:
    async def answered(text: str) -> str:
        before = len(here.server.of("sendMessage"))
        here.server.post(here.group, 1, **command(text))
        await here.server.until(lambda: len(here.server.of("sendMessage")) > before)
        return str(here.server.of("sendMessage")[-1].arguments["text"])

    here.listen()
    assert "아직" in await answered("/bots")
    for number in range(6):
        here.server.post(here.group, ROBOT, f"🎵 0{number}:00")
    await here.hear(7)
    here.desk.bots_seen.note([settlement(one) for one in here.heard if one.author.bot])
    assert "1. ⚪" in await answered("/봇") and "챗봇" in await answered("/bots")
    assert "1. 🟢" in await answered("/bots on 1")
    assert here.desk.community(group_ref(GROUP)).bots == {"500": True}
    here.server.group(OWNERS, owner=99, title="개발자 방")
    for strangers in (OWNERS, 99_999):  # security 14: a group of somebody else's, and somebody else
        assert "본인" in await answered(f"/bots owner 1 {strangers}")
    assert here.desk.community(group_ref(GROUP)).bot_owners == {}
    assert "1" in await answered("/bots owner 1 me")
    assert here.desk.community(group_ref(GROUP)).bot_owners == {"500": "1"}
    here.server.admin(here.server.chats[OWNERS], 1)
    assert "개발자 방" in await answered(f"/bots owner 1 {OWNERS}")
    assert here.desk.policy(here.heard[1]).bot_owners == {} | {"500": str(OWNERS)}
    assert "/봇" in await answered("/bots of 1") and "9" in await answered("/bots on 9")
    assert "1. ⚪" in await answered("/bots off 1")
