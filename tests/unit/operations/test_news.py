"""What is called otherwise is told to moderators once, whoever starts and however often."""

import asyncio
from collections.abc import Callable, Collection

from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.operations.alarm import Sentence
from bot.core.operations.news import News
from bot.core.text.catalogue import Texts, texts
from tests.builders import DISCORD, TELEGRAM
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.clock import ManualClock

Told = list[tuple[Platform, str]]


def changed(name: str) -> Callable[[Texts], str]:
    return lambda say: f"{name} in {say.language}"


def test_each_change_is_told_once_on_each_platform() -> None:
    bookmarks, told = MemoryBookmarks(), Told()

    async def tell(sentence: Sentence, among: Collection[Platform]) -> None:
        told.extend((one, sentence(Community(platform=one, id="c"), texts("en"))) for one in among)

    def start(platforms: Collection[Platform], *names: str) -> Told:
        told.clear()
        changes = {name: changed(name) for name in names}
        news = News(changes=changes, platforms=platforms, tell=tell, bookmarks=bookmarks, clock=ManualClock())
        asyncio.run(news.run())
        return told

    head = texts("en")["alarm.renamed"]
    discord, telegram = DISCORD, TELEGRAM
    assert start([discord]) == []
    assert start([discord], "a.b") == [(discord, f"{head}\na.b in en")]
    assert start([discord, telegram], "a.b") == [(telegram, f"{head}\na.b in en")]
    assert start([discord, telegram], "a.b") == []
    assert start([discord], "a.b", "a.c") == [(discord, f"{head}\na.c in en")]
