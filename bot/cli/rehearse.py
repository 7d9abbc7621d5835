"""A transcript -> the whole product at work on it, shown line by line, with a summary and a digest at the end."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bot.app import chats, guards, tools
from bot.app.application import application
from bot.cli.shown import print_json, settlement_json
from bot.config import Config, StorageSettings
from bot.core.base.clock import Clock
from bot.core.chat.message import Kind, Message, MessageRef
from bot.core.guarding.verdict import Unscreened
from bot.core.incidents.incident import Incident, Settlement
from bot.core.incidents.ports import IncidentLog
from bot.core.moderation.ports import Inbox
from bot.core.rules.actions import Weight
from bot.core.rules.policy import Decision, Watch
from bot.core.text.catalogue import Texts
from bot.wording.reasons import deeds, reasons

DIGEST = Path("jikimi-digest.md")

#: What moves a terminal's cursor, names its window or turns what follows round, and what cannot be written at all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


async def rehearse(
    file: str | None,
    config: Config,
    say: Texts,
    *,
    as_json: bool = False,
    speed: float | None = None,
    database: str | None = None,
    console: Console | None = None,
) -> None:
    """Decides as in live mode, at the transcript's own time; the chat only pretends to act. The database that the bot
    works with is never touched: `database` is the URL of one to keep, None one that is gone afterwards."""
    with (
        nullcontext(file) if file else as_file(files("bot.cli.rehearsal") / "transcript.jsonl") as path,
        nullcontext(database) if database else _own_database() as url,
    ):
        config = config.model_copy(update={"storage": StorageSettings(url=url)})
        view: View
        view = JsonView(say) if as_json else TerminalView(say, config, str(path), console, keeps=bool(database))
        with view:
            await _moderate(str(path), config, say, view, speed)


@contextmanager
def _own_database() -> Iterator[str]:
    with TemporaryDirectory(prefix="jikimi-rehearsal-") as folder:
        yield f"sqlite:///{folder}/jikimi.db"


async def _moderate(path: str, config: Config, say: Texts, view: "View", speed: float | None) -> None:
    clock = tools.clock()
    progress = Rehearsal(view, clock)
    async with (
        guards.guard(config, say) as guard,
        application(
            config,
            guard,
            lambda core: [chats.rehearsal_chat(path, say, clock, speed=speed)],
            mode=Watch.LIVE,
            clock=clock,
            moment=lambda message: message.sent_at,
            on_settled=progress.settled,
        ) as jikimi,
    ):
        progress.attach(jikimi.inbox, jikimi.incidents)
        try:
            await jikimi.run(on_kept=progress.kept)
        finally:
            summary = progress.summary()
            if progress.period:
                start, end = progress.period
                digest = await jikimi.reporter.digest(start, end + timedelta(microseconds=1))
                _write(tools.digest_page(digest, say, config.defaults.timezone))
            view.summary(summary, config)


def _write(page: str) -> None:
    DIGEST.write_text(page, "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`kept` and `settled` count the whole transcript, with what an earlier run of it had done (`earlier`)."""

    kept: int
    settled: int
    incidents: int
    unscreened: int
    per_second: float
    earlier: int


class View(Protocol):
    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def settlement(self, settlement: Settlement) -> None: ...
    def earlier(self, message: Message, incident: Incident | None) -> None: ...
    def summary(self, summary: Summary, config: Config) -> None: ...


@dataclass(slots=True)
class Rehearsal:
    """Puts what comes back settled into the transcript's order and counts it."""

    view: View
    clock: Clock
    period: tuple[datetime, datetime] | None = None
    _inbox: Inbox | None = None
    _incidents: IncidentLog | None = None
    _seen: set[int] = field(default_factory=set)  # hashes of refs: a transcript may be long
    _order: deque[Message] = field(default_factory=deque)
    _back: dict[MessageRef, Settlement | Incident | None] = field(default_factory=dict)
    _settled: int = 0
    _now: int = 0
    _incident_count: int = 0
    _unscreened: int = 0
    _began: float | None = None
    _ended: float = 0.0

    def attach(self, inbox: Inbox, incidents: IncidentLog) -> None:
        self._inbox, self._incidents = inbox, incidents
        self._began = self.clock.monotonic()

    async def kept(self, messages: Sequence[Message], new: Sequence[bool]) -> None:
        assert self._inbox and self._incidents
        known = [message.ref for message, is_new in zip(messages, new, strict=True) if not is_new]
        done = {ref for ref, settled in zip(known, await self._inbox.settled(known), strict=True) if settled}
        incidents = {incident.decision.message.ref: incident for incident in await self._incidents.of(list(done))}
        for message in messages:
            if (mark := hash(message.ref)) in self._seen:
                continue
            self._seen.add(mark)
            self._order.append(message)
            if message.ref in done:
                self._back.setdefault(message.ref, incidents.get(message.ref))
        self._show()

    def settled(self, settlements: Sequence[Settlement]) -> None:
        self._now += len(settlements)
        self._ended = self.clock.monotonic()
        for settlement in settlements:
            self._back[settlement.decision.message.ref] = settlement
        self._show()

    def _show(self) -> None:
        while self._order and self._order[0].ref in self._back:
            message = self._order.popleft()
            result = self._back.pop(message.ref)
            self._settled += 1
            start, end = self.period or (message.sent_at, message.sent_at)
            self.period = (min(start, message.sent_at), max(end, message.sent_at))
            if isinstance(result, Settlement):
                self._count(result.decision)
                self.view.settlement(replace(result, decision=replace(result.decision, message=message)))
            else:
                if result:
                    self._count(result.decision)
                self.view.earlier(message, result)

    def _count(self, decision: Decision) -> None:
        self._incident_count += decision.is_incident
        self._unscreened += isinstance(decision.screening, Unscreened)

    def summary(self) -> Summary:
        took = max(self._ended - (self._began or 0.0), 1e-6)
        return Summary(
            kept=len(self._seen),
            settled=self._settled,
            incidents=self._incident_count,
            unscreened=self._unscreened,
            per_second=self._now / took,
            earlier=self._settled - self._now,
        )


