"""A community's own words over the whole application: they act on its next message, there alone, on every network."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.chat.discord.manner import ChoiceManner
from bot.config import Config, policy_file
from bot.core.chat.message import CommunityRef, Message
from bot.core.chat.rights import Right
from bot.core.communities.policies import Policies
from bot.core.moderators.answer import Lines, Member
from bot.core.moderators.command import Asked, Command
from bot.core.moderators.commands.lists import Allow, Forbid, ShowLists, Unlist
from bot.core.operations.retention import Limits
from bot.core.rules.actions import Delete, Flag, Warn
from bot.core.rules.decision import Decision, decide
from bot.core.rules.lists import MOST
from bot.core.rules.policy import Policy
from bot.core.text.catalogue import texts_on
from bot.wording.answered import lines
from tests.adapters.discord.cafe import cafe
from tests.adapters.discord.moderators.test_commands import choices, told
from tests.adapters.discord.test_flow import At, at_work
from tests.adapters.telegram.test_flow import GROUP, MODERATORS, running, set_up, url_in
from tests.builders import NOW, REHEARSAL, message, verdict
from tests.fakes.store import MemoryStore
from tests.servers.telegram import TelegramServer
from tests.servers.waiting import until

HERE, THERE = CommunityRef(REHEARSAL, "here"), CommunityRef(REHEARSAL, "there")


class Desk:
    """As much of one as these commands ask."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        config = Config.model_validate({"defaults": {"mode": "live"}})
        self.policies = Policies(store=self.store.communities, build=config.policy_of, clock=self.store.clock)
        self.community, self.change = self.policies.community, self.policies.change
        self.versions, self.policy_files = self.store.communities.versions, policy_file
        self.reads_house_rules, self.anomalies = False, 0
        self.privacy = SimpleNamespace(limits=Limits())
        self.schedule = lambda of: config.schedule_of(self.community(of))

    def policy(self, message: Message) -> Policy:
        return self.policies.of(message)

    def decided(self, text: str, community: CommunityRef = HERE, **more: Any) -> Decision:
        said = replace(message(text=text), community_id=community.id, **more)
        return decide(said, verdict(0.01), self.policies.of(said), at=said.sent_at)

    def asked(self, by: str = "하늘") -> Asked:
        rights = frozenset({Right.MANAGE, Right.REVIEW})
        return Asked(
            community=HERE, community_name="", by=Member("1", by), rights=rights, at=NOW, sent_at=NOW, channel_id="0",
            is_apart=True, host=None,  # type: ignore[arg-type]
        )  # fmt: skip

    async def says(self, command: Command, by: str = "하늘") -> str:
        answer = await command.run(self.asked(by), self)  # type: ignore[arg-type]
        assert isinstance(answer, Lines)
        return lines(answer, ChoiceManner(texts_on("discord", "ko"), "UTC", NOW, None))


def test_what_is_forbidden_goes_from_the_next_message_on_and_there_alone() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert desk.decided("토토가 최고").rule is None
        assert "토토" in await desk.says(Forbid("토토, 대리 게임\n토토"))
        assert desk.decided("토토가 최고").actions == (Delete(), Warn(), Flag())
        assert desk.decided("대리게임 해요").rule == "forbidden-words"
        assert desk.decided("토토리 인형").rule is None
        assert desk.decided("토토가 최고", THERE).rule is None
        assert await desk.says(Unlist("토토")) == "목록에서 뺐습니다: 토토"
        assert await desk.says(Unlist("토토")) == "목록에 없습니다: 토토"
        assert desk.decided("토토가 최고").rule is None
        assert desk.decided("대리게임 해요").rule == "forbidden-words"

    asyncio.run(scenario())


def test_links_go_by_the_same_commands_and_the_more_precise_entry_wins() -> None:
    async def scenario() -> None:
        desk = Desk()
        told = await desk.says(Forbid("https://www.Example.com/, discord.gg"))
        assert "example.com, discord.gg" in told
        assert desk.decided("여기 봐요 blog.example.com/x").rule == "forbidden-links"
        assert desk.decided("들어와요 discord.com/invite/abc").rule == "forbidden-links"
        await desk.says(Allow("discord.gg/ours, naver.com"))
        assert desk.decided("들어와요 discord.gg/ours").rule != "forbidden-links"
        assert desk.decided("들어와요 discord.gg/other").rule == "forbidden-links"
        await desk.says(Forbid("naver.com/bad"))
        assert desk.decided("naver.com/bad/1 보세요").rule == "forbidden-links"
        assert desk.decided("naver.com/good 보세요").rule is None
        assert await desk.says(Unlist("EXAMPLE.com")) == "목록에서 뺐습니다: example.com"
        assert len((await desk.says(Forbid("example.com/" + "x" * 200))).splitlines()) == 1

    asyncio.run(scenario())


