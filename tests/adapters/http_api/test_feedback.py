"""A bot's owner says that a judgement was wrong, or right: what comes of it, and what a hostile key makes of it."""

import asyncio
from base64 import urlsafe_b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.keyring import Keyring, master_key
from bot.core.incidents.feedback import OPEN_FOR, Listener
from bot.core.incidents.ports import MOST
from bot.core.moderators.desk import CoreDesk
from bot.core.rules.actions import Delete
from bot.core.rules.precedent import Judged, Ruling
from storage.database import Database
from storage.settings.feedback import SqlFeedback
from tests.adapters.http_api.stage import KEY, WRITTEN, WRITTEN_OTHER, Stage, stage
from tests.builders import decision, home, message
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import sqlite_in

SAID = "오늘 저녁은 닭갈비 먹으러 갈 사람"


async def say(api: Stage, code: str, verdict: str, key: str = WRITTEN) -> tuple[int, Any]:
    answer, content = await api.post("/v1/feedback", {"code": code, "verdict": verdict}, key=key)
    return answer.status, content


def test_what_was_called_wrong_is_not_found_again_until_it_is_called_right(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({SAID: 0.9})) as api:
            _, judged = await api.check(SAID)
            assert judged["flagged"] and judged["code"]
            status, heard = await say(api, judged["code"], "wrong")
            assert status == 200 and heard["changed"] is True
            _, again = await api.check(f"{SAID}!!")
            assert again["flagged"] is False and again["code"] is None
            _, explained = await api.post("/v1/check", {"prompt": SAID, "explain": True})
            why = next(one["why"] for one in explained["unmatched"] if one["rule"] == "harm")
            assert why["code"] == "feedback_wrong" and "틀렸다고" in why["sentence"]
            assert (await api.check(SAID, key=WRITTEN_OTHER))[1]["flagged"] is True, "elsewhere nobody has said so"
            status, heard = await say(api, judged["code"], "wrong")
            assert status == 200 and heard["changed"] is False, "once is as good as twice"
            status, heard = await say(api, judged["code"], "right")
            assert heard["changed"] is True and (await api.check(SAID))[1]["flagged"] is True
            desk = api.core.desk
            assert isinstance(desk, CoreDesk) and desk.rulings
            await desk.rulings.load(anew=True)
            assert not await desk.precedents.of(KEY.community), "in the chat its moderators say what holds"

    asyncio.run(scenario())


def test_an_answer_is_another_one_where_something_else_was_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({"그러면 됩니다 정말 좋은 생각이에요": 0.9})) as api:
            answer = "그러면 됩니다 정말 좋은 생각이에요"
            _, judged = await api.check("국에 소금을 더 넣을까요", answer)
            assert judged["flagged"] and judged["code"]
            await say(api, judged["code"], "wrong")
            assert (await api.check("국에 소금을 더 넣을까요", answer))[1]["flagged"] is False
            assert (await api.check("저 사람을 때려도 될까요", answer))[1]["flagged"] is True

    asyncio.run(scenario())


def test_what_is_wrong_of_a_prompt_is_wrong_whatever_is_answered_to_it(tmp_path: Path) -> None:
    """And what is wrong of a prompt together with its response holds for both, in that company."""

    async def scenario() -> None:
        answer = "그러면 됩니다 정말 좋은 생각이에요"
        async with stage(tmp_path, ScriptedGuard({SAID: 0.9, answer: 0.9})) as api:
            _, both = await api.check(SAID, answer)
            await say(api, both["code"], "wrong")
            assert (await api.check(SAID, answer))[1]["flagged"] is False
            assert (await api.check(SAID))[1]["flagged"] is True
            _, first = await api.check(SAID, "좋아요")
            assert [rule["part"] for rule in first["rules"]] == ["prompt"]
            await say(api, first["code"], "wrong")
            assert (await api.check(SAID, "저도요"))[1]["flagged"] is False
            assert (await api.check(SAID))[1]["flagged"] is False

    asyncio.run(scenario())


def test_nobody_makes_a_code_or_speaks_for_another_community(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, ScriptedGuard({SAID: 0.9})) as api:
            _, judged = await api.check(SAID)
            code = judged["code"]
            sealed = urlsafe_b64encode(b"x" * 16 + b"\0" + b'[1, 9999999999999999, ["harm"], "", ""]').decode()
            turned = ("A" if code[40] != "A" else "B").join((code[:40], code[41:]))
            for wrong in ("", "a", "...", "한글", sealed, turned, code[:-4], code + "AAAA", "A" * 4000):
                status, content = await say(api, wrong, "wrong")
                assert (status, content["error"]["code"]) == (404, "no_judgement"), wrong
            assert (await say(api, code, "wrong", WRITTEN_OTHER))[0] == 404
            assert (await say(api, "A" * 4001, "wrong"))[0] == 400 and (await say(api, code, "maybe"))[0] == 400
            assert (await api.check(SAID))[1]["flagged"] is True
            assert (await say(api, code, "wrong"))[0] == 200, "it was good all the time"

    asyncio.run(scenario())


def test_a_judgement_is_spoken_about_for_a_week_and_nothing_of_it_is_kept_before(tmp_path: Path) -> None:
    async def scenario() -> str:
        clock, keys = ManualClock(), tmp_path / "keys"
        async with Database.open(sqlite_in(tmp_path), clock, Keyring(keys, master_key(keys, {}), clock)) as database:
            store = SqlFeedback(database)
            listener = Listener(feedback=store, mark=database.sealing.text_hash, clock=clock)
            code = await listener.code([decision(message(text=SAID), Delete())])
            assert code and await store.since(clock.now()) == []
            assert await listener.code([decision(message(text=SAID))]) is None, "no rule has found anything"
            clock.jump(OPEN_FOR)
            assert await listener.hear(home(), code, Ruling.WRONG, by="a1") is True
            clock.jump(timedelta(seconds=1))
            assert await listener.hear(home(), code, Ruling.RIGHT, by="a1") is None
            long = await listener.code([decision(message(text="가나다라마바사아자차 " * 39), Delete())])
            assert long and len(code) < 1000 > len(long)
            return code

    code = asyncio.run(scenario())
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("jikimi.db*"))
    assert SAID.encode() not in stored and code.encode() not in stored


def test_what_a_key_says_is_bounded_and_the_newest_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with Database.open(sqlite_in(tmp_path), clock) as database:
            store, code = SqlFeedback(database), None
            listener = Listener(feedback=store, mark=database.sealing.text_hash, clock=clock)
            for number in range(MOST + 5):
                clock.jump(timedelta(seconds=1))
                code = await listener.code([decision(message(text=f"{SAID} {number}"), Delete())])
                assert code and await listener.hear(home(), code, Ruling.WRONG, by="a1")
            assert code
            held = await store.since(clock.now() - timedelta(days=1))
            assert len(held) == MOST and len(await store.since(clock.now() - timedelta(seconds=4))) == 5
            assert await store.read(home("other"), code) is None
            read = await store.read(home(), code)
            assert isinstance(read, Judged) and read.rules == {"insult"}

    asyncio.run(scenario())
