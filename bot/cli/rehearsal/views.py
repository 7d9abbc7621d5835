"""What a rehearsal settles, and its summary -> JSON lines for programs, or coloured lines above a progress bar."""

import re
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bot.cli.guarding.shown import settlement_json
from bot.cli.rehearsal.progress import Summary
from bot.cli.shown import print_json
from bot.config import Config
from bot.core.chat.message import Kind, Message
from bot.core.guarding.verdict import Unscreened, as_shown
from bot.core.incidents.incident import Incident, Settlement
from bot.core.rules.actions import Weight
from bot.core.rules.decision import Decision
from bot.core.text.catalogue import Texts
from bot.wording.reasons import deeds, reasons

NARROW = 80  # columns below which only words, score and what is done have room
DIGEST = Path("jikimi-digest.md")

#: What moves a terminal's cursor, names its window or turns what follows round, and what cannot be written at all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
        if self._path == "-" and sys.stdin.isatty():
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
        width = self._console.width
        verdict = ((score, 5, style), (actions, 25 if width >= NARROW else 18, style))
        left = width - 49  # beside when, who, score and what is done
        told = left // 2 if left >= 50 else 0
        line = Text(no_wrap=True, overflow="ellipsis")
        for part, cells, part_style in (
            ((text, max(12, width - 23), style if style != "dim" else ""), *verdict)
            if width < NARROW
            else (
                (message.sent_at.astimezone(self._zone).strftime("%H:%M"), 6, "dim"),
                (message.author.name, 13, "dim" if message.author.is_staff else ""),
                (text, left - told, style if style != "dim" else ""),
                *verdict,
                *([(why, told, "dim")] if told else []),
            )
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
        if not summary.settled:
            console.print(f"[bold yellow]{escape(say['rehearsal.nothing'])}[/]")
            return
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
    return "" if screening.harm is None else f"{as_shown(screening.harm):.2f}"


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
