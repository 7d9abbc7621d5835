"""What `jikimi selftest telegram` sees in a group that behaves as Telegram is said to; and nothing is read away."""

import asyncio

import pytest

from adapters.chat.telegram.outside.selftest import selftest
from bot.core.base.errors import Broken
from bot.core.operations.outside.selftest import Outcome, Tried
from bot.core.text.catalogue import texts
from tests.servers.telegram import TOKEN, TelegramServer, user


def played(server: TelegramServer, *, helps: bool = True) -> dict[str, Tried]:
    async def scenario() -> dict[str, Tried]:
        async with server:
            group = server.chats[-1001]
            server.post(group, 7, "오래된 소식")
            waits = set(server.updates)

            async def ask(what: str) -> str | None:
                if not helps:
                    return None
                if what == "T26":
                    old = server.post(group, 7, "그저께", date=server.now() - 49 * 3600)
                    return str(old["message_id"])
                bot = {**user(99, "다른봇"), "is_bot": True}
                if what == "C16":
                    said = next(one for one in reversed([*group.messages.values()]) if one["from"]["id"] == 99)
                    server.edit(said, text="고쳤어요")
                else:
                    server.post(group, bot if what == "T58" else 7, "안녕")
                return ""

            walk = selftest(TOKEN, "-1001", ask, texts("en"), api_url=server.url, hears=1.0)
            tried = {one.fact: one async for one in walk}
            assert waits <= set(server.updates), "what waits for others goes on waiting"
            return tried

    return asyncio.run(scenario())


@pytest.fixture
def server() -> TelegramServer:
    server = TelegramServer()
    server.group(-1001)
    return server


def test_every_fact_is_tried(server: TelegramServer) -> None:
    tried = played(server)
    assert set(tried) == {"T26", "T50", "T55", "T56", "T57", "T58", "T60", "C11", "C16"}
    assert tried["T26"].seen == {"status": 400} and tried["T26"].outcome is Outcome.AS_WRITTEN
    assert tried["T50"].seen["deleted"] == 15 and not tried["T50"].seen["refused"]
    assert tried["T58"].seen["heard"] is tried["C16"].seen["heard"] is True
    assert tried["C11"].outcome is Outcome.OTHERWISE, "that bot has answered nothing"
    assert tried["T60"].outcome is Outcome.OTHERWISE, "the test's server tells everything at once"
    assert not server.defects


def test_where_nobody_helps_the_rest_is_tried_all_the_same(server: TelegramServer) -> None:
    tried = played(server, helps=False)
    assert {fact for fact, one in tried.items() if one.outcome is not Outcome.NOT_TRIED} == {"T50"}


def test_without_the_rights_nothing_is_tried(server: TelegramServer) -> None:
    server.set_member(server.chats[-1001], 42, "member")
    with pytest.raises(Broken, match="no admin"):
        played(server)
