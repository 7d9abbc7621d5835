"""What happens to a message -> OpenTelemetry spans of one trace, from being received to what is done; never a text."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.util.types import AttributeValue

from bot.core.base.clock import Clock
from bot.core.chat.message import Message, MessageRef
from bot.core.guarding.verdict import Verdict
from bot.core.incidents.incident import PlannedAction, Settlement
from bot.core.rules.actions import Outcome


class Tracing:
    """A revision names its trace by itself: every process that has to do with it adds to the same one, and takes the
    same ones where only a `share` (0..1) is taken. The first span is the one that the others hang from."""

    def __init__(self, processor: SpanProcessor, clock: Clock, *, share: float = 1.0) -> None:
        self._clock = clock
        self._named = _Named()
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(share),
            resource=Resource.create({"service.name": "jikimi", "service.version": version("jikimi")}),
            id_generator=cast(Any, self._named),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("jikimi")

    def close(self) -> None:
        """What is not sent yet is sent; may take seconds."""
        self._provider.shutdown()

    async def kept(self, messages: Sequence[Message], new: Sequence[bool]) -> None:
        now = self._clock.now()
        for message, is_new in zip(messages, new, strict=True):
            if is_new:
                self._named.trace, self._named.span = _ids(message.ref)
                self._span("receive", message, message.sent_at, now, Context(), kind=message.kind.value)
                self._named.trace = self._named.span = 0

    def settled(self, settlements: Sequence[Settlement]) -> None:
        now = self._clock.now()
        for one in settlements:
            decision, message = one.decision, one.decision.message
            context, taken_up = _under(message.ref), one.decided_at - timedelta(milliseconds=one.ms)
            judged = decision.screening.guard.name if isinstance(decision.screening, Verdict) else ""
            self._span("judge", message, taken_up, one.decided_at, context, guard=judged)
            found: dict[str, AttributeValue] = {}
            if decision.is_incident:
                found = {"rule": decision.rule or "", "actions": [action.kind for action in decision.actions]}
            self._span("settle", message, one.decided_at, now, context, **found)

    def done(self, planned: PlannedAction, outcome: Outcome) -> None:
        now, ref = self._clock.now(), planned.message.ref
        if not planned.incident_id:  # a deed by hand is about no message
            return
        self._span(
            "act", planned.message, planned.planned_at or now, now, _under(ref), action=planned.action.kind,
            outcome=outcome.kind, attempts=planned.attempts, incident=planned.incident_id,
        )  # fmt: skip

    def _span(
        self, name: str, message: Message, begin: datetime, end: datetime, context: Context, **about: AttributeValue
    ) -> None:
        ref = message.ref
        facts: dict[str, AttributeValue] = {
            "platform": ref.platform, "community": message.community_id, "channel": ref.channel_id,
            "message": ref.message_id, "revision": ref.revision, **about,
        }  # fmt: skip
        began = _nanoseconds(min(begin, end))
        span = self._tracer.start_span(name, context, start_time=began)
        if span.is_recording():
            span.set_attributes({f"jikimi.{key}": value for key, value in facts.items()})
        span.end(_nanoseconds(end))


class _Named:
    """Ids that are named go before those that are drawn; 0: none is."""

    def __init__(self) -> None:
        self.trace = self.span = 0
        self._drawn = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        return self.trace or int(self._drawn.generate_trace_id())

    def generate_span_id(self) -> int:
        return self.span or int(self._drawn.generate_span_id())

    def is_trace_id_random(self) -> bool:
        return False


def _ids(ref: MessageRef) -> tuple[int, int]:
    """Of a revision's trace, and of the span that begins it."""
    digest = sha256("\0".join((ref.platform, ref.channel_id, ref.message_id, str(ref.revision))).encode()).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:24], "big") or 1


def _under(ref: MessageRef) -> Context:
    trace, span = _ids(ref)
    first = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(first), Context())


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000


@asynccontextmanager
async def tracing(endpoint: str, share: float, clock: Clock) -> AsyncIterator[Tracing]:
    """`endpoint`: a collector's, for OTLP over HTTP. While it is away, spans are dropped beyond a bound."""
    import asyncio

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    found = Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)), clock, share=share)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.close)
