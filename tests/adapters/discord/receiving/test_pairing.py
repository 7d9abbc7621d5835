"""Which prompt a bot's answer on Discord belongs to, and how sure that is: over TCP, in every way that there is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from simcord.enums import MessageType

from adapters.chat.discord.connection import DiscordChat
from adapters.chat.discord.refs import guild_ref
from bot.app.application import application
from bot.app.parts import Core
from bot.config import Config
from bot.core.answers.bot import Bot
from bot.core.chat.message import Kind, Message, Pairing
from bot.core.communities.community import Community
from bot.core.guarding.verdict import Exchange, Screening, Task, Verdict
from bot.core.incidents.incident import Incident
from bot.core.moderation.screening import exchange_of
from bot.core.rules.actions import Delete, Done
from bot.core.rules.policy import Policy, Watch
from tests.adapters.discord.cafe import Cafe, Heard, cafe, listening
from tests.adapters.discord.test_flow import EVER
from tests.builders import NOW, message, put_settings
from tests.fakes.guarding import ScriptedGuard
from tests.fakes.store import MemoryStore
from tests.servers.databases import sqlite_in
from tests.servers.waiting import until

Scenario = Callable[[Cafe, Heard, int], Awaitable[None]]


def played(scenario: Scenario) -> Callable[[], None]:
    """A test over a place, what a connected chat hears, and an LLM bot."""

    def test() -> None:
        async def run() -> None:
            async with cafe() as place, listening(place) as heard:
                await scenario(place, heard, place.join("챗봇", bot=True))

        asyncio.run(run())

    test.__name__ = scenario.__name__
    return test


def metadata(place: Cafe, **more: Any) -> dict[str, Any]:
    user = {"id": str(place.minji), "username": "민지", "discriminator": "0", "avatar": None}
    return {"id": "1", "type": 2, "user": user, "authorizing_integration_owners": {}, **more}


def reply_to(place: Cafe, asked: Any) -> dict[str, Any]:
    return {"type": 0, "message_id": str(asked.id), "channel_id": str(place.general)}


def pair(answer: Message) -> tuple[str | None, Pairing | None]:
    return answer.prompt, answer.pairing


@played
async def test_c1_a_reply_is_certain(place: Cafe, heard: Heard, bot: int) -> None:
    asked = place.write(f"<@{bot}> 질문")
    place.write("답", by=bot, reference=reply_to(place, asked))
    _, answer = await heard.until(2)
    assert pair(answer) == ("질문", Pairing.CERTAIN), "the prompt is what was asked, without who was asked"


def test_c1_what_discord_does_not_send_along_is_fetched() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            bot, asked = place.join("챗봇", bot=True), place.write("지난 질문")
            stored = place.wire.backend.messages[place.general]
            async with listening(place) as heard:
                hidden = stored.pop(asked.id)  # so that the event comes without it
                place.write("답", by=bot, reference=reply_to(place, asked))
                stored[asked.id] = hidden
                (answer,) = await heard.until()
                assert pair(answer) == ("지난 질문", Pairing.CERTAIN)
                assert place.wire.made("GET", f"/messages/{asked.id}")

    asyncio.run(scenario())


@played
async def test_c1_a_deleted_prompt_is_still_known(place: Cafe, heard: Heard, bot: int) -> None:
    asked = place.write("지울 질문")
    await heard.until()
    place.wire.backend.delete_message(place.general, asked.id)
    place.write("답", by=bot, reference=reply_to(place, asked))
    *_, answer = await heard.until(3)
    assert pair(answer) == ("지울 질문", Pairing.CERTAIN)
    assert not place.wire.made("GET", f"/messages/{asked.id}")


def test_c1_a_deleted_prompt_is_still_known_after_a_start() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with cafe() as place:
            bot, asked = place.join("챗봇", bot=True), place.write("지울 질문")
            async with listening(place) as heard:
                place.write("지울 질문 둘")
                (kept,) = await heard.until()
                await store.inbox.keep([kept])
            place.wire.backend.delete_message(place.general, asked.id)
            place.wire.backend.delete_message(place.general, int(kept.ref.message_id))
            async with listening(place, place.chat(inbox=store.inbox)) as heard:
                for one in (int(kept.ref.message_id), asked.id):
                    reference = {"type": 0, "message_id": str(one), "channel_id": str(place.general)}
                    place.write("답", by=bot, reference=reference)
                await until(lambda: len({one.ref for one in heard.messages if one.author.bot}) == 2)
                found = {pair(one) for one in heard.messages if one.author.bot}
                assert found == {("지울 질문 둘", Pairing.CERTAIN), (None, Pairing.HIDDEN)}

    asyncio.run(scenario())


@played
async def test_c2_the_prompt_of_a_slash_command_is_hidden(place: Cafe, heard: Heard, bot: int) -> None:
    place.write(f"<@{bot}> 딴 사람의 질문", by=place.dal)
    place.write("답", by=bot, message_type=MessageType.CHAT_INPUT_COMMAND, interaction_metadata=metadata(place))
    _, answer = await heard.until(2)
    assert pair(answer) == (None, Pairing.HIDDEN) and answer.extra["asked_by"] == str(place.minji)


@played
async def test_c3_a_context_menu_asks_about_its_target(place: Cafe, heard: Heard, bot: int) -> None:
    target = place.write("번역할 글", by=place.dal)
    menu = metadata(place, target_message_id=str(target.id))
    place.write("답", by=bot, message_type=MessageType.CONTEXT_MENU_COMMAND, interaction_metadata=menu)
    _, answer = await heard.until(2)
    assert pair(answer) == ("번역할 글", Pairing.CERTAIN)


@played
async def test_c4_follow_ups_and_buttons_go_back_to_the_prompt(place: Cafe, heard: Heard, bot: int) -> None:
    asked = place.write("질문")
    first = place.write("답 하나", by=bot, reference=reply_to(place, asked))
    pressed = metadata(place, type=3, interacted_message_id=str(first.id))
    again = place.write("답 둘", by=bot, interaction_metadata=pressed)
    sent = metadata(place, type=5, triggering_interaction_metadata=metadata(place, interacted_message_id=str(again.id)))
    place.write("답 셋", by=bot, interaction_metadata=sent)
    _, *answers = await heard.until(4)
    assert [pair(answer) for answer in answers] == [("질문", Pairing.CERTAIN)] * 3


def test_c4_an_earlier_answer_that_nobody_remembers_is_fetched() -> None:
    async def scenario() -> None:
        async with cafe() as place:
            bot, asked = place.join("챗봇", bot=True), place.write("지난 질문")
            first = place.write("답 하나", by=bot, reference=reply_to(place, asked))
            async with listening(place) as heard:
                pressed = metadata(place, type=3, interacted_message_id=str(first.id))
                place.write("답 둘", by=bot, interaction_metadata=pressed)
                (answer,) = await heard.until()
                assert pair(answer) == ("지난 질문", Pairing.CERTAIN)

    asyncio.run(scenario())


@played
async def test_c5_the_turns_of_a_thread(place: Cafe, heard: Heard, bot: int) -> None:
    thread = place.wire.backend.create_thread(place.general, "챗봇과 이야기", bot).id
    for text in ("첫 말", "둘째 말"):
        place.write(text, channel=thread)
    place.write("답", by=bot, channel=thread)
    place.write("나도", by=place.dal, channel=thread)
    place.write("나는", channel=thread)
    place.write("답", by=bot, channel=thread)
    await until(lambda: len([one for one in heard.messages if one.text == "답"]) == 2)
    first, second = [one for one in heard.messages if one.text == "답"]
    assert pair(first) == ("첫 말\n둘째 말", Pairing.CERTAIN)
    assert pair(second) == ("나도\n나는", Pairing.GUESSED)


@played
async def test_c6_a_mention_is_guessed_and_stays_with_its_edits(place: Cafe, heard: Heard, bot: int) -> None:
    place.write(f"<@{bot}> 질문")
    written = place.write("생각 중", by=bot)
    place.wire.backend.edit_message(place.general, written.id, {"content": "다 썼다"})
    _, first, edited = await heard.until(3)
    assert pair(first) == pair(edited) == ("질문", Pairing.GUESSED)


@played
async def test_two_who_ask_at_once_are_not_crossed(place: Cafe, heard: Heard, bot: int) -> None:
    place.write(f"<@{bot}> 민지의 질문")
    place.write(f"<@{bot}> 달의 질문", by=place.dal)
    place.write("누구에게 하는 답", by=bot)
    place.write(f"<@{place.dal}> 님, 답", by=bot)
    place.write(f"<@{place.minji}> 님, 답", by=bot)
    *_, nobody, dal, minji = await heard.until(5)
    assert pair(nobody) == (None, Pairing.HIDDEN)
    assert pair(dal) == ("달의 질문", Pairing.GUESSED) and pair(minji) == ("민지의 질문", Pairing.GUESSED)


@played
async def test_two_who_ask_at_once_and_are_replied_to(place: Cafe, heard: Heard, bot: int) -> None:
    first, second = place.write("민지의 질문"), place.write("달의 질문", by=place.dal)
    place.write("둘째 답", by=bot, reference=reply_to(place, second))
    place.write("첫째 답", by=bot, reference=reply_to(place, first))
    *_, one, other = await heard.until(4)
    assert (pair(one), pair(other)) == (("달의 질문", Pairing.CERTAIN), ("민지의 질문", Pairing.CERTAIN))


@played
async def test_c8_an_answer_in_several_messages_is_one(place: Cafe, heard: Heard, bot: int) -> None:
    asked = place.write("긴 질문")
    first = place.write("가" * 1500, by=bot, reference=reply_to(place, asked))
    place.write("나머지", by=bot)
    *_, rest = await heard.until(3)
    assert pair(rest) == ("긴 질문", Pairing.CERTAIN) and rest.lead == "가" * 1500
    await heard.chat.perform(place.planned(Delete(), rest))
    left = place.wire.backend.messages[place.general]
    assert first.id not in left and int(rest.ref.message_id) not in left and asked.id in left


@played
async def test_c9_webhooks_of_applications_are_bots(place: Cafe, heard: Heard, bot: int) -> None:
    asked = place.write("질문")
    place.wire.applications[777] = 42
    place.write("답", webhook_id=777, author_name="창구", reference=reply_to(place, asked))
    _, answer = await heard.until(2)
    assert answer.author.bot and pair(answer) == ("질문", Pairing.CERTAIN)


@played
async def test_an_ordinary_bot_answers_nobody(place: Cafe, heard: Heard, bot: int) -> None:
    place.write("아무 말")
    place.write("지금 나오는 노래", by=bot)
    _, song = await heard.until(2)
    assert pair(song) == (None, None)


# ---- the whole product


class Strict(ScriptedGuard):
    """A response that holds 나쁜 is harmful, and one that holds 거절 is a refusal; so much for prompts, too."""

    tasks = frozenset(Task)

    def _answer(self, exchange: Exchange) -> Screening:
        prompt, response = exchange.prompt, exchange.response
        scores = {} if prompt is None else {Task.PROMPT_HARM: 0.99 if "나쁜" in prompt else 0.01}
        if response is not None:
            scores |= {
                Task.RESPONSE_HARM: 0.99 if "나쁜" in response else 0.01,
                Task.RESPONSE_REFUSAL: 0.99 if "거절" in response else 0.01,
            }
        return Verdict.of_scores(scores, guard=self.version)


class Product:
    """The whole application in a place, with the shipped rules."""

    def __init__(self, place: Cafe, folder: Path, **bots: Any) -> None:
        self.place, self.guard = place, Strict()
        self.config = Config.model_validate(
            {"storage": {"url": sqlite_in(folder)}, "defaults": {"mode": "live"}, "bots": bots}
        )
        self.desk: Any = None

    async def __aenter__(self) -> "Product":
        def connect(core: Core) -> list[DiscordChat]:
            self.desk = core.desk
            return self.place.connect(core)

        self._open = application(self.config, self.guard, connect)
        self.jikimi = await self._open.__aenter__()
        await self.change(moderators_channel=str(self.place.mods), mode=Watch.LIVE)
        self._work = asyncio.create_task(self.jikimi.run())
        (chat,) = self.jikimi.platforms
        assert isinstance(chat, DiscordChat)
        await until(lambda: self._work.done() or chat.client.is_ready())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self._open.__aexit__(None, None, None)

    async def change(self, **settings: Any) -> None:
        before: Community = self.desk.community(guild_ref(self.place.guild))
        await put_settings(self.desk, replace(before, **settings))

    async def incidents(self, count: int) -> list[Incident]:
        """So many, when all that was planned for them is done."""
        while True:
            found = list(await self.jikimi.incidents.between(*EVER))
            if len(found) >= count and all(outcome for one in found for _, outcome in one.outcomes):
                return found
            await asyncio.sleep(0.02)

    async def settled(self, count: int) -> None:
        while (await self.jikimi.inbox.tally(*EVER)).settled < count:
            await asyncio.sleep(0.02)

    def said_in(self, channel: int) -> list[str]:
        return [one.content for one in self.place.wire.backend.messages[channel].values()]


def test_a_harmful_answer_is_hidden_and_its_owner_told_and_nobody_punished(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, Product(place, tmp_path) as product:
            bot = place.join("챗봇", bot=True)
            owners = place.wire.backend.create_channel(place.guild, "봇 주인").id
            await product.change(bot_owners={str(bot): str(owners)})
            asked = place.write("어떤 질문")
            place.write("나쁜 답", by=bot, reference=reply_to(place, asked))
            (incident,) = await product.incidents(1)
            assert {action.kind for action, _ in incident.outcomes} == {"delete", "flag", "notice", "tell_owner"}
            assert all(isinstance(outcome, Done) for _, outcome in incident.outcomes)
            assert product.said_in(place.general) == ["어떤 질문", "🛡️ 챗봇의 유해한 답변을 가렸습니다"]
            (told,) = product.said_in(owners)
            assert "챗봇" in told and "나○ 답" in told and "어○ 질○" in told and "나쁜" not in told
            backend = place.wire.backend
            await until(lambda: backend.messages[place.mods])
            (card,) = backend.messages[place.mods].values()
            fields = {field["name"]: field["value"] for field in card.embeds[0]["fields"]}
            assert fields["질문"] == "어○ 질○" and card.embeds[0]["description"] == "나○ 답"
            assert not backend.guilds[place.guild].bans and not place.wire.made("PATCH", "/members/")

    asyncio.run(scenario())


def test_on_a_guessed_link_alone_moderators_only_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, Product(place, tmp_path) as product:
            bot = place.join("챗봇", bot=True)
            place.write(f"<@{bot}> 질문")
            place.write("나쁜 답", by=bot)
            (incident,) = await product.incidents(1)
            assert [action.kind for action, _ in incident.outcomes] == ["flag"]
            assert "guessed_pair" in [why.code for why in incident.decision.restraints]
            assert "나쁜 답" in product.said_in(place.general)

    asyncio.run(scenario())


def test_a_bot_that_refuses_well_is_left_alone_and_one_that_answers_is_looked_at(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, Product(place, tmp_path) as product:
            bot = place.join("챗봇", bot=True)
            asked = place.write("나쁜 질문", by=place.dal)  # staff: the person's own message is no incident
            place.write("거절합니다", by=bot, reference=reply_to(place, asked))
            place.write("그건 이렇게", by=bot, reference=reply_to(place, asked))
            (incident,) = await product.incidents(1)
            assert incident.decision.message.text == "그건 이렇게" and incident.decision.rule == "answered-harm"
            assert [action.kind for action, _ in incident.outcomes] == ["flag"]

    asyncio.run(scenario())


def test_a_bot_that_goes_on_is_raised_and_then_silenced_in_that_channel(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place:
            bot = place.join("챗봇", bot=True)
            async with Product(place, tmp_path) as product:
                for number in (1, 2):
                    place.write(f"나쁜 답 {number}", by=bot, interaction_metadata=metadata(place))
                    await product.incidents(number)
            async with Product(place, tmp_path) as product:  # nothing is forgotten meanwhile
                await goes_on(place, product, bot)

    async def goes_on(place: Cafe, product: Product, bot: int) -> None:
        other = place.wire.backend.create_channel(place.guild, "다른 곳").id
        for number in (3, 4, 5):
            place.write(f"나쁜 답 {number}", by=bot, interaction_metadata=metadata(place))
            await product.incidents(number)
        kinds = [{action.kind for action, _ in one.outcomes} for one in await product.incidents(5)]
        assert ["escalate" in kind for kind in kinds] == [False, False, False, True, True]
        place.write("이번에는 좋은 답", by=bot)
        place.write("다른 곳에서 좋은 답", by=bot, channel=other)
        silenced = (await product.incidents(6))[-1]
        assert silenced.decision.rule == "silenced-bot"
        assert product.said_in(other) == ["다른 곳에서 좋은 답"]

    asyncio.run(scenario())


@pytest.mark.parametrize("edits", [1, 5, 50])
def test_c7_of_a_streamed_answer_the_last_text_is_judged(edits: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, Product(place, tmp_path, quiet="1s") as product:
            bot, asked = place.join("챗봇", bot=True), place.write("질문")
            written = place.write("음", by=bot, reference=reply_to(place, asked))
            for number in range(1, edits + 1):
                place.wire.clock.advance(0.05)  # Discord's edits are told apart by their milliseconds
                text = "나쁜 답" if number == edits else "음" + "." * number
                place.wire.backend.edit_message(place.general, written.id, {"content": text})
            (incident,) = await product.incidents(1)
            message = incident.decision.message
            assert (message.text, message.kind, message.prompt) == ("나쁜 답", Kind.EDIT, "질문")
            await product.settled(edits + 2)
            asked_about = [one.response for call in product.guard.asked for one in call if one.response]
            assert asked_about == ["음", "나쁜 답"], "the others cost nothing"

    asyncio.run(scenario())


def test_c7_a_long_answer_is_looked_at_before_it_is_complete(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, Product(place, tmp_path, quiet="60s", longest="60s") as product:
            bot, asked = place.join("챗봇", bot=True), place.write("질문")
            written = place.write("음", by=bot, reference=reply_to(place, asked))
            place.wire.clock.advance(0.05)
            place.wire.backend.edit_message(place.general, written.id, {"content": "나쁜 답 " + "가" * 500})
            (incident,) = await product.incidents(1)
            assert incident.decision.message.text.startswith("나쁜 답")

    asyncio.run(scenario())


def test_bots_are_found_listed_and_switched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place:
            talker, music = place.join("챗봇", bot=True), place.join("음악봇", bot=True)
            prose = (
                "그 질문에는 이렇게 답할 수 있습니다. 먼저 차근차근 살펴보고 나서 천천히 정리해 보시는 것이 좋겠습니다."
            )
            async with Product(place, tmp_path) as product:
                await in_use(place, product, talker, music, prose)
            async with Product(place, tmp_path) as product:
                known = product.desk.bots(guild_ref(place.guild))
                assert {bot.id for bot, _ in known} == {str(talker), str(music)}, "after a start"

    async def in_use(place: Cafe, product: Product, talker: int, music: int, prose: str) -> None:
        asked = place.write("질문")
        for number in range(6):
            place.write(f"{prose} {number}", by=talker, reference=reply_to(place, asked))
            place.write(f"🎵 {number:02}:00", by=music)
        told = partial(product.desk.bots, guild_ref(place.guild))  # a moment after what was heard is on record
        await until(lambda: sum(bot.messages for bot, _ in told()) == 12)
        assert {bot.id: on for bot, on in told()} == {str(talker): True, str(music): False}
        place.write("나쁜 답", by=music, reference=reply_to(place, asked))
        await product.settled(14)
        assert not await product.incidents(0)
        await product.change(bots={str(music): True, str(talker): False})
        place.write("나쁜 답", by=music, reference=reply_to(place, asked))
        place.write("나쁜 답", by=talker, reference=reply_to(place, asked))
        await product.settled(16)
        (incident,) = await product.incidents(1)
        assert incident.decision.message.author.id == str(music)

    asyncio.run(scenario())


def test_other_bots_are_judged_like_people_where_that_is_wanted() -> None:
    song = replace(message(text="나쁜 노래"), author=replace(message().author, bot=True), sent_at=NOW)
    music = Bot(id="minji", messages=9)
    assert exchange_of(song, Policy(rules=()), music) is None
    assert exchange_of(song, Policy(rules=(), judge_other_bots=True), music) == Exchange(
        prompt="나쁜 노래", is_chat=True
    )
    assert exchange_of(song, Policy(rules=(), bots={"minji": True}), music) == Exchange(
        prompt=None, response="나쁜 노래"
    )
