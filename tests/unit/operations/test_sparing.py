"""Why a moderator's own message was left alone is told once, by one of several processes, and only where it is so."""

import asyncio
from dataclasses import replace

from bot.config import Config
from bot.core.chat.message import Author, Message
from bot.core.communities.community import Community
from bot.core.communities.policies import Policies
from bot.core.incidents.incident import Settlement
from bot.core.operations.alarm import Sentence
from bot.core.operations.sparing import Sparing
from bot.core.rules.decision import Decision
from bot.core.rules.lists import Lists
from bot.core.text.catalogue import texts
from tests.builders import NOW, home, message, put_settings, verdict
from tests.fakes.store import MemoryStore


def said(text: str, **who: object) -> Message:
    author = Author(id="1", roles=frozenset({"owner"}))
    return replace(message(text=text), author=replace(author, **who))  # type: ignore[arg-type]


#: What a member says is an incident or none; a bot tries nothing; what no rule finds needs no word.
UNTOLD = (
    said("대리게임 합니다", roles=frozenset()), said("대리게임 합니다", bot=True), said("안녕하세요"),
    replace(said("대리게임 합니다"), community_id="another"),
)  # fmt: skip


def decided(about: Message) -> Decision:
    return Decision(message=about, screening=verdict(0.01), policy_version="1")


def test_it_is_told_once_however_many_processes_saw_it_by_one_that_is_connected() -> None:
    async def scenario() -> None:
        store, told = MemoryStore(), list[str]()

        async def tell(community: Community, sentence: Sentence) -> None:
            told.append(sentence(community, texts("ko")))

        processes = list[tuple[Policies, Sparing]]()
        for connected in ((), (home().platform,), (home().platform,)):
            policies = Policies(store=store.communities, build=Config().policy_of, clock=store.clock)
            sparing = Sparing(policies=policies, tell=tell, clock=store.clock, platforms=connected, poll=0.01)
            processes.append((policies, sparing))
        (_, judges), *others = processes

        def pass_on(found: str) -> None:
            for _, other in others:
                other.heard(found)

        judges.pass_on = pass_on
        settings = Community(platform=home().platform, id=home().id, lists=Lists(forbidden_words=("대리게임",)))
        await put_settings(store.communities, settings)
        await put_settings(store.communities, replace(settings, moderators_channel="9"))
        work = []
        for policies, sparing in processes:
            await policies.load()
            sparing.settled([Settlement(decision=decided(one), decided_at=NOW) for one in UNTOLD])
            assert not sparing._found
            work.append(asyncio.create_task(sparing.run()))
        judges.settled([Settlement(decision=decided(said("대리게임 합니다")), decided_at=NOW)])
        while any(sparing._found for _, sparing in processes):
            await asyncio.sleep(0)
        for one in work:
            one.cancel()
        (line,) = told
        assert "쓰지 않기로 한 말" in line and "대리게임" not in line

    asyncio.run(scenario())
