"""Edits of bots' messages, and pieces of albums -> the revisions worth judging: the last one of a burst, and looks
between at a long one."""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.core.chat.message import CommunityRef, Kind, Message

Key = tuple[str, str, str]  # platform, channel, message


@dataclass(slots=True)
class _Stream:
    """One message that grows: when its newest revision was written, how much of it was looked at, and what is held back
    since when. Of two in one second (Telegram's clock has no smaller ones) the one that came last is newer."""

    newest: datetime
    community: CommunityRef
    looked: int = 0  # characters
    held: Message | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Streams:
    """What is held stays claimed in the inbox, so a process that dies loses nothing: it is claimed and held again.
    `now` is the clock's time; what was sent long before it is a backlog, and is not held up."""

    quiet: timedelta = timedelta(seconds=4)  # no edit for so long: the answer is complete
    gather: timedelta = timedelta(seconds=1)  # no further piece for so long: what was sent in pieces is complete
    longest: timedelta = timedelta(seconds=30)  # but the first edit is not held back for longer
    look: int = 500  # characters that an answer has grown by: worth a look in between
    most: int = 10_000  # messages held back, and remembered
    _streams: OrderedDict[Key, _Stream] = field(default_factory=OrderedDict)
    _held: dict[Key, _Stream] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def sift(self, message: Message, now: datetime) -> tuple[list[Message], list[Message]]:
        """A message that was claimed -> what is to be judged now, and what need not be judged any more."""
        key = (message.ref.platform, message.ref.channel_id, message.ref.message_id)
        grows = message.kind is Kind.DELETE or message.more_to_come or _by_another_bot(message)
        if not self.quiet or not (grows or key in self._held):
            return [message], []
        if message.kind is Kind.DELETE:
            stream = self._streams.pop(key, None)
            return [*self._release(key, stream), message], []
        stream = self._remember(key, message)
        if message.sent_at < stream.newest:
            return [], [message]
        stream.newest = message.sent_at
        superseded = [stream.held] if stream.held else []
        grown = len(message.lead) + len(message.text) - stream.looked
        whole = message.kind is Kind.NEW or not _by_another_bot(message)
        if not message.more_to_come and (whole or grown >= self.look):
            self._release(key, stream)
            stream.looked = len(message.lead) + len(message.text)
            return [message], superseded
        came = now if now - message.sent_at < self.longest else message.sent_at
        stream.held, self._held[key] = message, stream
        stream.since = stream.since or came
        quiet = self.gather if message.more_to_come else self.quiet
        stream.until = min(came + quiet, stream.since + self.longest)
        return [], superseded

    def due(self, now: datetime, *, all_of_them: bool = False) -> Iterator[Message]:
        """What has been quiet for long enough, or waited too long; what is too much to hold, oldest first. Nothing is
        held for longer than `longest`, even if the clock is set back."""
        too_many = len(self._held) - self.most
        for key, stream in list(self._held.items()):
            over = stream.until is not None and not now < stream.until <= now + self.longest
            if all_of_them or too_many > 0 or over:
                too_many -= 1
                yield from self._release(key, stream)

    def leave(self, communities: Collection[CommunityRef]) -> None:
        """What is held of these is held no more: whoever claims it next holds it anew."""
        for streams in (self._streams, self._held):
            for key in [key for key, stream in streams.items() if stream.community in communities]:
                del streams[key]

    def next_due(self) -> datetime | None:
        return min((stream.until for stream in self._held.values() if stream.until), default=None)

    def _remember(self, key: Key, message: Message) -> _Stream:
        stream = self._streams.setdefault(key, _Stream(message.sent_at, message.community))
        self._streams.move_to_end(key)
        while len(self._streams) > self.most and next(iter(self._streams.values())).held is None:
            self._streams.popitem(last=False)
        return stream

    def _release(self, key: Key, stream: _Stream | None) -> list[Message]:
        """What is held of this message, which is not held any more."""
        if stream is None or stream.held is None:
            return []
        held, stream.held, stream.since, stream.until = stream.held, None, None, None
        stream.looked = len(held.lead) + len(held.text)
        self._held.pop(key, None)
        return [held]


def _by_another_bot(message: Message) -> bool:
    return message.author.bot and not message.author.myself
