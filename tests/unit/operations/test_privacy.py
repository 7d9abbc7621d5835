"""What somebody may ask about themselves, how often, and what is told about what is kept."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.base.errors import Unavailable
from bot.core.incidents.incident import Incident
from bot.core.moderators.answer import Handed, Lines, Offer, Wish
from bot.core.moderators.wishes import granted, notice
from bot.core.operations import privacy as module
from bot.core.operations.privacy import Dossier
from tests.builders import DISCORD, NOW, code_of, decision, home, message
from tests.fakes.operations import ScriptedPeople, scripted_privacy

CAFE, OTHER = home("cafe", DISCORD), home("other", DISCORD)


def people() -> ScriptedPeople:
    found = ScriptedPeople()
    about = message("1", "나쁜 말", author="7", platform=DISCORD)
    incident = Incident(id=3, case=3, code=code_of(3), decision=decision(about), decided_at=NOW, outcomes=())
    found.dossiers = {
        (CAFE, "7"): Dossier(community=CAFE, incidents=[incident], sent=[("general", NOW)]),
        (OTHER, "7"): Dossier(community=OTHER),
        (CAFE, "8"): Dossier(community=CAFE),
    }
    return found


def keys(answer: object) -> list[str]:
    lines = answer.said if isinstance(answer, Offer | Handed) else answer
    assert isinstance(lines, Lines)
    return [getattr(line, "key", "") for line in lines.lines]


def test_they_get_what_is_stored_of_them_everywhere_once_a_day() -> None:
    privacy = scripted_privacy(people())

    async def scenario() -> None:
        first = await granted(Wish.DATA, DISCORD, "7", privacy)
        assert isinstance(first, Handed)
        cafe, other = json.loads(first.file.content)
        assert [one["text"] for one in cafe["incidents"]] == ["나쁜 말"] and other["community"] == "other"
        assert [one["incident"] for one in cafe["incidents"]] == [code_of(3)], "as they were told"
        assert keys(await granted(Wish.DATA, DISCORD, "7", privacy)) == ["privacy.today"]
        nobody = await granted(Wish.DATA, DISCORD, "9", privacy)
        assert isinstance(nobody, Handed) and json.loads(nobody.file.content) == []

    asyncio.run(scenario())


def test_they_are_asked_once_more_before_anything_is_erased_and_nobody_else_is() -> None:
    found = people()
    privacy = scripted_privacy(found)

    async def scenario() -> None:
        asked = await granted(Wish.ERASE, DISCORD, "7", privacy)
        assert isinstance(asked, Offer) and asked.wishes == (Wish.SURELY,) and len(found.dossiers) == 3
        assert keys(await granted(Wish.SURELY, DISCORD, "7", privacy)) == ["privacy.erased"]
        assert list(found.dossiers) == [(CAFE, "8")]
        assert keys(await granted(Wish.SURELY, DISCORD, "7", privacy)) == ["privacy.today"]

    asyncio.run(scenario())


def test_whose_wish_failed_may_ask_again() -> None:
    found = people()
    privacy, found.trouble = scripted_privacy(found), Unavailable("away")

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await privacy.erase(DISCORD, "7")
        found.trouble = None
        done = await privacy.erase(DISCORD, "7")
        assert done and (done.rows, done.code) == (2, "RECEIPT, RECEIPT")

    asyncio.run(scenario())


def test_a_crowd_that_asks_waits_in_a_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 5)
    held = asyncio.Event()

    class Slow(ScriptedPeople):
        busy = most = 0

        async def of_member(self, community: object, member: str) -> Dossier:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await held.wait()
            self.busy -= 1
            return Dossier(community=CAFE)

    found = Slow()
    found.dossiers = {(CAFE, str(number)): Dossier(community=CAFE) for number in range(50)}
    privacy = scripted_privacy(found)

    async def scenario() -> None:
        asking = [asyncio.create_task(privacy.export(DISCORD, str(number))) for number in range(50)]
        await asyncio.sleep(0.01)
        held.set()
        came = await asyncio.gather(*asking, return_exceptions=True)
        assert sum(isinstance(one, bytes) for one in came) == 5 and found.most == 1
        assert sum(isinstance(one, Unavailable) for one in came) == 45
        assert await privacy.export(DISCORD, "49"), "who was sent away may come again"

    asyncio.run(scenario())


def test_what_is_kept_and_where_it_goes_is_told() -> None:
    here = notice(scripted_privacy())
    assert "privacy.here" in keys(here) and here.wishes == (Wish.DATA, Wish.ERASE)
    privacy = scripted_privacy()
    privacy.judges, privacy.in_the_clear = ("guard.example", "10.0.0.5"), ("10.0.0.5",)
    privacy.readers = ("reader.example",)
    privacy.limits = replace(privacy.limits, texts=timedelta(days=30))
    told = {line.key: line.facts for line in notice(privacy).said.lines}  # type: ignore[attr-defined]
    assert told["privacy.sent"] == {"hosts": ("guard.example", "10.0.0.5")}
    assert told["privacy.read"] == {"hosts": ("reader.example",)} and "privacy.read" not in keys(here)
    assert told["privacy.in_the_clear"] == {"hosts": ("10.0.0.5",)}
    assert told["privacy.incidents"]["texts"] == timedelta(days=30) and "privacy.here" not in told
