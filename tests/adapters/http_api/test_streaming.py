"""Responses that are judged while they grow, over TCP in both directions at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from adapters.http_api.admission import STREAMS_OF_ONE_KEY
from adapters.http_api.wire.shapes import MOST_INPUTS
from bot.core.base.errors import Unavailable
from bot.core.guarding.verdict import Exchange, GuardVersion, Screening, Task, Unscreened, Verdict
from bot.core.operations.keys import written
from tests.adapters.http_api.stage import KEY, WRITTEN, WRITTEN_OTHER, Stage, stage
from tests.builders import NOW
from tests.fakes.guarding import ScriptedGuard
from tests.servers.waiting import until


class Listening(ScriptedGuard):
    """Finds harm wherever 나쁜 stands in a response, and cannot judge 이상한."""

    def _answer(self, exchange: Exchange) -> Screening:
        text = exchange.response or exchange.prompt or ""
        if "이상한" in text:
            return Unscreened("unparseable", self.version)
        return Verdict.of_scores({Task.RESPONSE_HARM: 0.9 if "나쁜" in text else 0.1}, guard=self.version)


class Talk:
    """One stream: `say` sends a line, `hear` waits for one."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.answer: Any = None

    def say(self, **content: str) -> None:
        self._lines.put_nowait(json.dumps(content).encode() + b"\n")

    def end(self) -> None:
        self._lines.put_nowait(None)

    async def body(self) -> AsyncIterator[bytes]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def hear(self) -> dict[str, Any] | None:
        line = await self.answer.content.readline()
        heard: dict[str, Any] | None = json.loads(line) if line else None
        return heard


@asynccontextmanager
async def talk(api: Stage, prompt: str = "안녕", key: str = WRITTEN) -> AsyncIterator[Talk]:
    talking = Talk()
    talking.say(prompt=prompt)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    async with api.session.post("/v1/check/stream", data=talking.body(), headers=headers) as answer:
        talking.answer = answer
        yield talking
        talking.end()


