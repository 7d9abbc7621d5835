"""What is called otherwise is told to moderators once, whoever starts and however often."""

import asyncio
from collections.abc import Collection

from bot.app.operations import changes
from bot.config import Config
from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.operations.alarm import Sentence
from bot.core.operations.news import News
from bot.core.text.catalogue import texts
from tests.builders import DISCORD, TELEGRAM
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.clock import ManualClock

Told = list[tuple[Platform, str]]


def changed(name: str) -> Sentence:
    return lambda _, say: f"{name} in {say.language}"


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


def test_who_has_set_a_bar_of_a_rule_that_became_several_is_told() -> None:
    community = Community(platform=DISCORD, id="c", thresholds={"abuse": 0.8, "slur": 0.6})
    said = changes(Config())
    assert list(said) == ["bars-by-kind"]
    told = said["bars-by-kind"](community, texts("ko"))
    assert "상처 주는 말" in told and "혐오 발언 의심" in told and "\n" not in told
    assert said["bars-by-kind"](Community(platform=DISCORD, id="c", thresholds={"slur": 0.6}), texts("ko")) == ""
    own = Config.model_validate({"rules": [{"name": "abuse", "when": {"edited": True}, "then": ["flag"]}]})
    assert changes(own)["bars-by-kind"](community, texts("ko")) == "", "the bar is that of their own rule"
    assert "likely-hate" in changes(own)["abuse"](community, texts("en"))
