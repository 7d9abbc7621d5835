"""The guard over HTTP, against servers that answer, fail, hang, lie, go away and come back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.guards import vllm_replicas
from adapters.guards.dialects import DIALECTS, LOW_LABEL_MASS, UNPARSEABLE, Piece
from adapters.guards.vllm_replicas import FAILURES, ODD, NoAnswer
from adapters.guards.vllm_server import Encoding, VllmServers
from bot.core.base.errors import Broken, Unavailable
from bot.core.guarding.ports import OVERHEARD, PRIORITY, Said
from bot.core.guarding.verdict import Exchange, Screening, Task, Unscreened, Verdict
from tests.fakes.clock import ManualClock
from tests.servers.fault_proxy import FaultProxy
from tests.servers.guard import SURE, GuardServer
from tests.servers.waiting import until

BAD, GOOD = Exchange(prompt="나쁜 부탁"), Exchange(prompt="좋은 부탁")


def guard(*servers: GuardServer | FaultProxy, dialect: str = "wildguard-ko", **more: Any) -> VllmServers:
    more.setdefault("clock", ManualClock())
    more.setdefault("timeout", 120)  # what a busy machine may take
    return VllmServers(servers=[server.url for server in servers], dialect=DIALECTS[dialect], **more)


def scores(screening: Screening) -> dict[Task, float]:
    assert isinstance(screening, Verdict), screening
    return {task: round(score, 6) for task, score in screening.scores.items()}


def reasons(screenings: Sequence[Screening]) -> list[str]:
    return [screening.reason if isinstance(screening, Unscreened) else "" for screening in screenings]


def test_prompts_and_pairs_are_judged_each_by_its_form() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server, revision="r1") as judge:
            pair = Exchange(prompt="나쁜 부탁", response="나쁜 대답")
            refused = Exchange(prompt="나쁜 부탁", response="죄송합니다")
            alone = Exchange(prompt=None, response="나쁜 대답")
            bad, good, answered, kept, single = await judge.judge([BAD, GOOD, pair, refused, alone])
            assert scores(bad) == {Task.PROMPT_HARM: SURE}
            assert scores(good) == {Task.PROMPT_HARM: round(1 - SURE, 6)}
            low = round(1 - SURE, 6)
            assert scores(answered) == {Task.PROMPT_HARM: SURE, Task.RESPONSE_REFUSAL: low, Task.RESPONSE_HARM: SURE}
            assert scores(kept)[Task.RESPONSE_REFUSAL] == SURE
            assert Task.PROMPT_HARM not in scores(single)
            assert bad.guard.model == "iknow-lab/llama-3.2-3B-wildguard-ko-2410@r1"
            assert bad.guard == judge.version
            assert bad.guard.dialect == DIALECTS["wildguard-ko"].hash

    asyncio.run(check())


def test_whoever_listens_hears_what_the_model_itself_said() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            said: list[Said] = []
            OVERHEARD.set(said)
            await judge.judge([Exchange(prompt="나쁜 부탁", response="죄송합니다")])
            assert sorted((one.asked, one.window, len(one.labels)) for one in said) == [
                ("prompt", 0, 1),
                ("response", 0, 3),
            ]
            (alone,) = next(one for one in said if one.asked == "prompt").labels.values()
            assert alone["yes"] == pytest.approx(SURE)

    asyncio.run(check())


def test_many_prompts_go_in_one_request_and_labels_are_forced_one_after_the_other() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            await judge.judge([GOOD, GOOD, BAD, Exchange(prompt=BAD.prompt, response="죄송합니다")])
            first, second, third = server.bodies
            asked = DIALECTS["wildguard-ko"].questions(GOOD)[0]
            text = "".join(piece.text for piece in asked.pieces()) + "Harmful request:"
            assert [prompt == text for prompt in first["prompt"]] == [True, False, False], (
                "what is asked twice and what two ask goes once"
            )
            for body in server.bodies:
                assert (body["max_tokens"], body["temperature"], body["logprobs"]) == (1, 0, 20)
                assert body["add_special_tokens"] is False
            (refusal,), (harm,) = second["prompt"], third["prompt"]
            assert refusal.endswith("Harmful request: yes\nResponse refusal:")
            assert harm.endswith("Harmful request: yes\nResponse refusal: yes\nHarmful response:")

    asyncio.run(check())


def test_a_prompt_that_the_server_refuses_takes_nobody_with_it() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            screenings = await judge.judge([BAD, Exchange(prompt="너무 긴 글"), GOOD])
            assert [type(screening) for screening in screenings] == [Verdict] * 3
            assert [len(body["prompt"]) for body in server.bodies] == [3, 1, 1, 1]

    asyncio.run(check())


def test_prompts_of_the_guards_own_tokenizer_go_to_the_chat_endpoint() -> None:
    async def check() -> None:
        async with GuardServer(model="mine") as server, guard(server, dialect="ksafeguard", model="mine") as judge:
            (screening,) = await judge.judge([Exchange(prompt="나쁜 부탁", response="죄송합니다")])
            assert scores(screening)[Task.PROMPT_HARM] == SURE
            assert scores(screening)[Task.RESPONSE_REFUSAL] == SURE
            assert all(body["messages"][0]["role"] == "user" for body in server.bodies)
            assert all(body["add_generation_prompt"] and body["top_logprobs"] == 20 for body in server.bodies)

    asyncio.run(check())


def test_long_texts_are_judged_in_windows_and_the_worst_counts() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            text = "".join(f"{n}번째 {'나쁜' if n == 300 else '착한'} 말 " for n in range(600))
            (screening,) = await judge.judge([Exchange(prompt=text)])
            assert isinstance(screening, Verdict)
            assert screening.windows == sum(len(body["prompt"]) for body in server.bodies) > 3
            assert scores(screening) == {Task.PROMPT_HARM: SURE}

    asyncio.run(check())


@pytest.mark.parametrize("trouble", [500, 502, 503, 408, 404, "hang", "garbage"])
def test_a_failed_request_is_asked_of_another_replica(trouble: str | int) -> None:
    async def check() -> None:
        async with GuardServer() as sick, GuardServer() as well, guard(sick, well, timeout=0.3) as judge:
            sick.trouble = trouble
            for _ in range(3):
                assert [scores(s)[Task.PROMPT_HARM] for s in await judge.judge([BAD])] == [SURE]
            assert sick.bodies and well.bodies

    asyncio.run(check())


def test_a_reset_or_cut_connection_is_tried_again() -> None:
    async def check() -> None:
        async with GuardServer() as server, FaultProxy(server.port) as proxy, guard(proxy, server) as judge:
            proxy.mode = "reset"
            assert scores((await judge.judge([BAD]))[0]) == {Task.PROMPT_HARM: SURE}
            proxy.mode, proxy.cut_after = "pass", 200  # in the middle of the JSON
            assert scores((await judge.judge([BAD]))[0]) == {Task.PROMPT_HARM: SURE}

    asyncio.run(check())


def test_no_replica_left_is_unavailable_and_says_when_to_come_back() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as server, guard(server, clock=clock) as judge:
            server.trouble = 500
            with pytest.raises(Unavailable):
                await judge.judge([BAD])
            asked = len(server.bodies)
            assert asked == FAILURES
            with pytest.raises(Unavailable) as refused:  # the circuit is open: nobody is asked
                await judge.judge([BAD])
            assert len(server.bodies) == asked
            assert refused.value.retry_after is not None and 0 < refused.value.retry_after < 1

    asyncio.run(check())


def test_where_no_server_answers_it_is_said_how_to_start_one() -> None:
    async def check() -> None:
        async with VllmServers(
            servers=["http://127.0.0.1:9"], dialect=DIALECTS["wildguard-ko"], clock=ManualClock()
        ) as judge:
            with pytest.raises(Unavailable, match=r"vllm serve iknow-lab/\S+ --max-model-len 2048"):
                await judge.judge([BAD])

    asyncio.run(check())


def test_a_circuit_lets_one_probe_through_and_closes_on_its_answer() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as server, guard(server, clock=clock) as judge:
            server.trouble = 500
            with pytest.raises(Unavailable), capture_logs() as logs:
                await judge.judge([BAD])
            assert [entry["event"] for entry in logs] == ["guard server is away"]
            asked = len(server.bodies)
            await clock.advance(5)
            with pytest.raises(Unavailable):  # half open: of many only one gets through, and fails
                await judge.judge([Exchange(prompt=f"부탁 {n}") for n in range(20)])
            assert len(server.bodies) == asked + 1
            await clock.advance(5)
            server.trouble = ""
            with capture_logs() as logs:
                await judge.judge([BAD])
                await judge.judge([Exchange(prompt=f"부탁 {n}") for n in range(20)])
            assert [entry["event"] for entry in logs] == ["guard server is back"]

    asyncio.run(check())


def test_many_failures_at_once_count_as_one_outage() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as server, guard(server, clock=clock) as judge:
            server.trouble = 500
            with pytest.raises(Unavailable):
                await judge.judge([Exchange(prompt=f"부탁 {n}") for n in range(50)])
            await clock.advance(0.5)  # the first pause at its longest, a doubled one at its shortest
            server.trouble = ""
            assert scores((await judge.judge([BAD]))[0]) == {Task.PROMPT_HARM: SURE}

    asyncio.run(check())


def test_a_server_that_is_too_busy_is_left_alone_for_as_long_as_it_says() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as busy, guard(busy, clock=clock) as judge:
            busy.trouble, busy.headers = 429, {"Retry-After": "7"}
            with pytest.raises(Unavailable) as refused:
                await judge.judge([BAD])
            assert refused.value.retry_after == pytest.approx(7)
            assert len(busy.bodies) == 1
            busy.trouble = ""
            await clock.advance(6)
            with pytest.raises(Unavailable):
                await judge.judge([BAD])
            await clock.advance(1)
            assert await judge.judge([BAD])

    asyncio.run(check())


@pytest.mark.parametrize("asked", ["nan", "inf", "-inf", "-7", "1e400", "soon"])
def test_a_server_that_asks_for_no_time_is_left_alone_for_the_usual_one(asked: str) -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as odd, guard(odd, clock=clock) as judge:
            odd.trouble, odd.headers, odd.times = 503, {"Retry-After": asked}, FAILURES
            with pytest.raises(Unavailable):
                await judge.judge([BAD])
            with pytest.raises(Unavailable) as refused:
                await judge.judge([BAD])
            assert refused.value.retry_after and 0 < refused.value.retry_after < 1
            await clock.advance(1)
            assert scores((await judge.judge([BAD]))[0]) == {Task.PROMPT_HARM: SURE}

    asyncio.run(check())


def test_an_answer_is_as_large_as_what_is_compressed_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_replicas, "LARGEST", 1 << 20)

    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            server.trouble = "bomb"
            with pytest.raises(Unavailable, match="an endless answer"):
                await judge.judge([BAD])

    asyncio.run(check())


def test_work_is_spread_by_open_requests() -> None:
    async def check() -> None:
        async with GuardServer() as one, GuardServer() as two, guard(one, two) as judge:
            await asyncio.gather(*(judge.judge([Exchange(prompt=f"부탁 {n}")]) for n in range(40)))
            assert (len(one.bodies), len(two.bodies)) == (20, 20)
            one.hold = asyncio.Event()  # slow: keeps what it has
            slow = [asyncio.ensure_future(judge.judge([Exchange(prompt=f"느린 {n}")])) for n in range(4)]
            await until(lambda: one.open >= 2)
            for number in range(10):
                await judge.judge([Exchange(prompt=f"빠른 {number}")])
            assert one.open == 2
            assert len(two.bodies) == 32
            one.hold.set()
            await asyncio.gather(*slow)

    asyncio.run(check())


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("empty", UNPARSEABLE),
        ("nonsense", LOW_LABEL_MASS),
        ("unsure", LOW_LABEL_MASS),
        ("nan", UNPARSEABLE),
        ("inf", UNPARSEABLE),
        (400, NoAnswer.REFUSED),
        (422, NoAnswer.REFUSED),
    ],
)
@pytest.mark.parametrize("exchange", [BAD, Exchange(prompt=None, response="대답")])
def test_an_answer_that_makes_no_sense_is_no_verdict(trouble: str | int, reason: str, exchange: Exchange) -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            server.trouble = trouble
            assert reasons(await judge.judge([exchange])) == [reason]

    asyncio.run(check())


def test_one_odd_answer_spoils_nobody_elses() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            server.trouble, server.times = "empty", 1
            screenings = await judge.judge([Exchange(prompt=f"나쁜 부탁 {n}") for n in range(5)])
            assert reasons(screenings) == [""] * 5, "each is asked again by itself"

    asyncio.run(check())


def test_a_server_that_makes_no_sense_of_several_texts_in_a_row_is_away() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as server, guard(server, clock=clock) as judge:
            server.trouble = "empty"
            for _ in range(2 * ODD):
                assert reasons(await judge.judge([BAD])) == [UNPARSEABLE], "one text, however often it comes"
            server.trouble = ""
            assert scores((await judge.judge([GOOD]))[0])
            server.trouble = "empty"
            for number in range(ODD - 1):
                assert reasons(await judge.judge([Exchange(prompt=f"부탁 {number}")])) == [UNPARSEABLE]
            with pytest.raises(Unavailable, match="make no sense"):
                await judge.judge([BAD])
            await clock.advance(5)
            with pytest.raises(Unavailable):
                await judge.judge([Exchange(prompt="새 부탁"), Exchange(prompt="또 다른 부탁")])
            await clock.advance(60)
            server.trouble = ""
            assert scores((await judge.judge([BAD]))[0]) == {Task.PROMPT_HARM: SURE}

    asyncio.run(check())


def test_while_one_of_two_servers_makes_no_sense_hardly_a_text_goes_without_a_verdict() -> None:
    async def check() -> None:
        async with GuardServer() as sick, GuardServer() as well, guard(sick, well) as judge:
            sick.trouble = "empty"
            found = [(await judge.judge([Exchange(prompt=f"나쁜 부탁 {n}")]))[0] for n in range(20)]
            assert sum(isinstance(one, Unscreened) for one in found) < ODD
            (ill, fine) = judge.replica_figures()
            assert (ill.circuit, fine.circuit) == ("open", "closed")

    asyncio.run(check())


def test_a_wrong_token_or_model_is_said_in_one_sentence() -> None:
    async def check() -> None:
        async with GuardServer(token="sesame", model="mine") as server:
            async with guard(server, token="wrong-secret") as judge:
                with pytest.raises(Broken, match="JIKIMI_GUARD_TOKEN") as refused:
                    await judge.judge([BAD, GOOD])
                assert "wrong-secret" not in str(refused.value) + repr(judge)
            async with guard(server, token="sesame", model="theirs") as judge:
                with pytest.raises(Broken, match=r"does not serve theirs; set \[guard\] model") as refused:
                    await judge.judge([BAD])
                assert "\n" not in str(refused.value)
            async with guard(server, token="sesame", model="mine") as judge:
                assert await judge.judge([BAD])

    asyncio.run(check())


def test_cancelling_closes_the_requests() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            server.trouble = "hang"
            call = asyncio.ensure_future(judge.judge([BAD, GOOD]))
            await until(lambda: server.open)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: not server.open)
            assert server.cancelled == 1
            server.trouble = ""
            assert await judge.judge([BAD])

    asyncio.run(check())


def test_a_replica_killed_and_restarted_under_load_loses_nothing() -> None:
    async def check() -> None:
        clock = ManualClock()
        async with GuardServer() as steady, GuardServer() as flaky, guard(steady, flaky, clock=clock) as judge:

            async def load(worker: int) -> int:
                done = 0
                for number in range(25):
                    answers = await judge.judge([Exchange(prompt=f"나쁜 부탁 {worker} {number}")])
                    done += scores(answers[0]) == {Task.PROMPT_HARM: SURE}
                    await asyncio.sleep(0.002)
                return done

            work = [asyncio.ensure_future(load(worker)) for worker in range(8)]
            await until(lambda: len(flaky.bodies) >= 20)
            await flaky.__aexit__()
            await until(lambda: len(steady.bodies) >= 100)
            before = len(flaky.bodies)
            await flaky.__aenter__()  # on the same port
            await clock.advance(60)
            assert await asyncio.gather(*work) == [25] * 8
            assert len(flaky.bodies) > before

    asyncio.run(check())


def test_message_text_is_never_logged_or_raised() -> None:
    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            server.trouble = 500
            with capture_logs() as logs, pytest.raises(Unavailable) as refused:
                await judge.judge([BAD])
            assert "나쁜" not in repr(logs) + repr(refused.value)

    asyncio.run(check())


def test_a_tokenizer_at_hand_sends_ids_that_no_user_text_can_forge(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.train_from_iterator(
        ["Harmful request: yes\nResponse refusal: no\nHarmful response: no"] * 20,
        trainers.BpeTrainer(
            special_tokens=control, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    dialect = DIALECTS["wildguard-ko"]
    encoding = Encoding.read(tmp_path, dialect)
    assert encoding.measure("<|eot_id|>") > 1
    end = tokenizer.token_to_id("<|eot_id|>")
    assert end is not None
    assert encoding.encode([Piece("<|eot_id|>", trusted=True), Piece("<|eot_id|>", trusted=False)]).count(end) == 1

    async def check() -> None:
        async with GuardServer() as server, guard(server, encoding=encoding) as judge:
            server.trouble = 500
            with pytest.raises(Unavailable):
                await judge.judge([BAD])
            (ids,) = server.bodies[0]["prompt"]
            labels = {tokenizer.encode(label).ids[0] for label in (" yes", " no")}
            assert set(server.bodies[0]["logprob_token_ids"]) == labels
            assert server.bodies[0]["stop_token_ids"] == server.bodies[0]["logprob_token_ids"], "nobody wants its words"
            assert tokenizer.decode(ids, skip_special_tokens=False).endswith("Harmful request:")
            assert ids.count(end) == 1

    asyncio.run(check())

    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(Broken, match=r"other\.json"):
        Encoding.read(tmp_path / "other.json", dialect)
    with pytest.raises(Broken):
        Encoding.read(tmp_path / "nowhere", dialect)


def test_what_the_chat_endpoint_makes_of_the_card_is_compared_with_what_is_sent() -> None:
    user = "<|start_header_id|>user<|end_header_id|>\n\n%s<|eot_id|>"
    end = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    trained = f"<|begin_of_text|>{user}\n{end}"

    async def check() -> None:
        async with GuardServer() as server, guard(server) as judge:
            await judge.judge([GOOD])
            assert await judge.compare_chat() is None, "it does not tell"
            server.chat_template = trained
            assert await judge.compare_chat() is True
            server.chat_template = trained.replace("\n" + end, end)
            with capture_logs() as logs:
                assert await judge.compare_chat() is False
            assert [(one["ours"][:1], one["theirs"][:1]) for one in logs] == [("\n", "<")] * 2

        async with GuardServer() as server, guard(server) as judge:
            server.chat_template = trained.replace("\n" + end, end)
            with capture_logs() as logs:
                await judge.judge([GOOD])
                await until(lambda: len(logs) == 2)
                await judge.judge([GOOD])
            assert len(logs) == 2, "said once"

    asyncio.run(check())


def test_a_server_of_the_model_as_a_classifier_gives_the_same_verdicts() -> None:
    asked = [
        BAD,
        GOOD,
        Exchange(prompt="나쁜 부탁", response="나쁜 대답"),
        Exchange(prompt="좋은 부탁", response="죄송합니다"),
    ]

    async def check() -> None:
        async with (
            GuardServer() as writing,
            GuardServer(classifies=True) as classifying,
            guard(writing) as one,
            guard(classifying) as other,
            guard(writing, classifying) as both,
        ):
            expected = [scores(screening) for screening in await one.judge(asked)]
            assert [scores(screening) for screening in await other.judge(asked)] == expected
            for body in classifying.bodies:
                assert body["use_activation"] is body["add_special_tokens"] is False
            for _ in range(4):
                assert [scores(screening) for screening in await both.judge(asked)] == expected
            assert {figures.circuit for figures in both.replica_figures()} == {"closed"}
            assert all(figures.answered for figures in both.replica_figures())

    asyncio.run(check())


def test_a_classifier_of_more_than_the_labels_tells_where_the_model_would_write_something_else() -> None:
    async def check() -> None:
        async with GuardServer(classifies=True) as server, guard(server) as judge:
            server.by_token = True
            assert [scores(screening) for screening in await judge.judge([BAD])] == [{Task.PROMPT_HARM: SURE}]
            server.trouble = "unsure"
            assert reasons(await judge.judge([BAD])) == [LOW_LABEL_MASS]

    asyncio.run(check())


def test_a_server_that_takes_priorities_is_told_and_no_other() -> None:
    async def check() -> None:
        for classifies in (False, True):
            async with (
                GuardServer(classifies=classifies) as server,
                guard(server) as plain,
                guard(server, engine_options={"scheduling_policy": "priority"}) as ordered,
            ):
                PRIORITY.set(2)
                assert [type(screening) for screening in await plain.judge([BAD])] == [Verdict]
                assert not any("priority" in body for body in server.bodies)
                server.by_priority = True
                assert [type(screening) for screening in await ordered.judge([BAD])] == [Verdict]
                assert server.bodies[-1]["priority"] == 2

    asyncio.run(check())


def test_a_classifier_that_answers_something_else_screens_nothing() -> None:
    async def check() -> None:
        async with GuardServer(classifies=True) as server, guard(server) as judge:
            server.trouble = "empty"
            assert reasons(await judge.judge([BAD])) == [UNPARSEABLE]

    asyncio.run(check())


def test_what_is_secret_of_an_address_is_in_no_log_and_no_error() -> None:
    async def check() -> None:
        async with GuardServer(token="right") as server:
            url = server.url.replace("//", "//name:secret@")
            async with VllmServers(servers=[url], dialect=DIALECTS["wildguard-ko"], clock=ManualClock()) as judge:
                with pytest.raises(Broken, match=f"^127.0.0.1:{server.port}: the guard server refuses our token"):
                    await judge.judge([BAD])
        with capture_logs() as logs, pytest.raises(Unavailable) as away:
            async with VllmServers(servers=[url], dialect=DIALECTS["wildguard-ko"], clock=ManualClock()) as judge:
                await judge.judge([BAD])
        assert logs and "secret" not in f"{logs} {away.value}"

    asyncio.run(check())
