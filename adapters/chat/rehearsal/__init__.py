"""A transcript (JSON Lines) or an export -> messages, as if a network had sent them; actions are only pretended."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import IO, Any
from zoneinfo import ZoneInfo

from adapters.chat.rehearsal.exports import Row, rows
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, reason
from bot.core.chat.message import Author, CommunityRef, Kind, Message, MessageRef, Pairing, Platform
from bot.core.chat.ports import Connection
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Delete, Done, Gone, Outcome
from bot.core.text.catalogue import Texts
from bot.core.text.encoding import decoded

REHEARSAL = Platform("rehearsal")
BATCH = 256  # lines that arrive together when nobody waits for the recorded time
HEAD = 1 << 16  # bytes in which the first line of a transcript ends
PROMPTS = 5_000  # messages remembered as what a bot may answer

_KEYS: dict[str, tuple[type, str]] = {
    "at": (str, "string"), "community": (str, "string"), "channel": (str, "string"), "author": (str, "string"),
    "message": (str, "string"), "text": (str, "string"), "kind": (str, "string"), "bot": (bool, "flag"),
    "roles": (list, "list"),
}  # fmt: skip
_NEEDED = ("at", "community", "channel", "author", "message")


class RehearsalChat:
    """Reads `path` ("-": standard input, where plain lines will do). `zone`: where exports without an offset were
    made. A message's revision is how often it was edited or deleted until then, so the same transcript gives the same
    ones in every run."""

    platform = REHEARSAL
    connection = Connection(is_up=True)

    def __init__(
        self, path: str, say: Texts, clock: Clock, *, speed: float | None = None, zone: str = "Asia/Seoul"
    ) -> None:
        self._path = path
        self._say = say
        self._clock = clock
        self._speed = speed
        self._zone = ZoneInfo(zone)
        self._typed = 0  # plain lines so far
        self._changes: Counter[tuple[str, str]] = Counter()  # edits and deletions so far, of messages that have any
        self._prompts = Bounded[tuple[str, str], str](PROMPTS)  # what people said last, for the bots that answer
        self._withdrawn: set[tuple[str, str]] = set()

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        """Raises `Broken` at a bad line, after the lines before it were taken."""
        number = 0
        began: tuple[datetime, float] | None = None
        async for lines in self._lines():
            batch: list[Message] = []
            try:
                for line in lines:
                    number += 1
                    if line.strip():
                        batch.append(self._message(line, number))
            except Broken:
                if batch:
                    yield batch
                raise
            if not self._speed:
                yield batch
                continue
            for message in batch:
                began = began or (message.sent_at, self._clock.monotonic())
                due = began[1] + (message.sent_at - began[0]).total_seconds() / self._speed
                await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
                yield [message]

    async def perform(self, planned: PlannedAction) -> Outcome:
        ref = planned.message.ref
        if isinstance(planned.action, Delete) and (ref.channel_id, ref.message_id) in self._withdrawn:
            return Gone()
        return Done()

    async def meet(self, message: Message) -> Author:
        return message.author

    def forget(
        self, community: CommunityRef, is_theirs: Callable[[str], bool]
    ) -> None: ...  # it is over before anybody could ask

    async def owner(self, community: CommunityRef) -> str | None:
        return None  # nobody owns what is over

    def incident_changed(
        self, community: CommunityRef, incident_id: int, *, emptied: bool = False
    ) -> None: ...  # what is shown here stays

    def taken_over(self) -> None: ...  # nobody else was here

    async def announce(self, channel_id: str, text: str) -> None:
        """Nobody is there to read it."""

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        return Done()

    async def _lines(self) -> AsyncIterator[Sequence[bytes]]:
        """Batches of lines: of a file in steps of BATCH, of standard input whatever has come."""
        if self._path == "-":
            async for lines in _typed():
                yield lines
            return
        with self._open() as stream:
            told = await asyncio.to_thread(self._exported, stream)
            while lines := list(islice(told or stream, BATCH)):
                yield lines

    def _exported(self, stream: IO[bytes]) -> Iterator[bytes] | None:
        """The lines of a transcript that is written otherwise, or in another encoding; None: it is one already."""
        head = stream.read(HEAD)
        stream.seek(0)
        if not _may_be_exported(head):
            return None
        try:
            content = decoded(stream.read())
        except UnicodeDecodeError:
            raise Broken(self._say("transcript.not_text", path=self._path)) from None
        finally:
            stream.seek(0)
        try:
            told = rows(Path(self._path), content, self._zone)
        except EOFError:
            raise Broken(self._say("transcript.cut_off", path=self._path)) from None
        if told is None and content.strip() and not content.lstrip().startswith("{"):
            raise Broken(self._say("transcript.plain", path=self._path))
        return (line.encode() for line in content.split("\n")) if told is None else self._written(told)

    def _written(self, told: Iterator[Row]) -> Iterator[bytes]:
        try:
            for row in told:
                yield json.dumps(row).encode()
        except ValueError as error:
            raise Broken(self._say("transcript.not_exported", path=self._path, why=error)) from None

    def _open(self) -> IO[bytes]:
        try:
            return Path(self._path).open("rb")
        except FileNotFoundError:
            raise Broken(self._say("transcript.no_file", path=self._path)) from None
        except OSError as error:
            raise Broken("{path}: {why}", path=self._path, why=reason(error)) from None

    def _message(self, line: bytes, number: int) -> Message:
        try:
            row = self._row(line)
        except ValueError as error:
            raise Broken(self._say("transcript.problem", path=self._path, line=number, why=error)) from None
        channel_id = f"{row['community']}/{row['channel']}"
        key = (channel_id, row["message"])
        kind, bot = Kind(row.get("kind", "new")), row.get("bot", False)
        text, reply_to = _whole(row.get("text", "")), row.get("reply_to")
        if kind is not Kind.NEW:
            self._changes[key] += 1
        if kind is Kind.DELETE:
            self._withdrawn.add(key)
        if not bot:
            self._prompts[key] = text
        prompt = self._prompts.get((channel_id, reply_to)) if reply_to and bot else None
        return Message(
            ref=MessageRef(REHEARSAL, channel_id, row["message"], self._changes.get(key, 0)),
            community_id=row["community"],
            author=Author(id=row["author"], name=row["author"], roles=frozenset(row.get("roles", ())), bot=bot),
            sent_at=row["at"].astimezone(UTC),
            text=text,
            kind=kind,
            reply_to=reply_to,
            prompt=prompt,
            pairing=None if prompt is None else Pairing.CERTAIN,
            mentions=text.count("@"),
        )

    def _row(self, line: bytes) -> dict[str, Any]:
        text = decoded(line) if self._path == "-" else line.decode("utf-8-sig")  # UnicodeDecodeError: a ValueError
        if self._path == "-" and not text.lstrip().startswith("{"):
            now, self._typed = self._clock.now(), self._typed + 1
            words = text.strip()
            return {
                "at": now,
                "community": "-",
                "channel": "-",
                "author": "-",
                "message": f"{now.isoformat()} {self._typed}",
                "text": words,
            }
        return parse(text, self._say)


def _may_be_exported(head: bytes) -> bool:
    """Whether it is not plainly a transcript: lines of JSON in UTF-8, the first of which is whole."""
    first = head.lstrip().partition(b"\n")[0]
    try:
        row = json.loads(first.decode("utf-8-sig"))
        return not isinstance(row, dict) or isinstance(row.get("messages"), list)
    except (ValueError, RecursionError):
        return True


async def _typed() -> AsyncIterator[Sequence[bytes]]:
    """Lines of standard input as they come. A daemon thread reads, so that nobody waits for it at the end."""
    loop, ready = asyncio.get_running_loop(), asyncio.Queue[bytes | None](maxsize=BATCH)

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed: the program is ending
            for line in sys.stdin.buffer:
                asyncio.run_coroutine_threadsafe(ready.put(line), loop).result()
            asyncio.run_coroutine_threadsafe(ready.put(None), loop).result()

    Thread(target=read, daemon=True).start()
    while (line := await ready.get()) is not None:
        lines = [line]
        while not ready.empty():
            if (more := ready.get_nowait()) is None:
                yield lines
                return
            lines.append(more)
        yield lines


def parse(line: str, say: Texts) -> dict[str, Any]:
    """One transcript line, checked, with `at` as an aware datetime. Raises ValueError with the reason."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(say("transcript.not_json", place=error.colno)) from None
    except RecursionError:
        raise ValueError(say.why("JSON that is nested too deep")) from None
    if not isinstance(row, dict):
        raise ValueError(say["transcript.not_object"])
    for problem in _problems(row, say):
        raise ValueError(problem)
    try:
        row["at"] = datetime.fromisoformat(row["at"])
    except ValueError:
        raise ValueError(say["transcript.bad_time"]) from None
    if row["at"].tzinfo is None:
        raise ValueError(say["transcript.bad_time"])
    return row


def _whole(text: str) -> str:
    """Half of a surrogate pair, as careless cutting leaves it, becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _problems(row: dict[str, Any], say: Texts) -> Iterator[str]:
    needed: Iterable[str] = _NEEDED if row.get("kind") == "delete" else (*_NEEDED, "text")
    for key in needed:
        if key not in row:
            yield say("transcript.missing", key=key)
    for key, value in row.items():
        if key == "reply_to":
            if value is not None and not isinstance(value, str):
                yield say("transcript.wrong_type", key=key, kind=say["check.string"])
        elif key not in _KEYS:
            yield say("transcript.unknown", key=key)
        elif not isinstance(value, _KEYS[key][0]):
            yield say("transcript.wrong_type", key=key, kind=say[f"check.{_KEYS[key][1]}"])
    for key in ("community", "channel", "author", "message"):
        if not row[key].strip() or not row[key].isprintable():
            yield say("transcript.bad_id", key=key)
    if row.get("kind", "new") not in ("new", "edit", "delete"):
        yield say["transcript.bad_kind"]
    if not all(isinstance(role, str) for role in row.get("roles", ())):
        yield say("transcript.wrong_type", key="roles", kind=say["check.list"])
