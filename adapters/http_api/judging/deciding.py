"""Checks, and who asks -> the core's decisions, in time or not at all."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.types import Receive

from adapters.http_api.admission import Visitor
from adapters.http_api.wire.problems import Left, Problem
from adapters.http_api.wire.shapes import (
    CheckRequest,
    FeedbackRequest,
    Flagged,
    GuardShape,
    RecentShape,
    RuleShape,
    WhyShape,
)
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.message import MOST_READ, Author, Message, MessageRef
from bot.core.guarding.verdict import TOO_LONG, Part, Unscreened, Verdict, rounded
from bot.core.incidents.feedback import Listener, said_in
from bot.core.moderation.recent import RecentActivity
from bot.core.moderation.rulings import Rulings
from bot.core.moderators.ports import Desk
from bot.core.operations.ports import HealthSource
from bot.core.rules.conditions import Past
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Mode
from bot.core.rules.precedent import Ruling
from bot.core.text.catalogue import Texts, texts
from bot.wording.reasons import because

RETRY_AFTER = 5.0  # seconds, where nobody knows better
CODED_WITHIN = 0.5  # seconds
REMEMBERED_WITHIN = 0.1  # seconds; while the guard is away, what is remembered is all that can be answered

#: What came of a check: of its prompt, of the response to it.
Decisions = Mapping[Part, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """`deadline`: seconds within which a decision is worth anything to who asks. `called`: what those who ask have said
    of earlier ones, through `listener`."""

    desk: Desk
    health_source: HealthSource
    clock: Clock
    deadline: float
    listener: Listener
    called: Rulings
    _under_way: set["asyncio.Task[Any]"] = field(default_factory=set)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def decide(
        self, visitor: Visitor, checks: Sequence[CheckRequest], request_id: str, leaving: Coroutine[Any, Any, object]
    ) -> Sequence[Decisions]:
        """What came of each check. Raises Problem where the guard is away or too slow, Left where `leaving` came
        first; nobody then waits for the guard's answer any more."""
        snapshot = self.health_source.snapshot()
        asked = [self._asked(visitor, check, f"{request_id}-{number}") for number, check in enumerate(checks)]
        judging = asyncio.create_task(self._all(asked))
        gone = asyncio.create_task(leaving)
        self._under_way.add(judging)
        try:
            if self._stopping.is_set():
                raise Problem("stopping", retry_after=RETRY_AFTER)
            if not snapshot.has_room:
                raise Problem("too_busy", retry_after=RETRY_AFTER)
            patience = min(REMEMBERED_WITHIN, self.deadline) if snapshot.guard_is_away else self.deadline
            await asyncio.wait({judging, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if judging.cancelled():
                raise Problem("stopping", retry_after=RETRY_AFTER)
            if judging.done():
                return judging.result()
            if gone.done():
                raise Left
            away = self.health_source.snapshot().guard_is_away
            raise Problem("guard_away" if away else "too_long", retry_after=RETRY_AFTER)
        finally:
            self._under_way.discard(judging)
            for task in (judging, gone):
                task.cancel()

    def expect_guard(self) -> None:
        """Raises Problem while it is away."""
        if self.health_source.snapshot().guard_is_away:
            raise Problem("guard_away", retry_after=RETRY_AFTER)

    def stop(self) -> None:
        """Whoever still waits, or comes now, is told to come again later."""
        self._stopping.set()
        for task in self._under_way:
            task.cancel()

    async def _all(self, asked: Sequence[Mapping[Part, tuple[Message, Past]]]) -> Sequence[Decisions]:
        return await asyncio.gather(*(self._each(parts) for parts in asked))

    async def _each(self, parts: Mapping[Part, tuple[Message, Past]]) -> Decisions:
        decisions = await asyncio.gather(*(self.desk.judge(message, past) for message, past in parts.values()))
        return dict(zip(parts, decisions, strict=True))

    def _asked(self, visitor: Visitor, check: CheckRequest, name: str) -> Mapping[Part, tuple[Message, Past]]:
        """As it would stand in the community, a message each: the person's prompt, behind what the same author said
        before, and the bot's response to it. What was said of both together holds for the prompt, too."""
        author = Author(
            id=check.author.id,
            name=check.author.name,
            roles=frozenset(check.author.roles),
            since=check.author.joined_at,
        )
        prompt = Message(
            ref=MessageRef(visitor.key.community.platform, check.channel, name),
            community_id=visitor.key.community.id,
            author=author,
            sent_at=self.clock.now(),
            text=check.prompt,
        )
        called, past = self.called.of(prompt), past_of(prompt, check.recent)
        if not (check.response and check.response.strip()):
            return {Part.PROMPT: (prompt, replace(past, precedent=called))}
        ref = replace(prompt.ref, message_id=f"{name}-response")
        bot = Author(id="", bot=True)
        response = replace(prompt, ref=ref, author=bot, text=check.response, prompt=check.prompt)
        together = self.called.of(said_in(response))
        answered = {Part.RESPONSE: (response, Past(precedent=together))}
        if not check.prompt.strip():
            return answered
        return {Part.PROMPT: (prompt, replace(past, precedent=called or together)), **answered}

    async def told(
        self, decided: Decisions, request_id: str, say: Texts | None, *, explain: bool = False
    ) -> dict[str, Any]:
        """The fields of a CheckAnswer; `say`: the language of whoever asks, where it is not the community's. Where the
        database is away, there is no code, but an answer."""
        code = None
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(CODED_WITHIN):
                code = await self.listener.code([*decided.values()])
        return facts_of(decided, request_id, code, say, explain=explain)

    async def hear(self, visitor: Visitor, asked: FeedbackRequest) -> bool:
        """Whether it changes anything. Raises Problem where there was no such judgement."""
        key, ruling = visitor.key, Ruling(asked.verdict)
        changed = await self.listener.hear(key.community, asked.code, ruling, by=key.id)
        if changed is None:
            raise Problem("no_judgement", param="code")
        if changed:
            await self.called.load()
        return changed


def past_of(message: Message, recent: Sequence[RecentShape]) -> Past:
    """The same that is remembered of a member in a chat; what is said to come from the future came just now."""
    if not recent:
        return Past()
    heard, ref = RecentActivity(), message.ref
    earlier = [
        replace(
            message,
            ref=replace(ref, message_id=f"{ref.message_id}-{number}"),
            text=one.text,
            sent_at=min(one.sent_at or message.sent_at, message.sent_at),
        )
        for number, one in enumerate(recent)
    ]
    for one in sorted(earlier, key=lambda one: one.sent_at):
        heard.hear(one)
        heard.join(one)
    return Past(repeats=heard.hear(message), said=heard.join(message))


async def leaves(receive: Receive) -> None:
    """Returns when the client has gone; its request has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def flagged(decided: Decisions) -> Flagged:
    """None where the guard gave no verdict and no rule speaks for itself: that is neither safe nor harmful."""
    findings = [one for decision in decided.values() for one in decision.findings]
    if any(one.matched and one.mode is Mode.LIVE and one.why.code != "unscreened" for one in findings):
        return True
    return None if _unscreened(decided) else False


def facts_of(
    decided: Decisions, request_id: str, code: str | None, say: Texts | None, *, explain: bool
) -> dict[str, Any]:
    decisions = [*decided.values()]
    last = decisions[-1]
    guard, say = last.screening.guard, say or texts(last.language)
    unscreened = _unscreened(decided)
    verdicts = [] if unscreened else [one.screening for one in decisions if isinstance(one.screening, Verdict)]
    scores = {task: score for one in reversed(verdicts) for task, score in one.scores.items()}
    kinds = {part: found for one in reversed(verdicts) for part, found in one.kinds.items()}
    quotes = verdicts[-1].quotes if verdicts else None
    return {
        "request_id": request_id,
        "flagged": flagged(decided),
        "unscreened": unscreened,
        "scores": rounded(scores),
        "kinds": {part: rounded(found) for part, found in kinds.items()},
        "quotes": None if quotes is None else round(quotes, 4),
        "categories": sorted({category for one in verdicts for category in one.categories}),
        "rules": _rules(decided, say, matched=True),
        "code": code,
        "unmatched": _rules(decided, say, matched=False) if explain else None,
        "harm": sorted({kind for one in decisions for kind in one.kinds}),
        "actions": [*dict.fromkeys(action.kind for one in decisions for action in one.actions)],
        "withheld": [*dict.fromkeys(action.kind for one in decisions for action in one.withheld)],
        "guard": GuardShape(name=guard.name, model=guard.model, dialect=guard.dialect, calibration=guard.calibration),
        "windows": max((one.windows for one in verdicts), default=1),
        "policy": last.policy_version,
    }


def expect_verdict(decided: Decisions) -> None:
    """Raises Problem where nobody can say whether it is safe."""
    if flagged(decided) is None:
        reason = _unscreened(decided)
        raise Problem("unread" if reason == TOO_LONG else "unscreened", facts={"reason": reason, "most": MOST_READ})


def _unscreened(decided: Decisions) -> str | None:
    """Why not all of it has a verdict, or None."""
    screenings = (decision.screening for decision in decided.values())
    return next((one.reason for one in screenings if isinstance(one, Unscreened)), None)


def _rules(decided: Decisions, say: Texts, *, matched: bool) -> list[RuleShape]:
    return [
        RuleShape(
            rule=finding.rule,
            part=part.value,
            mode="live" if finding.mode is Mode.LIVE else "shadow",
            why=WhyShape(code=finding.why.code, sentence=because(finding.why, say)),
        )
        for part, decision in decided.items()
        for finding in decision.findings
        if finding.matched is matched
    ]
