"""Where it is wanted, a message's way is one trace in whatever process: ids and durations, never a word of it."""

import asyncio
import sys
from pathlib import Path

import pytest

from bot.app import operations
from bot.app.application import application
from bot.config import Config, StorageSettings
from bot.core.base.errors import Broken
from bot.core.chat.message import MessageRef
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from tests.builders import REHEARSAL, message
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.clock import ManualClock
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import sqlite_in

pytest.importorskip("opentelemetry.sdk")  # an extra

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.tracing import Tracing, _ids

WORDS = "심어둔나쁜말"
HARMFUL, HARMLESS = message("1", f"죽어 {WORDS}"), message("2", f"안녕하세요 {WORDS}")


def traced(url: str, share: float = 1.0) -> list[ReadableSpan]:
    """The spans of both messages on their way."""
    spans, clock = InMemorySpanExporter(), ManualClock()
    tracing = Tracing(SimpleSpanProcessor(spans), clock, share=share)
    guard = ScriptedGuard({HARMFUL.text: 0.99, HARMLESS.text: 0.01})

    async def scenario() -> None:
        config = Config(storage=StorageSettings(url=url, keys=""))
        platform = ScriptedPlatform([HARMFUL, HARMLESS])
        async with application(
            config, guard, lambda core: [platform], mode=Watch.LIVE, clock=clock, on_settled=tracing.settled,
            on_done=tracing.done,
        ) as jikimi:  # fmt: skip
            await jikimi.run(tracing.kept)

    asyncio.run(scenario())
    tracing.close()
    return list(spans.get_finished_spans())


def test_a_message_is_one_trace_from_being_received_to_what_is_done_about_it(tmp_path: Path) -> None:
    spans = traced(sqlite_in(tmp_path))
    of = {ref.message_id: _ids(ref) for ref in (HARMFUL.ref, HARMLESS.ref)}
    names: dict[str, list[str]] = {"1": [], "2": []}
    for span in spans:
        assert span.attributes and span.context and span.start_time and span.end_time
        id_ = str(span.attributes["jikimi.message"])
        trace, first = of[id_]
        assert span.context.trace_id == trace and span.end_time >= span.start_time
        if span.name == "receive":
            assert span.parent is None and span.context.span_id == first
        else:
            assert span.parent and span.parent.span_id == first
        names[id_].append(span.name)
    assert names["2"] == ["receive", "judge", "settle"]
    assert names["1"][:3] == ["receive", "judge", "settle"] and set(names["1"][3:]) == {"act"}
    acts = [dict(span.attributes or {}) for span in spans if span.name == "act"]
    assert {str(one["jikimi.outcome"]) for one in acts} == {"done"}
    (settled,) = [span for span in spans if span.name == "settle" and (span.attributes or {})["jikimi.message"] == "1"]
    assert (settled.attributes or {})["jikimi.rule"] and "delete" in str((settled.attributes or {})["jikimi.actions"])
    assert WORDS not in "".join(span.to_json() for span in spans)


def test_a_share_takes_the_same_messages_in_every_process(tmp_path: Path) -> None:
    assert traced(sqlite_in(tmp_path), share=0.0) == []
    refs = [MessageRef(REHEARSAL, "general", str(number)) for number in range(1_000)]
    bound = 0.1 * 2**64
    taken = [_ids(ref)[0] & (2**64 - 1) < bound for ref in refs]
    assert 60 < sum(taken) < 140, "ids that name themselves are as good as drawn"


def test_it_is_off_by_default_and_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with operations.traces(Config(), texts("en")) as traces:
            assert traces is None
        monkeypatch.setitem(sys.modules, "adapters.tracing", None)
        wanted = Config.model_validate({"tracing": {"endpoint": "http://127.0.0.1:4318/v1/traces"}})
        with pytest.raises(Broken, match="jikimi"):
            async with operations.traces(wanted, texts("en")):
                pass

    asyncio.run(scenario())
