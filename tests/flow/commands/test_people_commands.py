"""`jikimi export`, `erase`, `hold` and `precedents` over what is stored."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.keeping.people import erase, export, hold
from bot.cli.keeping.precedents import precedents
from bot.cli.line import place_of
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.communities.community import Community
from bot.core.incidents.review import Call
from bot.core.text.catalogue import texts
from storage.database import Database
from tests.adapters.storage.keeping.test_forgetting import incident
from tests.builders import DISCORD, TELEGRAM, later
from tests.contracts.incidents.test_precedents import call, precedent
from tests.contracts.stores import store
from tests.fakes.clock import ManualClock
from tests.servers.command import run
from tests.servers.databases import sqlite_in

SAY = texts("ko")


def test_a_member_gets_what_is_stored_and_then_it_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, clock = Config(storage=StorageSettings(url=sqlite_in(tmp_path))), ManualClock()

    async def plant() -> list[int]:
        async with Database.open(config.storage.url, clock) as database:
            here = store(database, clock)
            return [await incident(here, id, author=who) for id, who in (("1", "minji"), ("2", "minji"), ("3", "jisu"))]

    _, held, _ = asyncio.run(plant())
    here = ("cafe", "rehearsal")
    file = tmp_path / "mine.json"
    asyncio.run(export(*here, "minji", file, config, SAY))
    (dossier,) = json.loads(file.read_text("utf-8"))
    assert [one["text"] for one in dossier["incidents"]] == ["말 minji 1", "말 minji 2"]
    assert file.stat().st_mode & 0o777 == 0o600
    asyncio.run(hold(*here, held, "경찰에 신고", config, SAY))
    with pytest.raises(Broken, match="찾을 수 없습니다"):
        asyncio.run(hold("other", "rehearsal", held, "경찰에 신고", config, SAY))
    asyncio.run(erase("other", "rehearsal", None, config, SAY))
    asyncio.run(erase(*here, "minji", config, SAY))
    assert "남겨 두었습니다" in capsys.readouterr().out
    asyncio.run(export(*here, "minji", None, config, SAY))
    assert [one["text"] for one in json.loads(capsys.readouterr().out)[0]["incidents"]] == ["말 minji 2"]
    asyncio.run(export(*here, "jisu", None, config, SAY))
    assert len(json.loads(capsys.readouterr().out)[0]["incidents"]) == 1
    asyncio.run(erase(*here, None, config, SAY))
    asyncio.run(export(*here, "minji", None, config, SAY))
    (left,) = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert left["incidents"] == [], "everything of a community, what is held as well"


def test_a_slip_of_the_pen_takes_nothing_away(tmp_path: Path) -> None:
    config = Config(storage=StorageSettings(url=sqlite_in(tmp_path)))
    with pytest.raises(Broken):
        asyncio.run(erase("caffe", None, None, config, SAY))


def test_a_community_is_named_as_anybody_would_and_the_few_most_like_it_are_shown() -> None:
    """By name, by id, or by both; an id goes before a name, which anybody may choose."""
    known = [Community(platform=DISCORD, id=str(number), name=f"모임 {number:03}") for number in range(200)]
    known += [Community(platform=TELEGRAM, id="-7", name="5"), Community(platform=TELEGRAM, id="-8", name="모임 003")]
    for wanted, id_ in (("모임 007", "7"), ("5", "5"), ("discord:9", "9"), ("telegram:-7", "-7"), ("api", "api")):
        assert place_of(wanted, None, known, SAY).id == id_
    with pytest.raises(Broken, match=r"discord:3 .*telegram:-8"):
        place_of("모임 003", None, known, SAY)
    with pytest.raises(Broken) as refused:
        place_of("모임 19", None, known, SAY)
    assert "모임 019" in str(refused.value) and str(refused.value).count("모임 ") < 8


@pytest.mark.parametrize("words", [(), ("--member", "minji", "--everything")])
def test_a_whole_community_is_erased_only_where_that_is_asked_for(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Who forgets --member is told what would go, and nothing does."""
    done = run(tmp_path, "--lang", "en", "erase", "--community", "cafe", *words)
    assert done.returncode == 2 and "--everything" in done.stderr and "settings" in done.stderr and not done.stdout


def test_what_is_put_on_record_is_not_empty(tmp_path: Path) -> None:
    """A text is not kept longer without a reason."""
    done = run(tmp_path, "--lang", "en", "hold", "1", "--community", "cafe", "--because", " ")
    assert done.returncode == 2 and "--because" in done.stderr


def test_the_member_of_an_export_is_not_told_of_erasing(tmp_path: Path) -> None:
    """Help of one command says nothing of another."""
    assert "eras" not in run(tmp_path, "--lang", "en", "export", "--help").stdout


def test_what_moderators_have_called_is_listed_and_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, clock = Config(storage=StorageSettings(url=sqlite_in(tmp_path))), ManualClock()
    here = ("cafe", "rehearsal")

    async def plant() -> int:
        async with Database.open(config.storage.url, clock) as database:
            stored = store(database, clock)
            number = await incident(stored, "1", author="minji")
            await call(stored, number, Call.WRONG, replace(precedent(number), until=later(10**9)))
            return number

    number = asyncio.run(plant())
    asyncio.run(precedents(*here, None, config, SAY, as_json=False))
    assert f"#{number} 틀림: 같은 글을 a,b, 규칙 규칙이" in capsys.readouterr().out
    asyncio.run(precedents(*here, None, config, SAY, as_json=True))
    (row,) = json.loads(capsys.readouterr().out)["precedents"]
    assert (row["case"], row["ruling"], row["rules"]) == (number, "wrong", ["a,b", "규칙"])
    asyncio.run(precedents(*here, number, config, SAY, as_json=False))
    with pytest.raises(Broken):
        asyncio.run(precedents(*here, number, config, SAY, as_json=False))
    capsys.readouterr()
    asyncio.run(precedents(*here, None, config, SAY, as_json=False))
    assert capsys.readouterr().out.startswith("같은 글에 적용하는 판단이 없습니다")