async def send(api: Stage, *lines: bytes) -> tuple[int, list[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {WRITTEN}", "Content-Type": "application/x-ndjson"}
    async with api.session.post("/v1/check/stream", data=BytesIO(b"\n".join(lines)), headers=headers) as answer:
        return answer.status, [json.loads(line) for line in (await answer.text()).splitlines()]


def test_harm_is_told_at_once_while_the_rest_is_still_to_come(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, talk(api) as talking:
            assert talking.answer.status == 200
            talking.say(piece="가" * 200)
            first = await talking.hear()
            assert first and first["flagged"] is False and not first["final"] and first["characters"] == 200
            talking.say(piece="나쁜 " * 50)
            second = await talking.hear()
            assert second and second["flagged"] is True and second["final"] and second["characters"] == 350
            assert [rule["rule"] for rule in second["rules"]] == ["harmful-answer"]
            assert await talking.hear() is None

    asyncio.run(scenario())


def test_a_harmful_prompt_ends_its_stream_at_the_first_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api:
            status, lines = await send(api, '{"prompt": "금지어"}'.encode(), '{"piece": "가"}'.encode())
            assert status == 200 and [line["flagged"] for line in lines] == [True] and lines[0]["final"]
            assert [rule["part"] for rule in lines[0]["rules"]] == ["prompt"]

    asyncio.run(scenario())


def test_a_short_piece_is_looked_at_after_a_second_and_the_end_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.http_api.judging.streaming.EVERY", 0.1)

    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, talk(api) as talking:
            talking.say(piece="반가")
            first = await talking.hear()
            assert first and first["characters"] == 2 and not first["final"]
            talking.say(piece="워요")
            talking.end()
            last = await talking.hear()
            while last and not last["final"]:
                last = await talking.hear()
            assert last and last["characters"] == 4 and last["flagged"] is False
            assert await talking.hear() is None

    asyncio.run(scenario())


def test_looks_grow_rarer_so_that_a_long_response_costs_little_more_than_its_length(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = Listening()
        async with stage(tmp_path, guard) as api:
            pieces = [json.dumps({"piece": "가" * 100}).encode() for _ in range(900)]
            status, lines = await send(api, b'{"prompt": "a"}', *pieces)
            assert status == 200 and lines[-1]["final"] and lines[-1]["characters"] == 90_000
            assert len(lines) < 60
            judged = sum(len(one.response or "") for batch in guard.asked for one in batch)
            assert judged < 10 * 90_000

    asyncio.run(scenario())


def test_a_stream_without_pieces_judges_the_prompt(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api:
            status, lines = await send(api, b'{"prompt": "a"}')
            assert status == 200 and [line["final"] for line in lines] == [True]
            status, lines = await send(api, b'{"prompt": "a"}', b"", b'{"piece": "b"}', b"", b"")
            assert [line["characters"] for line in lines] == [1]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        ([b""], 400, "not_json"),
        ([b'{"piece": "a"}'], 400, "invalid"),
        ([b'{"prompt": "a", "community": "200"}'], 403, "wrong_community"),
        ([b'{"prompt": "a"}', b"{"], 400, "not_json"),
        ([b'{"prompt": "a"}', b'{"prompt": "b"}'], 400, "invalid"),
        ([b'{"prompt": "a"}', b'{"piece": "b"}', b"{"], 200, "not_json"),
        ([b'{"prompt": "a"}', *[b'{"piece": "' + b"a" * 60_000 + b'"}'] * 2], 200, "too_large"),
        ([b'{"prompt": "a"}', b'{"piece": "' + b"a" * 1_100_000], 413, "too_large"),
        ([b"a" * 1_100_000], 413, "too_large"),
    ],
)
def test_a_problem_is_a_status_first_and_a_line_later(
    tmp_path: Path, lines: list[bytes], status: int, code: str
) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api:
            given, answered = await send(api, *lines)
            assert given == status
            assert answered[-1]["error"]["code"] == code

    asyncio.run(scenario())


def test_nobody_can_say_is_said_and_is_not_safe(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = Listening()
        async with stage(tmp_path, guard, deadline="1s") as api:
            _, lines = await send(api, b'{"prompt": "a"}', json.dumps({"piece": "이상한 글"}).encode())
            assert lines[-1]["flagged"] is None and lines[-1]["unscreened"] == "unparseable" and lines[-1]["final"]
            async with talk(api) as talking:
                talking.say(piece="가" * 200)
                await talking.hear()
                guard.trouble = Unavailable("restarting")
                talking.say(piece="나" * 200)
                line = await talking.hear()
                assert line and line["error"]["code"] == "guard_away"
                assert await talking.hear() is None
            status, lines = await send(api, b'{"prompt": "a"}')
            assert status == 503 and lines[0]["error"]["code"] == "guard_away"

    asyncio.run(scenario())


def test_a_silent_client_is_given_up_and_one_that_leaves_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.http_api.judging.streaming.IDLE", 0.2)

    async def scenario() -> None:
        guard = Listening()
        async with stage(tmp_path, guard, deadline="60s") as api:
            async with talk(api) as talking:
                line = await talking.hear()
                assert line and line["error"]["code"] == "too_slow"
            guard.hang = True
            async with talk(api) as talking:
                talking.say(piece="가" * 200)
                await until(lambda: guard.count)
                talking.answer.close()
                await until(lambda: guard.cancelled == 1)

    asyncio.run(scenario())


def test_a_clients_share_slows_its_stream_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        guard = Listening()
        async with stage(tmp_path, guard, per_second=1) as api:
            began = api.core.clock.monotonic()
            for number in range(30):
                assert (await api.check(f"{number}"))[0] == 200
            pieces = [json.dumps({"piece": f"{number} " + "가" * 300}).encode() for number in range(5)]
            status, lines = await send(api, b'{"prompt": "a"}', *pieces)
            assert status == 200 and lines[-1]["final"] and lines[-1]["flagged"] is False
            beyond_the_burst = 30 + 1 + len(lines) - (1 + MOST_INPUTS)  # a second for each, however fast the machine
            assert len(lines) >= 5 and api.core.clock.monotonic() - began >= beyond_the_burst

    asyncio.run(scenario())


def test_guard_version_is_in_every_line(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api:
            _, lines = await send(api, b'{"prompt": "a"}', b'{"piece": "b"}')
            version = GuardVersion(name="scripted", model="1")
            assert all(line["guard"]["name"] == version.name and line["request_id"] for line in lines)

    asyncio.run(scenario())


def test_streams_never_take_every_place_and_one_key_has_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.admission.STREAMS", STREAMS_OF_ONE_KEY + 1)

    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, AsyncExitStack() as open_ones:
            for _ in range(STREAMS_OF_ONE_KEY):
                await open_ones.enter_async_context(talk(api))
            status, (refused,) = await send(api, b'{"prompt": "a"}')
            assert (status, refused["error"]["code"]) == (429, "too_many_at_once")
            async with talk(api, key=WRITTEN_OTHER) as other, talk(api, key=WRITTEN_OTHER) as one_too_many:
                assert other.answer.status == 200
                assert one_too_many.answer.status == 503, "half of all places is for requests"
            assert (await api.check("a"))[0] == 200
            assert (await api.get("/healthz"))[0].status == 200

    asyncio.run(scenario())


def test_lines_without_text_keep_no_stream_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.judging.streaming.IDLE", 0.3)

    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, talk(api) as talking:

            async def keep_alive() -> None:
                while True:
                    talking.say(piece="")
                    await asyncio.sleep(0.05)

            chatter = asyncio.create_task(keep_alive())
            ended = await talking.hear()
            while ended and "error" not in ended:
                ended = await talking.hear()
            chatter.cancel()
            assert ended and ended["error"]["code"] == "too_slow"

    asyncio.run(scenario())


def test_a_revoked_key_ends_its_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.judging.streaming.EVERY", 0.05)
    monkeypatch.setattr("adapters.http_api.admission.EVERY", 0.05)

    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, talk(api) as talking:
            talking.say(piece="가" * 200)
            assert (await talking.hear() or {})["flagged"] is False
            await api.core.keys.revoke("a1", NOW)
            ended = await talking.hear()
            assert ended and ended["error"]["code"] == "unauthorized"
            assert await talking.hear() is None

    asyncio.run(scenario())


def test_a_key_that_is_over_ends_its_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.http_api.judging.streaming.EVERY", 0.05)
    monkeypatch.setattr("adapters.http_api.admission.EVERY", 0.05)

    async def scenario() -> None:
        async with stage(tmp_path, Listening()) as api, talk(api) as talking:
            talking.say(piece="가" * 200)
            assert (await talking.hear() or {})["flagged"] is False
            now = api.core.clock.now()
            assert await api.core.keys.replace("a1", KEY.successor("a2", "other", now), now)
            ended = await talking.hear()
            assert ended and ended["error"]["code"] == "expired"
            assert (await api.check("a"))[0] == 401
            assert (await api.check("a", key=written("a2", "other")))[0] == 200

    asyncio.run(scenario())
