"""What was said lately in each channel -> what a bot's next message answers, and how sure that is.

The platforms differ in what they say of an answer; `Hints` is what they have in common. In this order:

  an edit                  answers what its message answered before
  a known prompt           the message that is replied to, or a context menu's target: certain
  an earlier answer        a follow-up, a regenerated answer, a reply of a bot to itself: what that one answered
  an unseen command        somebody used a slash command: hidden
  a long answer's rest     follows at once on a long message of the same bot: what that one answered
  somebody who asked       the only person who called the bot in the channel and still waits: guessed. Where the answer
                           names a person, that person's. Where several wait, nobody knows: hidden
  turns of a thread        what people have said since the bot spoke last; certain where one person alone
                           talks in a thread that the bot opened
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.core.base.bounded import Bounded
from bot.core.chat.message import Pairing

#: How long after a call an answer may come that does not say what it answers.
WAITS = timedelta(seconds=60)

#: How soon after a piece of a long answer the next piece comes, and how long such a piece is at least (characters).
FOLLOWS, LONG = timedelta(seconds=10), 1000

#: How many turns of people make the prompt in a thread.
TURNS = 3

#: What a bot that is called without a name is called: every bot may feel addressed.
ANYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message, as far as pairing needs it. `calls` names the bots that are mentioned or commanded by a person;
    `prompt` and `pairing` are what a bot's message was found to answer."""

    id: str
    author: str
    at: datetime
    text: str
    bot: bool = False
    calls: frozenset[str] = frozenset()
    prompt: str | None = None
    pairing: Pairing | None = None
    asked: str | None = None  # the id of the message that holds the prompt
    lead: str = ""
    pieces: tuple[str, ...] = ()  # the earlier messages of the same answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a platform says about a bot's message: `asked` is the id of the message that it replies to (which was heard
    before, if it can be had at all), `answer` the id of an earlier answer of the same bot."""

    asked: str | None = None
    answer: str | None = None
    unseen: bool = False
    names: frozenset[str] = frozenset()  # people whom the answer mentions
    thread: bool = False
    own_thread: bool = False  # the bot opened the thread


@dataclass(slots=True)
class _Channel:
    turns: OrderedDict[str, Turn] = field(default_factory=OrderedDict)
    served: dict[str, set[str]] = field(default_factory=dict)  # bot -> ids of the calls that it has answered

    def newest_first(self) -> list[Turn]:
        """What was fetched or read back comes in later than it was said."""
        return sorted(self.turns.values(), key=lambda turn: turn.at)[::-1]


class Turns:
    """Bounded by time, by turns a channel and by channels. Lost with the process; who starts again tells what is still
    on record with `hear`."""

    def __init__(self, *, keep: timedelta = timedelta(minutes=15), each: int = 100, channels: int = 1_000) -> None:
        self._keep, self._each = keep, each
        self._channels = Bounded[str, _Channel](channels)

    def said(self, channel: str, id: str) -> Turn | None:
        """What a message said last, whoever has deleted it since."""
        known = self._channels.get(channel)
        return known.turns.get(id) if known else None

    def hear(self, channel: str, turn: Turn) -> None:
        """Remember a turn; an edit takes the place of what the message said before."""
        known = self._channels.refresh(channel, _Channel())
        known.turns[turn.id] = turn
        if turn.bot and turn.asked:
            known.served.setdefault(turn.author, set()).add(turn.asked)
        while known.turns and (len(known.turns) > self._each or _first(known).at < turn.at - self._keep):
            gone, _ = known.turns.popitem(last=False)
            for served in known.served.values():
                served.discard(gone)

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        """What they said, and what bots were asked by them."""
        authors = {turn.author for known in self._channels.values() for turn in known.turns.values()}
        theirs = {author for author in authors if is_theirs(author)}
        for known in self._channels.values():
            gone = {id_ for id_, turn in known.turns.items() if turn.author in theirs}
            for id_, turn in list(known.turns.items()):
                if id_ in gone:
                    del known.turns[id_]
                elif turn.asked in gone:
                    known.turns[id_] = replace(turn, prompt=None, pairing=Pairing.HIDDEN)

    def answer(self, channel: str, turn: Turn, hints: Hints) -> Turn:
        """A bot's turn, with what it answers; remembered. Of a message that answers nobody `pairing` is None."""
        paired = self._paired(self._channels.get(channel, _Channel()), turn, hints)
        self.hear(channel, paired)
        return paired

    def _paired(self, known: _Channel, turn: Turn, hints: Hints) -> Turn:
        if (before := known.turns.get(turn.id)) and before.pairing:
            return replace(_like(turn, before), lead=before.lead, pieces=before.pieces)
        if hints.asked and (asked := known.turns.get(hints.asked)):
            if asked.bot:
                return _like(turn, asked) if asked.author == turn.author else turn
            return self._with_lead(known, _with(turn, asked.text, Pairing.CERTAIN, asked.id))
        if hints.answer and (earlier := known.turns.get(hints.answer)) and earlier.pairing:
            return _like(turn, earlier)
        if hints.unseen or hints.asked:  # what was replied to is gone, and nobody has kept it
            return _with(turn, None, Pairing.HIDDEN, hints.asked)
        if (last := _last_of(known, turn)) and len(last.text) >= LONG and last.pairing:
            return _rest(turn, last)
        if waiting := self._waiting(known, turn, hints):
            if len({one.author for one in waiting}) > 1:
                return _with(turn, None, Pairing.HIDDEN, None)
            return _with(turn, "\n".join(one.text for one in waiting), Pairing.GUESSED, waiting[0].id)
        return self._in_thread(known, turn, hints) if hints.thread else turn

    def _with_lead(self, known: _Channel, turn: Turn) -> Turn:
        """The next piece of a long answer that names its prompt again."""
        last = _last_of(known, turn)
        if last and last.asked == turn.asked is not None and len(last.text) >= LONG:
            return _rest(turn, last)
        return turn

    def _waiting(self, known: _Channel, turn: Turn, hints: Hints) -> list[Turn]:
        """Calls of this bot that it has not answered, oldest first; of the people that it names, if any."""
        served = known.served.get(turn.author, set())
        by_any = set().union(*known.served.values()) if known.served else set()
        waiting = [
            one
            for one in reversed(known.newest_first())
            if not one.bot
            and timedelta(0) <= turn.at - one.at <= WAITS
            and ((turn.author in one.calls and one.id not in served) or (ANYBODY in one.calls and one.id not in by_any))
        ]
        named = [one for one in waiting if one.author in hints.names]
        return named or waiting

    def _in_thread(self, known: _Channel, turn: Turn, hints: Hints) -> Turn:
        said: list[Turn] = []
        for one in known.newest_first():
            if one.bot and one.author == turn.author:
                break
            if not one.bot and one.at <= turn.at:
                said.insert(0, one)
        if not said:
            return turn
        alone = hints.own_thread and len({one.author for one in said}) == 1
        prompt = "\n".join(one.text for one in said[-TURNS:])
        return _with(turn, prompt, Pairing.CERTAIN if alone else Pairing.GUESSED, said[-1].id)


def _first(known: _Channel) -> Turn:
    return next(iter(known.turns.values()))


def _last_of(known: _Channel, turn: Turn) -> Turn | None:
    """The bot's message just before, unless somebody has asked it something since."""
    for one in known.newest_first():
        if one.author == turn.author and one.id != turn.id:
            return one if timedelta(0) <= turn.at - one.at <= FOLLOWS else None
        if turn.author in one.calls:
            return None
    return None


def _with(turn: Turn, prompt: str | None, pairing: Pairing, asked: str | None) -> Turn:
    """Where what was asked holds no text (a picture), it is as good as unseen."""
    return replace(turn, prompt=prompt or None, pairing=pairing if prompt else Pairing.HIDDEN, asked=asked)


def _like(turn: Turn, other: Turn) -> Turn:
    """Answers what the other one does."""
    return _with(turn, other.prompt, other.pairing, other.asked) if other.pairing else turn


def _rest(turn: Turn, last: Turn) -> Turn:
    lead = "\n".join(filter(None, (last.lead, last.text)))
    return replace(_like(turn, last), lead=lead, pieces=(*last.pieces, last.id))