class JsonView:
    """One line a message that was settled in this run, then the summary."""

    def __init__(self, say: Texts) -> None:
        self._say = say

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def settlement(self, settlement: Settlement) -> None:
        print_json(settlement_json(settlement, self._say))

    def earlier(self, message: Message, incident: Incident | None) -> None: ...

    def summary(self, summary: Summary, config: Config) -> None:
        print_json(
            {
                "summary": {
                    "kept": summary.kept,
                    "settled": summary.settled,
                    "incidents": summary.incidents,
                    "unscreened": summary.unscreened,
                    "per_second": round(summary.per_second, 1),
                }
            }
        )


class TerminalView:
    """A line a message above a progress bar; what was done stands out, what is fine stays quiet."""

    def __init__(
        self, say: Texts, config: Config, path: str, console: Console | None = None, *, keeps: bool = False
    ) -> None:
        self._say, self._keeps = say, keeps
        self._zone = ZoneInfo(config.defaults.timezone)
        self._path = path
        console = console or Console(highlight=False, emoji=False)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._console = self._progress.console
        self._task = self._progress.add_task(say["rehearsal.judging"], total=_lines(path))

    def __enter__(self) -> None:
        say = self._say
        self._console.print(f"[bold]{escape(say['rehearsal.title'])}[/]  [dim]{escape(say['rehearsal.subtitle'])}[/]")
        if self._path == "-":
            self._console.print(f"[dim]{escape(say['rehearsal.stdin'])}[/]")
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def settlement(self, settlement: Settlement) -> None:
        self._line(settlement.decision.message, settlement.decision, "")

    def earlier(self, message: Message, incident: Incident | None) -> None:
        self._line(message, incident.decision if incident else None, self._say["rehearsal.earlier"])

    def _line(self, message: Message, decision: Decision | None, note: str) -> None:
        say = self._say
        text = say["rehearsal.withdrawn"] if message.kind is Kind.DELETE else " ".join(message.text.split())
        score = "" if decision is None else _score(decision)
        actions, why, style = note or say["rehearsal.fine"], "", "dim"
        if decision and decision.is_incident:
            actions = deeds(decision.actions, say)
            why = reasons(decision, say)
            style = _style(decision)
        elif message.kind is Kind.DELETE:
            actions = say["rehearsal.nothing_to_judge"]
        width = max(self._console.width, 80)
        line = Text(no_wrap=True, overflow="ellipsis")
        for part, cells, part_style in (
            (message.sent_at.astimezone(self._zone).strftime("%H:%M"), 6, "dim"),
            (message.author.name, 13, "dim" if message.author.is_staff else ""),
            (text, width * 45 // 100, style if style != "dim" else ""),
            (score, 5, style),
            (actions, 25, style),
            (why, width * 55 // 100 - 49, "dim"),
        ):
            line.append_text(_cell(part, cells, part_style))
        self._console.print(line, no_wrap=True, crop=True)
        self._progress.advance(self._task)

    def summary(self, summary: Summary, config: Config) -> None:
        self._progress.update(self._task, total=summary.settled, completed=summary.settled)
        self._progress.stop()
        say, console = self._say, self._console
        console.print()
        if summary.earlier > 0:
            message = say("rehearsal.already", count=summary.earlier, database=config.storage.shown)
            console.print(f"[yellow]{escape(message)}[/]")
        facts = {"settled": summary.settled, "incidents": summary.incidents, "unscreened": summary.unscreened}
        console.print(f"[bold]{escape(say('rehearsal.summary', **facts, per_second=summary.per_second))}[/]")
        if self._keeps:
            console.print(escape(say("rehearsal.database", path=config.storage.shown)))
        if DIGEST.exists():
            console.print(escape(say("rehearsal.digest", path=DIGEST.resolve())))


def _lines(path: str) -> int | None:
    """How many lines a transcript has; None where nobody can know."""
    if path == "-":
        return None
    try:
        with Path(path).open("rb") as stream:
            return sum(1 for line in stream if line.strip())
    except OSError:
        return None


def _score(decision: Decision) -> str:
    screening = decision.screening
    if isinstance(screening, Unscreened):
        return "?"
    return "" if screening.harm is None else f"{screening.harm:.2f}"


def _style(decision: Decision) -> str:
    if any(action.kind == "escalate" for action in decision.actions):
        return "bold magenta"
    if any(action.weight >= Weight.MESSAGE for action in decision.actions):
        return "bold red"
    return "yellow" if decision.actions else "dim"


def _cell(text: str, width: int, style: str) -> Text:
    cell = Text(_UNPRINTABLE.sub("\ufffd", text), style=style)
    cell.truncate(width - 1, overflow="ellipsis")
    cell.pad_right(width - cell.cell_len)
    return cell
