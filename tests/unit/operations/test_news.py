"""What is otherwise is told to moderators once, whoever starts and however often."""

import asyncio
from collections.abc import Collection

from bot.app.guards import FORMER
from bot.app.operations import changes
from bot.config import Config
from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.guarding.verdict import GuardVersion
from bot.core.operations.alarm import Sentence
from bot.core.operations.news import News
from bot.core.text.catalogue import LANGUAGES, texts
from tests.builders import DISCORD, TELEGRAM
from tests.fakes.chat import MemoryBookmarks
from tests.fakes.clock import ManualClock

Told = list[tuple[Platform, str]]
MODEL = GuardVersion(name="wildguard-ko", model="1")


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
        asyncio.run(news.look())
        return told

    head = texts("en")["alarm.news"]
    discord, telegram = DISCORD, TELEGRAM
    assert start([discord]) == []
    assert start([discord], "a.b") == [(discord, f"{head}\na.b in en")]
    assert start([discord, telegram], "a.b") == [(telegram, f"{head}\na.b in en")]
    assert start([discord, telegram], "a.b") == []
    assert start([discord], "a.b", "a.c") == [(discord, f"{head}\na.c in en")]


def test_who_has_set_a_bar_of_a_rule_that_became_several_is_told() -> None:
    community = Community(platform=DISCORD, id="c", thresholds={"abuse": 0.8, "slur": 0.6})
    said = changes(Config(), MODEL)
    assert list(said) == ["bars-by-kind"]
    told = said["bars-by-kind"](community, texts("ko"))
    assert "욕설·공격적 표현" in told and "혐오 발언 의심" in told and "\n" not in told
    assert said["bars-by-kind"](Community(platform=DISCORD, id="c", thresholds={"slur": 0.6}), texts("ko")) == ""
    own = Config.model_validate({"rules": [{"name": "abuse", "when": {"edited": True}, "then": ["flag"]}]})
    assert changes(own, MODEL)["bars-by-kind"](community, texts("ko")) == "", "the bar is that of their own rule"
    assert "likely-hate" in changes(own, MODEL)["abuse"](community, texts("en"))


def test_the_new_embedded_guard_is_told_of_unless_the_one_before_is_pinned() -> None:
    community, new = Community(platform=DISCORD, id="c"), GuardVersion(name="embedded", model="new")
    for language in LANGUAGES:
        assert FORMER in changes(Config(), new)["guard-of-kinds"](community, texts(language))
    pinned = Config.model_validate({"guard": {"revision": FORMER}})
    assert "guard-of-kinds" not in changes(pinned, GuardVersion(name="embedded", model=FORMER))
    assert "guard-of-kinds" not in changes(Config(), MODEL)