def test_no_rule_finds_anything_in_an_allowed_word() -> None:
    """Not even one of the presets; beside it everything is found as before."""

    async def scenario() -> None:
        desk = Desk()
        assert desk.decided("니애미 서버 점검").rule == "slur-alone"
        await desk.says(Allow("니애미 서버"))
        await desk.says(Forbid("서버"))
        assert desk.decided("니애미 서버 점검").rule is None
        assert {"slur-alone", "forbidden-words"} <= {
            one.rule for one in desk.decided("니애미 서버에서 니애미 그 서버").findings if one.matched
        }

    asyncio.run(scenario())


def test_who_forbids_what_was_allowed_takes_it_off_the_other_list() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.says(Allow("토토"))
        await desk.says(Forbid("토토"))
        lists = desk.community(HERE).lists
        assert (lists.forbidden_words, lists.allowed_words) == (("토토",), ())

    asyncio.run(scenario())


def test_two_at_once_lose_nothing_and_the_second_is_told() -> None:
    async def scenario() -> None:
        desk = Desk()
        one, two = await asyncio.gather(desk.says(Forbid("토토, 하나"), "하늘"), desk.says(Forbid("토토, 둘"), "민재"))
        assert sorted(desk.community(HERE).lists.forbidden_words) == ["둘", "토토", "하나"]
        assert ("이미 목록에 있습니다: 토토" in one) != ("이미 목록에 있습니다: 토토" in two)
        made = await desk.store.journal.amendments(HERE, NOW - timedelta(days=1), NOW + timedelta(days=1))
        assert {(entry.by, entry.setting, entry.before, entry.after) for entry in made} in (
            {("하늘", "forbidden_words", "", "토토, 하나"), ("민재", "forbidden_words", "", "둘")},
            {("민재", "forbidden_words", "", "토토, 둘"), ("하늘", "forbidden_words", "", "하나")},
        )

    asyncio.run(scenario())


def test_ten_thousand_words_are_as_many_as_fit_and_it_is_said_in_few_words() -> None:
    async def scenario() -> None:
        desk = Desk()
        told = await desk.says(Forbid(", ".join(f"낱말{number}" for number in range(10_000))))
        assert len(desk.community(HERE).lists.forbidden_words) == MOST
        assert "5000개" in told and len(told) < 2_000
        assert len(await desk.says(ShowLists())) < 2_000
        assert desk.decided("낱말77 이요").rule == "forbidden-words"
        assert desk.decided("낱말9999").rule is None

    asyncio.run(scenario())


@pytest.mark.parametrize("hostile", ["*", "가*", "(a+)+$", "%s{0}", "시*발", "𒐫" * 41, "/(.*)*x/"])
def test_bad_input_is_one_clear_sentence_and_no_pattern_is_one(hostile: str) -> None:
    async def scenario() -> None:
        desk = Desk()
        told = await desk.says(Forbid(hostile))
        assert len(told.splitlines()) == 1
        kept = desk.community(HERE).lists.forbidden_words
        assert ("넣지 않았습니다" in told) is (kept == ())
        assert desk.decided("아무 말이나 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!").rule is None

    asyncio.run(scenario())


def theirs(at: At) -> list[str]:
    """What the member has said, as far as it is still there."""
    said = at.place.wire.backend.messages[at.place.general].values()
    return [one.content for one in said if one.author_id == at.place.minji]


def test_on_discord_it_acts_on_the_next_message(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cafe() as place, at_work(place, tmp_path) as at:
            record = place.wire.command(place.owner, place.general, "jikimi forbid", words="토토")
            assert "토토" in await told(place, record)
            place.write("토 토 하실 분")
            place.write("토토리 인형")
            await until(lambda: theirs(at) == ["토토리 인형"] and at.cards())
            assert [one["value"] for one in await choices(place, "jikimi unlist", "entry", "토")] == ["토토"]
            record = place.wire.command(place.owner, place.general, "jikimi unlist", entry="토토")
            assert "토토" in await told(place, record)
            place.write("토토 이제 됨")
            await until(lambda: "토토 이제 됨" in theirs(at))
            (incident,) = await at.settled(1)
            assert incident.decision.rule == "forbidden-words"

    asyncio.run(scenario())


def test_on_telegram_it_acts_on_the_next_message(tmp_path: Path) -> None:
    async def scenario() -> None:
        await set_up(url_in(tmp_path))
        async with TelegramServer() as server:
            group, room, other = server.group(GROUP), server.group(MODERATORS), server.group(-1003)
            async with running(url_in(tmp_path), server.url):
                server.post(room, 1, "/금지 초성 토토, 대리 게임")
                await server.until(lambda: any("ㅌㅌ" in m.get("text", "") for m in room.messages.values()))
                server.post(group, 666, "/forbid 안녕")  # a plain member
                elsewhere = server.post(other, 7, "토토가 최고")
                bad = [server.post(group, 7, text) for text in ("토토가 최고", "ㅌㅌ ㄱㄱ", "대리게임 팝니다")]
                fine = [server.post(group, 7, text) for text in ("토토리 인형", "안녕")]
                await server.until(lambda: not any(one["message_id"] in group.messages for one in bad))
                assert all(one["message_id"] in group.messages for one in fine)
                assert elsewhere["message_id"] in other.messages

    asyncio.run(scenario())
